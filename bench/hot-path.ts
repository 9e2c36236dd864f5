/**
 * Measures the cost of a timeline and of peers: signed SETs from one client to three daemons, with and without a
 * timeline. In addition to the rates, which vary on a shared machine, it prints the daemons' CPU time per command.
 * `--smoke` is short and does not change RESULTS.md.
 */
import { cpuSeconds } from "./daemon-cpu.js";
import { type Figures, measure, median } from "./measure.js";
import type { Server } from "./processes.js";
import { FIGURE_HEAD, figureCells, machine, report, table } from "./report.js";
import { type Keeping, Scene, stopAll } from "./timeline-daemons.js";

const smoke = process.argv.includes("--smoke");
const SECONDS = smoke ? 0.3 : 4;
/** The number of alternating rounds. The results are medians, because other processes run on the machine. */
const ROUNDS = smoke ? 1 : 5;
const CALLERS = 256;
const KEYS = 100_000;
const FAN_OUT_GOAL = 0.7;

const scene = new Scene();
let counter = 0;

interface Run {
  readonly figures: Figures;
  /** Microseconds of CPU time per command and daemon. */
  readonly cpu: number;
}

async function fanOut(): Promise<string> {
  const keepings = ["plain", "memory", "interval", "always"] as const;
  const runs = new Map<Keeping, Run[]>(keepings.map((keeping) => [keeping, []]));
  for (let round = 0; round < ROUNDS; round++)
    for (const keeping of keepings) runs.get(keeping)?.push(await withDaemons(keeping, loaded));
  const rows = keepings.map((keeping) => {
    const all = runs.get(keeping) ?? [];
    const middle = median(all.map(({ figures }) => figures.perSecond));
    const { figures } = all.find((run) => run.figures.perSecond === middle) as Run;
    return { keeping, figures, cpu: median(all.map(({ cpu }) => cpu)) };
  });
  const [plain] = rows as [(typeof rows)[number]];
  const cells = rows.map(({ keeping, figures, cpu }) => {
    const ratio = figures.perSecond / plain.figures.perSecond;
    const goal = keeping === "plain" ? "" : `≥ ${FAN_OUT_GOAL} (${ratio >= FAN_OUT_GOAL ? "met" : "missed"})`;
    const ofCpu = (plain.cpu / cpu).toFixed(2);
    return [NAMES[keeping], ...figureCells(figures), ratio.toFixed(2), goal, cpu.toFixed(2), ofCpu];
  });
  return `## The cost of the timeline per command

${machine()} \`npm run bench\`. Signed SETs (RSA-2048) from one client to three daemons, ${CALLERS} calls in flight, policy \`first\`. Medians of ${ROUNDS}
alternating rounds. The client and the daemons share two cores.

${table(["", ...FIGURE_HEAD, "÷ without", "goal", ...CPU_HEAD], cells)}`;
}

const CPU_HEAD = ["CPU µs per command and daemon", "without ÷ this"];

const NAMES: Readonly<Record<Keeping, string>> = {
  plain: "without timeline",
  memory: "peers, in memory",
  interval: "peers, --data, --fsync interval=100",
  always: "peers, --data, --fsync always",
};

async function withDaemons<T>(
  keeping: Keeping,
  work: (servers: readonly Server[]) => Promise<T>,
): Promise<T> {
  const servers = await scene.start(keeping);
  try {
    return await work(servers);
  } finally {
    await stopAll(servers);
  }
}

async function loaded(servers: readonly Server[]): Promise<Run> {
  await using client = scene.client(servers);
  const set = () => client.send(["SET", `key:${++counter % KEYS}`, "x".repeat(16)]);
  await measure({ callers: CALLERS, seconds: SECONDS / 2 }, set);
  const before = cpuOf(servers);
  const figures = await measure({ callers: CALLERS, seconds: SECONDS }, set);
  const commands = figures.perSecond * SECONDS * servers.length;
  return { figures, cpu: ((cpuOf(servers) - before) * 1e6) / commands };
}

const cpuOf = (servers: readonly Server[]): number =>
  servers.reduce((sum, { process: { pid } }) => sum + cpuSeconds(pid as number), 0);

try {
  report("hot-path", await fanOut(), smoke);
} finally {
  scene[Symbol.dispose]();
}
