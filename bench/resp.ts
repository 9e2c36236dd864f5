/**
 * Measures the RESP listener with redis-benchmark. The first part compares a daemon in memory with redis-server and
 * with a minimal Node server (bare-loop.ts), in turn. The second part compares a daemon that has `--data` and two
 * peers with a daemon in memory that has no peers. Each command runs for 2 s on each server. `--rounds N` prints
 * medians of N rounds. `--smoke` measures only one setting and takes a few seconds.
 */
import { cpus, loadavg } from "node:os";
import { knowsSecret } from "../test/support/cluster-secret.js";
import { freePort } from "../test/support/free-port.js";
import { startRedis } from "../test/support/redis-server.js";
import { median } from "./measure.js";
import { type Server, startBareLoop, startDaemon } from "./processes.js";
import {
  COMMAND_NAMES,
  type CommandName,
  flush,
  type Measured,
  measureCommand,
  type Setting,
  type Target,
  waitUntilWritable,
} from "./redis-benchmark.js";
import { machine, report, table } from "./report.js";
import { stopAll, Workspace } from "./timeline-daemons.js";

const smoke = process.argv.includes("--smoke");
const ROUNDS = roundsOption() ?? (smoke ? 1 : 3);
const SECONDS = smoke ? 0 : 2;

interface Scenario extends Setting {
  readonly commands: readonly CommandName[];
}

const usual = { clients: 50, bytes: 3, commands: COMMAND_NAMES };
const SCENARIOS: readonly Scenario[] = smoke
  ? [{ ...usual, pipeline: 16, keys: 1 }]
  : [
      { ...usual, pipeline: 1, keys: 100_000 },
      { ...usual, pipeline: 16, keys: 1 },
      { ...usual, pipeline: 16, keys: 100_000 },
      { ...usual, pipeline: 16, keys: 1_000_000 },
      { clients: 50, pipeline: 1, keys: 1, bytes: 65_536, commands: ["SET", "GET"] },
    ];
const RECORDED_SCENARIOS = SCENARIOS.filter(({ keys, bytes }) => smoke || (keys === 100_000 && bytes === 3));

/** The name of the minimal server. Its cost is a lower bound for any Node server. It does not sort its sorted sets. */
const BARE_LOOP = "bare loop";
const RELATIVE_TO_LOOP = `dbsyncd ÷ ${BARE_LOOP}`;
const BARE: readonly CommandName[] = ["SET", "GET", "INCR", "LPUSH", "HSET", "SADD"];
const GOALS = { cpu: 1.25, pipelined: 0.6, single: 0.95, recorded: 0.5 } as const;

/** The load average over one minute. While other programs are running, the rates are meaningless. */
const LOAD = loadavg()[0] ?? 0;
const BUSY_LOAD = 1;

/** The results of each command, one per round. */
type Runs = Map<CommandName, Measured[]>;

/** Measures all servers in a scenario. For each command, it measures one server after the other. */
function measureAll(targets: readonly Target[], scenario: Scenario, bare?: Target): Runs[] {
  const all = bare === undefined ? targets : [...targets, bare];
  const runs = all.map((): Runs => new Map());
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of scenario.commands) {
      for (const [i, target] of all.entries()) {
        if (target === bare && !BARE.includes(name)) continue;
        const known = runs[i]?.get(name) ?? [];
        runs[i]?.set(name, [...known, measureCommand(target, scenario, name, SECONDS)]);
      }
    }
    for (const target of all) flush(target);
  }
  return runs;
}

const medianOf = (runs: Runs | undefined, name: CommandName, what: keyof Measured): number =>
  median((runs?.get(name) ?? []).map((run) => run[what]));

const mean = (values: readonly number[]): number => {
  const known = values.filter((value) => Number.isFinite(value) && value > 0);
  return Math.exp(known.reduce((sum, value) => sum + Math.log(value), 0) / known.length);
};

const formatted = (value: number): string => (Number.isFinite(value) ? value.toFixed(2) : "–");

const nameOf = ({ clients, pipeline, bytes, keys }: Setting): string =>
  `-c ${clients} -P ${pipeline} -r ${keys.toLocaleString("en")}, ${bytes} B`;

function rateVerdict(isMet: boolean): string {
  if (LOAD > BUSY_LOAD) return "not judged: busy";
  return isMet ? "met" : "missed";
}

interface RateRow {
  readonly scenario: Scenario;
  readonly side: string;
  readonly goal: number | null;
}

/** Returns a row with the rates of the second server, relative to those of the first. */
function rateRow(
  { scenario, side, goal }: RateRow,
  [first, second]: readonly (Runs | undefined)[],
): string[] {
  const ratios = COMMAND_NAMES.map(
    (name) => medianOf(second, name, "perSecond") / medianOf(first, name, "perSecond"),
  );
  const all = mean(ratios);
  const verdict = goal === null ? "" : `≥ ${goal} (${rateVerdict(all >= goal)})`;
  return [nameOf(scenario), side, formatted(all), verdict, ...ratios.map(formatted)];
}

const costsOf = (runs: Runs | undefined): number[] =>
  COMMAND_NAMES.map((name) => medianOf(runs, name, "cpu"));

const costRow = (scenario: Scenario, side: string, costs: readonly number[]): string[] => [
  ...[nameOf(scenario), side, "", ""],
  ...costs.map(formatted),
];

