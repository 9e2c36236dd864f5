/**
 * Measures the cost of a timeline and of peers: signed SETs from one client to three daemons, with and without a
 * timeline. In addition to the rates, which vary on a shared machine, it prints the daemons' CPU time per command.
 */
import { alternate, type CpuFigures, measure, measureWithCpu, medians } from "./measure.js";
import { FIGURE_HEAD, figureCells, inEnglish, isSmoke, met, report, table } from "./report.js";
import { type Durability, startThree } from "./servers.js";

const SECONDS = isSmoke ? 0.3 : 4;
const ROUNDS = isSmoke ? 1 : 5;
const KEYS = 100_000;
/** The rate of a cluster with a timeline, divided by that of one without: the goal with 256 calls in flight. */
const FAN_OUT_GOAL = 0.7;
/** The goals with 64 calls in flight: calls per second, and the rate of recorded calls divided by that in memory. */
const GOALS = { plain: 100_000, always: 45_000, recorded: 0.6 };

const NAMES: Readonly<Record<Durability, string>> = {
  plain: "without timeline",
  memory: "peers, in memory",
  interval: "peers, --data, --fsync interval=100",
  always: "peers, --data, --fsync always",
};
const DURABILITIES = Object.keys(NAMES) as readonly Durability[];

/** The figures of each kind of cluster, with the CPU time per command and daemon. */
type Rows = Readonly<Record<Durability, CpuFigures>>;

let counter = 0;

async function run(durability: Durability, callers: number): Promise<CpuFigures> {
  await using trio = await startThree(durability);
  await using client = trio.client();
  const set = () => client.send(["SET", `key:${++counter % KEYS}`, "x".repeat(16)]);
  await measure({ callers, seconds: SECONDS / 2 }, set);
  const run = await measureWithCpu(trio.running, { callers, seconds: SECONDS }, set);
  return { ...run, cpu: run.cpu / trio.ports.length };
}

/** Measures each kind of cluster in alternating rounds, and returns the medians. */
async function rowsOf(callers: number): Promise<Rows> {
  const runs = await alternate(DURABILITIES, { rounds: ROUNDS }, (durability) => run(durability, callers));
  const rows = DURABILITIES.map((durability, i) => [durability, medians(runs[i] ?? [])]);
  return Object.fromEntries(rows) as Rows;
}

function tableOf(rows: Rows): string {
  const { plain } = rows;
  const cells = DURABILITIES.map((durability) => {
    const row = rows[durability];
    const ratios = [row.perSecond / plain.perSecond, row.cpu, plain.cpu / row.cpu];
    return [NAMES[durability], ...figureCells(row), ...ratios.map((ratio) => ratio.toFixed(2))];
  });
  const head = ["", ...FIGURE_HEAD, "÷ without", "CPU µs per command and daemon", "without ÷ this"];
  return table(head, cells);
}

const [few, many] = [await rowsOf(64), await rowsOf(256)];
const fanOut = (["memory", "interval", "always"] as const).map((durability) => {
  const ratio = many[durability].perSecond / many.plain.perSecond;
  return `${NAMES[durability]} ${ratio.toFixed(2)} (${met(ratio >= FAN_OUT_GOAL)})`;
});
const rate = (durability: "plain" | "always") => {
  const { perSecond } = few[durability];
  const goal = GOALS[durability];
  return `${inEnglish(perSecond)} (goal: ${inEnglish(goal)}, ${met(perSecond >= goal)})`;
};
const recorded = few.always.perSecond / few.memory.perSecond;
report(
  "hot-path",
  "The cost of the timeline per command",
  `Signed SETs (RSA-2048) from one client to three daemons, policy \`first\`. Medians of ${ROUNDS}
alternating rounds of ${SECONDS} s. The client and the daemons share two cores.

With 64 calls in flight:

${tableOf(few)}

Calls per second without timeline: ${rate("plain")}; with \`--fsync always\`: ${rate("always")}. Recorded with
\`--fsync always\` ÷ peers in memory: ${recorded.toFixed(2)} (goal: ${GOALS.recorded}, ${met(recorded >= GOALS.recorded)}).

With 256 calls in flight:

${tableOf(many)}

The rate divided by that without timeline (goal: ${FAN_OUT_GOAL}): ${fanOut.join(", ")}.`,
);
