/**
 * Three daemons with one client: applied in memory, recorded by dates, and ordered by a stream of NATS JetStream on one server and
 * on three. All are there at once and are measured in turn, so that the machine's moods meet all of them. `--smoke`: short,
 * RESULTS.md stays.
 */
import { loadavg } from "node:os";
import type { Client } from "../client/entry.js";
import { NatsServer } from "../test/support/nats-server.js";
import { cpuSeconds } from "./daemon-cpu.js";
import { type Figures, measure, median } from "./measure.js";
import type { Server } from "./processes.js";
import { startDaemon } from "./processes.js";
import { machine, report, table } from "./report.js";
import { Scene } from "./timeline-daemons.js";

const smoke = process.argv.includes("--smoke");
const SECONDS = smoke ? 0.3 : 1;
const ROUNDS = smoke ? 1 : 5;
const CALLERS = smoke ? [1, 64] : [1, 64, 1024];
const DAEMONS = 3;
const KEYS = 100_000;

interface Subject {
  readonly name: string;
  readonly servers: readonly Server[];
  readonly client: Client;
  readonly nats: readonly NatsServer[];
  readonly figures: Map<number, Taken[]>;
}

interface Taken extends Figures {
  /** Microseconds of CPU for a command: all daemons, all servers of NATS. */
  readonly daemons: number;
  readonly nats: number;
}

let counter = 0;
const set = (client: Client) => client.send(["SET", `key:${++counter % KEYS}`, "v"]);

async function main(): Promise<void> {
  const before = loadavg()[0] ?? 0;
  using scene = new Scene();
  const one = await NatsServer.start();
  const three = await NatsServer.startCluster(DAEMONS);
  const ordered = (servers: readonly NatsServer[], options: string) => {
    const url = `nats://${servers.map(({ port }) => `127.0.0.1:${port}`).join(",")}/writes${options}`;
    return Promise.all(
      Array.from({ length: DAEMONS }, () => startDaemon([...scene.args(null), "--order", url])),
    );
  };
  const kinds: [string, readonly Server[], readonly NatsServer[]][] = [
    ["in memory, nothing recorded", await scene.start("plain"), []],
    ["by dates, in memory (`--peer`)", await scene.start("memory"), []],
    ["by dates, on disk (`--peer --data`)", await scene.start("always"), []],
    ["by a stream, one nats-server", await ordered([one], ""), [one]],
    ["by a stream, three nats-servers", await ordered(three, "?replicas=3"), three],
  ];
  const subjects = kinds.map(
    ([name, servers, nats]): Subject => ({
      ...{ name, servers, nats, client: scene.client(servers) },
      figures: new Map(),
    }),
  );
  try {
    for (const { client } of subjects) await taken(client);
    for (let round = 0; round < ROUNDS; round++)
      for (const callers of CALLERS) for (const subject of subjects) await take(subject, callers);
    report("who orders the writes", textOf(subjects, before), smoke);
  } finally {
    for (const { client, servers } of subjects) {
      await client.close();
      await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
    }
    await Promise.all([one, ...three].map((server) => server[Symbol.asyncDispose]()));
  }
}

/** A cluster of NATS takes some seconds to choose its leaders. */
async function taken(client: Client): Promise<void> {
  for (;;) {
    const isTaken = await set(client).then(
      () => true,
      () => false,
    );
    if (isTaken) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function take({ client, figures, servers, nats }: Subject, callers: number): Promise<void> {
  const cpu = () => [
    secondsOf(servers.map(({ process }) => process.pid as number)),
    secondsOf(nats.map(({ pid }) => pid)),
  ];
  const [daemonsBefore, natsBefore] = cpu() as [number, number];
  const found = await measure({ callers, seconds: SECONDS }, () => set(client));
  const [daemonsAfter, natsAfter] = cpu() as [number, number];
  const each = (seconds: number) => (seconds * 1e6) / (found.perSecond * SECONDS);
  const taken = { ...found, daemons: each(daemonsAfter - daemonsBefore), nats: each(natsAfter - natsBefore) };
  figures.set(callers, [...(figures.get(callers) ?? []), taken]);
}

const secondsOf = (pids: readonly number[]) => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);

function textOf(subjects: readonly Subject[], before: number): string {
  const load = (loadavg()[0] ?? 0).toFixed(1);
  const of = ({ figures }: Subject, callers: number, name: keyof Taken) =>
    median((figures.get(callers) ?? []).map((each) => each[name]));
  const rows = CALLERS.flatMap((callers) =>
    subjects.map((subject) => {
      const perSecond = of(subject, callers, "perSecond");
      const first = of(subjects[0] as Subject, callers, "perSecond");
      const late = [of(subject, callers, "p50"), of(subject, callers, "p99")];
      const cpu = [of(subject, callers, "daemons"), of(subject, callers, "nats")];
      const ratio = (perSecond / first).toFixed(2);
      return [String(callers), subject.name, Math.round(perSecond), ...late, ratio, ...cpu];
    }),
  );
  return `## Who orders the writes

${machine()} \`npm run bench -- order\`: one client with an Ed25519 key, signed SET to three daemons, the first answer; ${SECONDS} s each in turn, median of ${ROUNDS}.
Five times three daemons, four nats-servers (Debian's 2.9, files on the same disk, synced as NATS does by itself: not for each message) and the client share two processors: load ${before.toFixed(1)} before,
${load} behind. So it is the ratios that tell something, of latencies the order of magnitude, and CPU time a command, of all daemons and all NATS servers together (with one call in flight most of that is what
they do anyway: timers, signs of life). Calls in flight at once go in one envelope, which is what makes the round trip cheap.

${table(["calls in flight", "order", "per second", "p50 µs", "p99 µs", "÷ in memory", "CPU µs of the daemons", "of NATS"], rows)}`;
}

await main();
