/**
 * Measures units with conditions, on which the members of a list decide, and plain writes with policy `majority`, on
 * the same three daemons with `--data --fsync always`, and the same of etcd on three members, if it is installed.
 */
import { setTimeout } from "node:timers/promises";
import { makeKeyPair } from "../test/support/envelope-client.js";
import { isOnPath } from "../test/support/requirements.js";
import { scratchFolder } from "../test/support/scratch-folder.js";
import { type Etcd, startEtcd } from "./etcd.js";
import { alternate, type Figures, figuresOf, measure, measureWithCpu, medians } from "./measure.js";
import { isSmoke, met, report, table } from "./report.js";
import { startThree } from "./servers.js";

const ROUNDS = isSmoke ? 1 : 5;
const SECONDS = isSmoke ? 0.2 : 2;
/** Seconds of calls before the measurement. Until then, much of the daemons' code is not optimized. */
const WARM_UP_SECONDS = isSmoke ? 0.2 : 5;
const WARM_UP_CALLERS = 64;
const CALLERS = [1, 64, 256];

/** The goals of a kind of units: their number per second, divided by another one, by the number of calls in flight. */
interface Goals {
  readonly than: string;
  readonly ratios: Readonly<Record<number, number>>;
}
const CREATES = "etcd: create if absent";
const UPDATES = "etcd: read, compare, write on one key";
const SHARED: Goals = { than: CREATES, ratios: { 1: 0.8, 64: 2, 256: 2 } };
const APART: Goals = { than: CREATES, ratios: { 1: 0.8, 64: 1, 256: 1 } };
const ONE_KEY: Goals = { than: UPDATES, ratios: { 64: 1 } };
/** The goal of units that share envelopes, divided by plain writes of the same key pair. */
const OF_PLAIN = 0.4;
/** Plain writes that begin per second, whatever the earlier ones do, while callers request decisions. */
const PLAIN_PER_SECOND = 1000;
/** The goal: their number that is acknowledged in the same time, divided by that without these callers. */
const OF_UNDISTURBED = 0.9;

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
  readonly goals?: Goals;
  /** The plain writes of the same daemons and client. */
  readonly plain?: string;
  /** The numbers of calls in flight; default: all. */
  readonly callers?: readonly number[];
}

const set = (client: Client) => client.call(["SET", `plain:${++counter}`, "value"], { policy });
const setNx = (client: Client) => client.call(["SET", `lock:${++counter}`, "me", "NX"], { policy });
const setIf = (client: Client) => {
  const key = `cas:${++counter}`;
  return client.call(["SET", key, "value"], { policy, if: [{ key, writer: null }] });
};
/** Creates a key in an envelope of its own, as the commands of `multi` are. */
const setApart = (client: Client) => {
  const key = `apart:${++counter}`;
  return client.multi([["SET", key, "value"]], { policy, if: [{ key, writer: null }] });
};

/** Repeats until it has written the key without another write since it was read. */
async function update(client: Client): Promise<void> {
  const key = "one";
  const value = `value ${++counter}`;
  for (let written = null; written === null; ) {
    const [writer = null] = (await client.call(["WRITERS", key])) as (string | null)[];
    written = await client.call(["SET", key, value], { policy, if: [{ key, writer }] });
  }
}

function ofEtcd({ servers: children, open, leader }: Etcd): readonly Kind[] {
  const client = open(leader);
  const servers = children.map(({ pid }) => ({ pid: pid as number }));
  const update = async () => {
    for (const value = `value ${++counter}`; !(await client.update("one", value)); );
  };
  return [
    { name: "etcd: put", servers, call: () => client.put(`plain:${++counter}`, "value") },
    { name: CREATES, servers, call: () => client.create(`lock:${++counter}`, "me") },
    { name: UPDATES, servers, call: update, callers: [64] },
  ];
}

const [ofRsa, ofEd25519] = [{ servers: rsa.running }, { servers: ed25519.running }];
const [PLAIN_RSA, PLAIN_ED25519] = ["SET, RSA", "SET, Ed25519"];
const KINDS: readonly Kind[] = [
  { name: PLAIN_RSA, ...ofRsa, call: () => set(rsaClient) },
  { name: "SET with NX, RSA", ...ofRsa, call: () => setNx(rsaClient), goals: SHARED, plain: PLAIN_RSA },
  { name: "SET with `if`, RSA", ...ofRsa, call: () => setIf(rsaClient), goals: SHARED, plain: PLAIN_RSA },
  { name: "an envelope for each unit, RSA", ...ofRsa, call: () => setApart(rsaClient), goals: APART },
  { name: PLAIN_ED25519, ...ofEd25519, call: () => set(ed25519Client) },
  {
    name: "SET with NX, Ed25519",
    ...ofEd25519,
    call: () => setNx(ed25519Client),
    goals: SHARED,
    plain: PLAIN_ED25519,
  },
  {
    name: "an envelope for each unit, Ed25519",
    ...ofEd25519,
    call: () => setApart(ed25519Client),
    goals: APART,
  },
  {
    name: "read, compare, write on one key, Ed25519",
    ...ofEd25519,
    call: () => update(ed25519Client),
    goals: ONE_KEY,
    callers: [64],
  },
  ...(etcd === null ? [] : ofEtcd(etcd)),
];

