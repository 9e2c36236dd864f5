/**
 * Measures units with conditions, on which the members of a list decide, and plain writes with policy `majority`, on
 * the same three daemons with `--data --fsync always`, and the same of etcd on three members, if it is installed.
 */
import { makeKeyPair } from "../test/support/envelope-client.js";
import { isOnPath } from "../test/support/requirements.js";
import { scratchFolder } from "../test/support/scratch-folder.js";
import { type Etcd, startEtcd } from "./etcd.js";
import { alternate, measure, measureWithCpu, medians } from "./measure.js";
import { isSmoke, met, report, table } from "./report.js";
import { startThree } from "./servers.js";

const ROUNDS = isSmoke ? 1 : 5;
const SECONDS = isSmoke ? 0.2 : 2;
/** Seconds of calls before the measurement. Until then, much of the daemons' code is not optimized. */
const WARM_UP_SECONDS = isSmoke ? 0.2 : 5;
/** The goals: decided units per second, divided by those of etcd, by the number of calls in flight. */
const GOALS: Readonly<Record<number, number>> = { 1: 0.8, 64: 2, 256: 2 };
const WARM_UP_CALLERS = 64;
const CREATES = "etcd: create if absent";

let counter = 0;

await using rsa = await startThree("always", makeKeyPair("rsa"));
await using ed25519 = await startThree("always", makeKeyPair("ed25519"));
await using etcd = isOnPath("etcd") ? await startEtcd(scratchFolder("etcd")) : null;
for (const trio of [rsa, ed25519]) await trio.list();
await using rsaClient = rsa.client();
await using ed25519Client = ed25519.client();

type Client = typeof rsaClient;
const policy = "majority";

interface Kind {
  readonly name: string;
  readonly servers: readonly { readonly pid: number }[];
  readonly call: () => Promise<unknown>;
}

const set = (client: Client) => client.call(["SET", `plain:${++counter}`, "value"], { policy });
const setNx = (client: Client) => client.call(["SET", `lock:${++counter}`, "me", "NX"], { policy });
const setIf = (client: Client) => {
  const key = `cas:${++counter}`;
  return client.call(["SET", key, "value"], { policy, if: [{ key, writer: null }] });
};
function ofEtcd({ servers: children, open, leader }: Etcd): readonly Kind[] {
  const client = open(leader);
  const servers = children.map(({ pid }) => ({ pid: pid as number }));
  return [
    { name: "etcd: put", servers, call: () => client.put(`plain:${++counter}`, "value") },
    { name: CREATES, servers, call: () => client.create(`lock:${++counter}`, "me") },
  ];
}
const KINDS: readonly Kind[] = [
  { name: "SET, RSA", servers: rsa.running, call: () => set(rsaClient) },
  { name: "SET with NX, RSA", servers: rsa.running, call: () => setNx(rsaClient) },
  { name: "SET with `if`, RSA", servers: rsa.running, call: () => setIf(rsaClient) },
  { name: "SET, Ed25519", servers: ed25519.running, call: () => set(ed25519Client) },
  { name: "SET with NX, Ed25519", servers: ed25519.running, call: () => setNx(ed25519Client) },
  ...(etcd === null ? [] : ofEtcd(etcd)),
];

for (const { call } of KINDS) await measure({ callers: WARM_UP_CALLERS, seconds: WARM_UP_SECONDS }, call);

const rows: (string | number)[][] = [];
for (const callers of Object.keys(GOALS).map(Number)) {
  const rounds = { rounds: ROUNDS, warmUps: isSmoke ? 0 : 1 };
  const runs = await alternate(KINDS, rounds, async ({ servers, call }) => {
    const before = process.cpuUsage();
    const figures = await measureWithCpu(servers, { callers, seconds: SECONDS }, call);
    const { user, system } = process.cpuUsage(before);
    return { ...figures, client: (user + system) / figures.calls };
  });
  const all = runs.map(medians);
  const ofCreates = all[KINDS.findIndex(({ name }) => name === CREATES)]?.perSecond;
  for (const [i, { p50, p99, perSecond, cpu, client }] of all.entries()) {
    const { name } = KINDS[i] as Kind;
    const isDecided = name.startsWith("SET with");
    const ratio = perSecond / (ofCreates ?? Number.NaN);
    const goal = GOALS[callers] as number;
    const cell = isDecided && ofCreates !== undefined ? `${ratio.toFixed(2)} (${met(ratio >= goal)})` : "";
    rows.push([`${callers}`, name, ...[p50, p99, Math.round(perSecond), cpu, client, cell]]);
  }
}
report(
  "decisions",
  "Units with conditions, decided by three members",
  `Three daemons with \`--data --fsync always\` and a signed member list, and three members of etcd, which sync each write. All calls of dbsync have policy \`majority\`; each call has a key of its own. Medians of ${ROUNDS} alternating rounds of ${SECONDS} s, after ${WARM_UP_SECONDS} s of each kind.
The client and all servers share the cores and the disk. The client signs the calls of one turn together, so that units share envelopes if several are in flight. Goals: 0.8 times the units of etcd per second with one call in flight, twice as many with 64 and 256.

${table(["in flight", "", "p50 µs", "p99 µs", "per second", "CPU µs of the servers per call", "of the client", "÷ etcd"], rows)}`,
);
