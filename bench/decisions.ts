/**
 * Measures units with conditions, on which the members of a list decide, and plain writes with policy `majority`, on
 * the same three daemons with `--data --fsync always`. `--smoke` is short and does not change RESULTS.md.
 */
import { loadavg } from "node:os";
import type { Client } from "../client/public-api.js";
import { cpuMicros } from "./daemon-cpu.js";
import { type Figures, type Load, measure, median } from "./measure.js";
import type { Server } from "./processes.js";
import { machine, report, table } from "./report.js";
import { stopAll, Workspace } from "./timeline-daemons.js";

const smoke = process.argv.includes("--smoke");
const ROUNDS = smoke ? 1 : 5;
const SECONDS = smoke ? 0.2 : 1.5;
const GOAL = 2;
/** The numbers of calls in flight. */
const CALLERS = [1, 64];
const PLAIN = "SET";
const LOAD = loadavg()[0] ?? 0;

let counter = 0;

interface Kind {
  readonly name: string;
  call(client: Client): Promise<unknown>;
}

const KINDS: readonly Kind[] = [
  { name: PLAIN, call: (client) => client.call(["SET", `plain:${++counter}`, "value"], majority) },
  { name: "SET with NX", call: (client) => client.call(["SET", `lock:${++counter}`, "me", "NX"], majority) },
  {
    name: "SET with `if` of one key",
    call: (client) =>
      client.call(["SET", `cas:${++counter}`, "value"], {
        ...majority,
        if: [{ key: `cas:${counter}`, writer: null }],
      }),
  },
];

const majority = { policy: "majority" } as const;

interface Round extends Figures {
  /** The CPU time of all three daemons, in microseconds per call. */
  readonly cpu: number;
}

const daemonsCpu = (): number =>
  servers.reduce((sum, { process }) => sum + cpuMicros(process.pid as number), 0);

/** Runs all kinds in turn. @returns the rounds of each kind */
async function alternate(client: Client, load: Load): Promise<Round[][]> {
  const rounds: Round[][] = KINDS.map(() => []);
  for (let round = 0; round <= ROUNDS; round++)
    for (const [index, { call }] of KINDS.entries()) {
      const before = daemonsCpu();
      let calls = 0;
      const figures = await measure(load, () => {
        calls++;
        return call(client);
      });
      // The first round is the warm-up.
      if (round > 0 || smoke) rounds[index]?.push({ ...figures, cpu: (daemonsCpu() - before) / calls });
    }
  return rounds;
}

async function rowsOf(client: Client, callers: number): Promise<(string | number)[][]> {
  const all = await alternate(client, { callers, seconds: SECONDS });
  const medians = all.map((rounds) => ({
    p50: median(rounds.map(({ p50 }) => p50)),
    p99: median(rounds.map(({ p99 }) => p99)),
    perSecond: median(rounds.map(({ perSecond }) => perSecond)),
    cpu: median(rounds.map(({ cpu }) => cpu)),
  }));
  const [plain] = medians;
  return medians.map(({ p50, p99, perSecond, cpu }, index) => {
    const ratio = p50 / (plain?.p50 ?? Number.NaN);
    const cell = index === 0 ? "" : `${ratio.toFixed(2)} (${ratio <= GOAL ? "met" : "missed"})`;
    return [`${callers}`, KINDS[index]?.name ?? "", p50, p99, Math.round(perSecond), cpu, cell];
  });
}

using workspace = new Workspace();
const servers: readonly Server[] = await workspace.start("always");
try {
  await workspace.list(servers);
  await using client = workspace.client(servers);
  await client.call(["DEL", "nothing"], { policy: "all" });
  const rows: (string | number)[][] = [];
  for (const callers of CALLERS) rows.push(...(await rowsOf(client, callers)));
  const text = `## Units with conditions, decided by three members

${machine()} \`npm run bench -- decisions\`. Three daemons with \`--data --fsync always\` and a signed member list. All calls have policy \`majority\` and keys of their own. Medians of ${ROUNDS} alternating rounds of ${SECONDS} s.
Load average before the run: ${LOAD.toFixed(1)}. The client and the three daemons share the cores and the disk. Goal: a unit with a condition takes at most ${GOAL} times as long as a plain write.

${table(["in flight", "", "p50 µs", "p99 µs", "per second", "CPU µs of the daemons per call", "p50 ÷ SET"], rows)}`;
  report("decisions", text, smoke);
} finally {
  await stopAll(servers);
}