for (const { call } of KINDS) await measure({ callers: WARM_UP_CALLERS, seconds: WARM_UP_SECONDS }, call);

const rows: (string | number)[][] = [];
for (const callers of CALLERS) {
  const kinds = KINDS.filter((kind) => kind.callers?.includes(callers) ?? true);
  const rounds = { rounds: ROUNDS, warmUps: isSmoke ? 0 : 1 };
  const runs = await alternate(kinds, rounds, async ({ servers, call }) => {
    const before = process.cpuUsage();
    const figures = await measureWithCpu(servers, { callers, seconds: SECONDS }, call);
    const { user, system } = process.cpuUsage(before);
    return { ...figures, client: (user + system) / figures.calls };
  });
  const all = runs.map(medians);
  const rateOf = (name: string) =>
    all[kinds.findIndex((kind) => kind.name === name)]?.perSecond ?? Number.NaN;
  for (const [i, { p50, p99, perSecond, cpu, client }] of all.entries()) {
    const { name, goals, plain } = kinds[i] as Kind;
    const ofPeer = goals && judged(perSecond / rateOf(goals.than), goals.ratios[callers]);
    const ofPlain = plain && judged(perSecond / rateOf(plain), callers === 64 ? OF_PLAIN : undefined);
    const figures = [p50, p99, Math.round(perSecond), cpu, client];
    rows.push([`${callers}`, name, ...figures, ofPeer ?? "", ofPlain ?? ""]);
  }
}

/** Returns a ratio and whether it meets a goal, or "" if it is not known. */
function judged(ratio: number, goal: number | undefined): string {
  if (Number.isNaN(ratio)) return "";
  return goal === undefined ? ratio.toFixed(2) : `${ratio.toFixed(2)} (${met(ratio >= goal)})`;
}

/** Begins plain writes at a steady rate. @returns the figures of those that are acknowledged in this time */
async function plainFigures(client: Client): Promise<Figures> {
  const latencies: number[] = [];
  const pending: Promise<unknown>[] = [];
  const start = performance.now();
  const end = start + SECONDS * 1000;
  for (let begun = 0, now = start; now < end; now = performance.now()) {
    for (; begun < ((now - start) / 1000) * PLAIN_PER_SECOND; begun++)
      pending.push(
        set(client).then(() => performance.now() < end && latencies.push((performance.now() - now) * 1000)),
      );
    await setTimeout(1);
  }
  await Promise.all(pending);
  return figuresOf(latencies, SECONDS);
}

await using plainClient = ed25519.client();
const beside = await alternate([0, 64], { rounds: ROUNDS, warmUps: isSmoke ? 0 : 1 }, async (callers) => {
  const load = { callers, seconds: SECONDS };
  const deciding = measure(load, () => setNx(ed25519Client));
  const plain = await plainFigures(plainClient);
  return { ...plain, decided: (await deciding).perSecond };
});
const besideRows = beside
  .map(medians)
  .map(({ perSecond, p50, p99, decided }, i) => [
    i === 0 ? "none" : "64 callers",
    Math.round(decided),
    ...[Math.round(perSecond), p50, p99],
  ]);
const [undisturbed, disturbed] = beside.map((runs) => medians(runs).perSecond) as [number, number];

report(
  "decisions",
  "Units with conditions, decided by three members",
  `Three daemons with \`--data --fsync always\` and a signed member list, and three members of etcd, which sync each write. All calls of dbsync have policy \`majority\`; each call has a key of its own, except for those on one key. Medians of ${ROUNDS} alternating rounds of ${SECONDS} s, after ${WARM_UP_SECONDS} s of each kind.
The client and all servers share the cores and the disk. Goals: with one call in flight 0.8 times the units of etcd per second; with 64, as many with an envelope for each unit, and twice as many, and 0.4 times the plain writes, if units share envelopes; with 256, more.

${table(["in flight", "", "p50 µs", "p99 µs", "per second", "CPU µs of the servers per call", "of the client", "÷ etcd", "÷ plain"], rows)}

${PLAIN_PER_SECOND} plain writes per second of another client, each begun when it is due (Ed25519): acknowledged within the measured time ${judged(disturbed / undisturbed, OF_UNDISTURBED)} times as many beside 64 callers that request decisions.

${table(["deciding callers", "units decided per second", "plain writes per second", "p50 µs", "p99 µs"], besideRows)}`,
);
