/**
 * Measures the RESP listener with redis-benchmark. The first part compares a daemon in memory with redis-server and
 * with a minimal Node server (bare-loop.ts), in turn. The second part compares a daemon that has `--data` and two
 * peers with a daemon in memory that has no peers. Each command runs for 2 s on each server.
 */
import { execFileSync } from "node:child_process";
import { cpus } from "node:os";
import { textOf } from "../test/support/redis-connection.js";
import { startRedis } from "../test/support/redis-server.js";
import { authorizeDaemons, respPort } from "../test/support/resp-trio.js";
import { Trio } from "../test/support/trio.js";
import { until } from "../test/support/until.js";
import { alternate, medians } from "./measure.js";
import { inEnglish, isBusy, isSmoke, met, report, table } from "./report.js";
import { startBareLoop, startFace, type Target } from "./servers.js";
import { cpuMicros } from "./usage.js";

interface Scenario {
  readonly clients: number;
  readonly pipeline: number;
  readonly bytes: number;
  /** The number of different keys, fields and members. */
  readonly keys: number;
  readonly commands: readonly CommandName[];
}

type Measured = {
  readonly perSecond: number;
  /** Microseconds of the server's CPU time per request. */
  readonly cpu: number;
};

/** The commands by column name. `-t` selects one of redis-benchmark's predefined tests. */
const COMMANDS = {
  SET: ["-t", "set"],
  GET: ["-t", "get"],
  INCR: ["-t", "incr"],
  LPUSH: ["-t", "lpush"],
  LRANGE_100: ["LRANGE", "mylist", "0", "99"],
  HSET: ["-t", "hset"],
  SADD: ["-t", "sadd"],
  ZADD: ["-t", "zadd"],
  XADD: ["XADD", "mystream", "*", "myfield", "__data__"],
  MSET: ["-t", "mset"],
} as const;
type CommandName = keyof typeof COMMANDS;
const COMMAND_NAMES = Object.keys(COMMANDS) as readonly CommandName[];

const FIRST_REQUESTS = 5_000;
/** The maximum number of times that a run that was too short is repeated with more requests. */
const TRIES = 4;
/** A repeated run is planned to take the required time multiplied by this factor. */
const SPARE = 1.1;
/** The number of SETs per key. With random keys, about an eighth of the keys remain absent. */
const FILLING = 2;

/**
 * Measures a command: the rate, and the server's CPU time per request. A busy machine affects the CPU time far less
 * than the rate. Runs are so long that the start-up time of redis-benchmark does not matter.
 * @param seconds  the minimum duration of a run, or 0 for one run of few requests
 */
function measureCommand(target: Target, scenario: Scenario, name: CommandName, seconds: number): Measured {
  // The number of SETs is fixed, so that all servers have the same number of keys.
  if (name === "GET" && seconds > 0) call(target, scenario, "SET", scenario.keys * FILLING);
  let requests = FIRST_REQUESTS;
  for (let tries = 0; ; tries++) {
    const before = cpuMicros(target.pid);
    const perSecond = call(target, scenario, name, requests);
    const cpu = (cpuMicros(target.pid) - before) / requests;
    if (requests / perSecond >= seconds || tries >= TRIES) return { perSecond, cpu };
    requests = Math.ceil(perSecond * seconds * SPARE);
  }
}

function flush({ port }: Target): void {
  execFileSync("redis-cli", ["-p", String(port), "flushall"], { stdio: "ignore" });
}