/** Returns a row with the CPU times of a server, as multiples of another server's. */
function multipleRow(scenario: Scenario, side: string, costs: readonly number[], others: readonly number[]) {
  const ratios = costs.map((cost, i) => cost / (others[i] as number));
  const highest = Math.max(...ratios.filter(Number.isFinite));
  const verdict = side.endsWith(BARE_LOOP)
    ? `≤ ${GOALS.cpu} (${highest <= GOALS.cpu ? "met" : "missed"})`
    : "";
  return [...[nameOf(scenario), side, formatted(mean(ratios)), verdict], ...ratios.map(formatted)];
}

const targetOf = ({ process: { pid } }: Server, port: number): Target => ({ port, pid: pid as number });

interface Tables {
  readonly rates: string[][];
  readonly cpu: string[][];
}

async function alone(): Promise<Tables> {
  const port = await freePort();
  await using redis = await startRedis();
  await using daemon = await startDaemon(["--resp", String(port)]);
  await using bare = await startBareLoop();
  const rates: string[][] = [];
  const cpu: string[][] = [];
  for (const scenario of SCENARIOS) {
    const goal = scenario.pipeline > 1 ? GOALS.pipelined : GOALS.single;
    const runs = measureAll([redis, targetOf(daemon, port)], scenario, targetOf(bare, bare.port));
    const [first, second, third] = runs;
    rates.push(
      rateRow({ scenario, side: "dbsyncd", goal }, [first, second]),
      rateRow({ scenario, side: BARE_LOOP, goal: null }, [first, third]),
      rateRow({ scenario, side: RELATIVE_TO_LOOP, goal: null }, [third, second]),
    );
    const [theirs, ours, loops] = runs.map(costsOf) as [number[], number[], number[]];
    cpu.push(
      costRow(scenario, "redis-server", theirs),
      costRow(scenario, "dbsyncd", ours),
      costRow(scenario, BARE_LOOP, loops),
      multipleRow(scenario, RELATIVE_TO_LOOP, ours, loops),
    );
  }
  return { rates, cpu };
}

/** Measures one of three daemons with a timeline on disk, and a daemon without a timeline. */
async function recorded(): Promise<Tables> {
  using workspace = new Workspace();
  const [plainPort, port] = [await freePort(), await freePort()];
  await using plain = await startDaemon(["--resp", String(plainPort)]);
  const ports = [await freePort(), await freePort(), await freePort()];
  const servers = await Promise.all(
    ports.map((own, index) =>
      startDaemon([
        // Without a root key the daemons authorize their own keys.
        ...["-s", workspace.publicFolder, "--data", workspace.newFolder(), "--fsync", "interval=100"],
        ...ports.filter((other) => other !== own).flatMap((peer) => ["--peer", `127.0.0.1:${peer}`]),
        ...knowsSecret,
        ...["-p", String(own), ...(index === 0 ? ["--resp", String(port)] : [])],
      ]),
    ),
  );
  try {
    const target = targetOf(servers[0] as Server, port);
    await waitUntilWritable(target);
    const rates: string[][] = [];
    const cpu: string[][] = [];
    for (const scenario of RECORDED_SCENARIOS) {
      const runs = measureAll([targetOf(plain, plainPort), target], scenario);
      rates.push(rateRow({ scenario, side: "with ÷ without", goal: GOALS.recorded }, runs));
      const [without, withTimeline] = runs.map(costsOf) as [number[], number[]];
      cpu.push(costRow(scenario, "without", without), costRow(scenario, "with", withTimeline));
      cpu.push(multipleRow(scenario, "with ÷ without", withTimeline, without));
    }
    return { rates, cpu };
  } finally {
    await stopAll(servers);
  }
}

function roundsOption(): number | null {
  const at = process.argv.indexOf("--rounds");
  return at < 0 ? null : Number(process.argv[at + 1]);
}

const RATE_HEAD = ["", "", "geometric mean", "goal", ...COMMAND_NAMES];
const COST_HEAD = ["", "CPU µs per command", "geometric mean", "goal", ...COMMAND_NAMES];

async function main(): Promise<void> {
  const inMemory = await alone();
  const withTimeline = await recorded();
  report(
    "resp",
    `## Redis clients

${machine()} redis-benchmark with redis-server 7.0 and \`dbsyncd --resp\` in turn, at least ${SECONDS} s per command and server, medians of
${ROUNDS} round${ROUNDS > 1 ? "s" : ""}. Load average before the run: ${LOAD.toFixed(1)}, on ${cpus().length} cores. A load above ${BUSY_LOAD} means that other programs used the cores: the rates are then unreliable and not judged;
CPU per command (of the server, including the kernel) is less affected. The bare loop (bench/bare-loop.ts) is a Node server with only a parser and a Map.
The goal relative to the bare loop applies to each command, not to the mean. The means relative to it include only the commands that it implements.

Requests per second, relative to redis-server:

${table(RATE_HEAD, inMemory.rates)}

${table(COST_HEAD, inMemory.cpu)}

With \`--data\` (fsync every 100 ms) and two peers, requests per second, relative to the same daemon without them:

${table(RATE_HEAD, withTimeline.rates)}

${table(COST_HEAD, withTimeline.cpu)}`,
    smoke,
  );
}

await main();
