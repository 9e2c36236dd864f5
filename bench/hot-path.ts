/**
 * Measures the cost of a timeline and of peers: signed SETs from one client to three daemons, with and without a
 * timeline. In addition to the rates, which vary on a shared machine, it prints the daemons' CPU time per command.
 * `--smoke` is short and does not change RESULTS.md.
 */
import { cpuSeconds } from "./daemon-cpu.js";
import { type Figures, measure, median } from "./measure.js";
import type { Server } from "./processes.js";
import { FIGURE_HEAD, figureCells, machine, report, table } from "./report.js";
import { type Durability, stopAll, Workspace } from "./timeline-daemons.js";

const smoke = process.argv.includes("--smoke");
const SECONDS = smoke ? 0.3 : 4;
/** The number of alternating rounds. The results are medians, because other processes run on the machine. */
const ROUNDS = smoke ? 1 : 5;
const KEYS = 100_000;
/** The rate of a cluster with a timeline, divided by that of one without: the goal with 256 calls in flight. */
const FAN_OUT_GOAL = 0.7;
/** The goals with 64 calls in flight: calls per second, and the rate of recorded calls divided by that in memory. */
const MEMORY_GOAL = 100_000;
const ALWAYS_GOAL = 45_000;
const RECORDED_GOAL = 0.6;

const workspace = new Workspace();
let counter = 0;

interface Run {
  readonly figures: Figures;
  /** Microseconds of CPU time per command and daemon. */
  readonly cpu: number;
}

interface Row extends Run {
  readonly durability: Durability;
}

const DURABILITIES = ["plain", "memory", "interval", "always"] as const;

/** Measures each kind of cluster in alternating rounds, and returns the medians. */
async function rowsOf(callers: number): Promise<Row[]> {
  const runs = new Map<Durability, Run[]>(DURABILITIES.map((durability) => [durability, []]));
  for (let round = 0; round < ROUNDS; round++)
    for (const durability of DURABILITIES)
      runs.get(durability)?.push(await withDaemons(durability, (servers) => loaded(servers, callers)));
  return DURABILITIES.map((durability) => {
    const all = runs.get(durability) ?? [];
    const middle = median(all.map(({ figures }) => figures.perSecond));
    const { figures } = all.find((run) => run.figures.perSecond === middle) as Run;
    return { durability, figures, cpu: median(all.map(({ cpu }) => cpu)) };
  });
}

const rateOf = (rows: readonly Row[], durability: Durability): number =>
  rows.find((row) => row.durability === durability)?.figures.perSecond ?? Number.NaN;

const verdict = (isMet: boolean): string => (isMet ? "met" : "missed");

function tableOf(rows: readonly Row[]): string {
  const [plain] = rows as [Row];
  const cells = rows.map(({ durability, figures, cpu }) => {
    const ratio = figures.perSecond / plain.figures.perSecond;
    return [
      NAMES[durability],
      ...figureCells(figures),
      ratio.toFixed(2),
      cpu.toFixed(2),
      (plain.cpu / cpu).toFixed(2),
    ];
  });
  return table(["", ...FIGURE_HEAD, "÷ without", ...CPU_HEAD], cells);
}

async function text(): Promise<string> {
  const [few, many] = [await rowsOf(64), await rowsOf(256)];
  const fanOut = (durability: Durability) => {
    const ratio = rateOf(many, durability) / rateOf(many, "plain");
    return `${NAMES[durability]} ${ratio.toFixed(2)} (${verdict(ratio >= FAN_OUT_GOAL)})`;
  };
  const rate = (durability: Durability, goal: number) => {
    const found = rateOf(few, durability);
    return `${Math.round(found).toLocaleString("en")} (goal: ${goal.toLocaleString("en")}, ${verdict(found >= goal)})`;
  };
  const recorded = rateOf(few, "always") / rateOf(few, "memory");
  return `## The cost of the timeline per command

${machine()} \`npm run bench -- hot-path\`. Signed SETs (RSA-2048) from one client to three daemons, policy \`first\`. Medians of ${ROUNDS}
alternating rounds of ${SECONDS} s. The client and the daemons share two cores.

With 64 calls in flight:

${tableOf(few)}

Calls per second without timeline: ${rate("plain", MEMORY_GOAL)}; with \`--fsync always\`: ${rate("always", ALWAYS_GOAL)}. Recorded with
\`--fsync always\` ÷ peers in memory: ${recorded.toFixed(2)} (goal: ${RECORDED_GOAL}, ${verdict(recorded >= RECORDED_GOAL)}).

With 256 calls in flight:

${tableOf(many)}

The rate divided by that without timeline (goal: ${FAN_OUT_GOAL}): ${(["memory", "interval", "always"] as const).map(fanOut).join(", ")}.`;
}

const CPU_HEAD = ["CPU µs per command and daemon", "without ÷ this"];

const NAMES: Readonly<Record<Durability, string>> = {
  plain: "without timeline",
  memory: "peers, in memory",
  interval: "peers, --data, --fsync interval=100",
  always: "peers, --data, --fsync always",
};

async function withDaemons<T>(
  durability: Durability,
  work: (servers: readonly Server[]) => Promise<T>,
): Promise<T> {
  const servers = await workspace.start(durability);
  try {
    return await work(servers);
  } finally {
    await stopAll(servers);
  }
}

async function loaded(servers: readonly Server[], callers: number): Promise<Run> {
  await using client = workspace.client(servers);
  const set = () => client.send(["SET", `key:${++counter % KEYS}`, "x".repeat(16)]);
  await measure({ callers, seconds: SECONDS / 2 }, set);
  const before = cpuOf(servers);
  const figures = await measure({ callers, seconds: SECONDS }, set);
  const commands = figures.perSecond * SECONDS * servers.length;
  return { figures, cpu: ((cpuOf(servers) - before) * 1e6) / commands };
}

const cpuOf = (servers: readonly Server[]): number =>
  servers.reduce((sum, { process: { pid } }) => sum + cpuSeconds(pid as number), 0);

try {
  report("hot-path", await text(), smoke);
} finally {
  workspace[Symbol.dispose]();
}