/** Runs redis-benchmark. @returns the requests per second; Infinity if they took less than a millisecond */
function call({ port }: Target, scenario: Scenario, name: CommandName, requests: number): number {
  const { clients, pipeline, bytes, keys } = scenario;
  const flags = { p: port, c: clients, P: pipeline, d: bytes, r: keys, n: requests };
  const options = Object.entries(flags).flatMap(([option, value]) => [`-${option}`, String(value)]);
  const output = execFileSync("redis-benchmark", [...options, "--csv", ...COMMANDS[name]], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const rate = /^"(?!test")[^"]*","([\d.]+|inf)"/m.exec(output)?.[1];
  if (rate === undefined) throw new Error(`redis-benchmark has printed no rate for ${name}: ${output}`);
  return rate === "inf" ? Number.POSITIVE_INFINITY : Number(rate);
}

const ROUNDS = isSmoke ? 1 : 3;
const SECONDS = isSmoke ? 0 : 2;

const usual = { clients: 50, bytes: 3, commands: COMMAND_NAMES };
const SCENARIOS: readonly Scenario[] = isSmoke
  ? [{ ...usual, pipeline: 16, keys: 1 }]
  : [
      { ...usual, pipeline: 1, keys: 100_000 },
      { ...usual, pipeline: 16, keys: 1 },
      { ...usual, pipeline: 16, keys: 100_000 },
      { ...usual, pipeline: 16, keys: 1_000_000 },
      { clients: 50, pipeline: 1, keys: 1, bytes: 65_536, commands: ["SET", "GET"] },
    ];
const RECORDED_SCENARIOS = SCENARIOS.filter(
  ({ keys, bytes }) => isSmoke || (keys === 100_000 && bytes === 3),
);

/** The name of the minimal server. Its cost is a lower bound for any Node server. It does not sort its sorted sets. */
const BARE_LOOP = "bare loop";
const BARE: readonly CommandName[] = ["SET", "GET", "INCR", "LPUSH", "HSET", "SADD"];
const GOALS = { cpu: 1.25, pipelined: 0.6, single: 0.95, recorded: 0.5 } as const;

/** The medians of each command on one server. */
type Results = ReadonlyMap<CommandName, Measured> | undefined;

/** Measures all servers in a scenario, each command on one server after the other. */
async function measureAll(targets: readonly Target[], scenario: Scenario, bare?: Target): Promise<Results[]> {
  const all = bare === undefined ? targets : [...targets, bare];
  const subjects = scenario.commands.flatMap((name) =>
    all.filter((target) => target !== bare || BARE.includes(name)).map((target) => ({ name, target })),
  );
  const last = subjects.at(-1);
  const runs = await alternate(subjects, { rounds: ROUNDS }, (subject) => {
    const measured = measureCommand(subject.target, scenario, subject.name, SECONDS);
    if (subject === last) for (const target of all) flush(target);
    return measured;
  });
  const results = all.map(() => new Map<CommandName, Measured>());
  for (const [i, { name, target }] of subjects.entries())
    results[all.indexOf(target)]?.set(name, medians(runs[i] ?? []));
  return results;
}

/** Returns the geometric mean of the known values. */
const mean = (values: readonly number[]): number => {
  const known = values.filter((value) => Number.isFinite(value) && value > 0);
  return Math.exp(known.reduce((sum, value) => sum + Math.log(value), 0) / known.length);
};

const formatted = (value: number): string => (Number.isFinite(value) ? value.toFixed(2) : "–");

const of = (results: Results, what: keyof Measured): number[] =>
  COMMAND_NAMES.map((name) => results?.get(name)?.[what] ?? Number.NaN);

/** Returns a row with the CPU times of a server. */
const costRow = (scenario: Scenario, side: string, results: Results): string[] => [
  ...[nameOf(scenario), side, "", ""],
  ...of(results, "cpu").map(formatted),
];

/** Returns a row with what the second server takes relative to the first: its rates, or its CPU times. */
function ratioRow(
  what: keyof Measured,
  scenario: Scenario,
  side: string,
  [first, second]: readonly Results[],
  verdict: (ratios: readonly number[]) => string = () => "",
): string[] {
  const others = of(first, what);
  const ratios = of(second, what).map((value, i) => value / (others[i] as number));
  return [nameOf(scenario), side, formatted(mean(ratios)), verdict(ratios), ...ratios.map(formatted)];
}

const nameOf = ({ clients, pipeline, bytes, keys }: Scenario): string =>
  `-c ${clients} -P ${pipeline} -r ${inEnglish(keys)}, ${bytes} B`;

const atLeast = (goal: number) => (ratios: readonly number[]) =>
  `≥ ${goal} (${isBusy ? "not judged: busy" : met(mean(ratios) >= goal)})`;

const atMost = (goal: number) => (ratios: readonly number[]) =>
  `≤ ${goal} (${met(ratios.every((ratio) => !(ratio > goal)))})`;

/** The rows of both tables. */
interface Tables {
  readonly rates: string[][];
  readonly costs: string[][];
}

async function alone(): Promise<Tables> {
  await using redis = await startRedis();
  await using daemon = await startFace("resp");
  await using bare = await startBareLoop();
  const { rates, costs }: Tables = { rates: [], costs: [] };
  for (const scenario of SCENARIOS) {
    const goal = scenario.pipeline > 1 ? GOALS.pipelined : GOALS.single;
    const [first, second, third] = await measureAll([redis, daemon.face], scenario, bare);
    const both = `dbsyncd ÷ ${BARE_LOOP}`;
    rates.push(
      ratioRow("perSecond", scenario, "dbsyncd", [first, second], atLeast(goal)),
      ratioRow("perSecond", scenario, BARE_LOOP, [first, third]),
      ratioRow("perSecond", scenario, both, [third, second]),
    );
    costs.push(
      costRow(scenario, "redis-server", first),
      costRow(scenario, "dbsyncd", second),
      costRow(scenario, BARE_LOOP, third),
      ratioRow("cpu", scenario, both, [third, second], atMost(GOALS.cpu)),
    );
  }
  return { rates, costs };
}

/** Measures one of three daemons with a timeline on disk, and a daemon without a timeline. */
async function recorded(): Promise<Tables> {
  await using plain = await startFace("resp");
  await using trio = await Trio.start(["--resp", "0", "--fsync", "interval=100"]);
  await authorizeDaemons(trio);
  const target = { port: await respPort(trio, 0), pid: trio.daemon(0).pid };
  await until("it accepts writes", async () => (await textOf(target.port, "SET", "key", "value")) === "OK");
  const { rates, costs }: Tables = { rates: [], costs: [] };
  for (const scenario of RECORDED_SCENARIOS) {
    const runs = await measureAll([plain.face, target], scenario);
    rates.push(ratioRow("perSecond", scenario, "with ÷ without", runs, atLeast(GOALS.recorded)));
    costs.push(costRow(scenario, "without", runs[0]), costRow(scenario, "with", runs[1]));
    costs.push(ratioRow("cpu", scenario, "with ÷ without", runs));
  }
  return { rates, costs };
}

const RATE_HEAD = ["", "", "geometric mean", "goal", ...COMMAND_NAMES];
const COST_HEAD = ["", "CPU µs per command", "geometric mean", "goal", ...COMMAND_NAMES];
const inMemory = await alone();
const withTimeline = await recorded();
report(
  "resp",
  "Redis clients",
  `redis-benchmark with redis-server 7.0 and \`dbsyncd --resp\` in turn, at least ${SECONDS} s per command and server, medians of
${ROUNDS} rounds, on ${cpus().length} cores. A load above 1 means that other programs used the cores: the rates are then unreliable and not judged;
CPU per command (of the server, including the kernel) is less affected. The bare loop (bench/bare-loop.ts) is a Node server with only a parser and a Map.
The goal relative to the bare loop applies to each command, not to the mean. The means relative to it include only the commands that it implements.

Requests per second, relative to redis-server:

${table(RATE_HEAD, inMemory.rates)}

${table(COST_HEAD, inMemory.costs)}

With \`--data\` (fsync every 100 ms) and two peers, requests per second, relative to the same daemon without them:

${table(RATE_HEAD, withTimeline.rates)}

${table(COST_HEAD, withTimeline.costs)}`,
);
