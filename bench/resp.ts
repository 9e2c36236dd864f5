/**
 * Measures the RESP listener with redis-benchmark. The first part compares a daemon in memory with redis-server and
 * with a minimal Node server (bare-loop.ts), in turn. The second part compares a daemon that has `--data` and two
 * peers with a daemon in memory that has no peers. Each command runs for 2 s on each server. `--rounds N` prints
 * medians of N rounds. `--smoke` measures only one setting and takes a few seconds.
 */

import { execFileSync } from "node:child_process";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { textOf } from "../test/support/redis-connection.js";
import { startRedis } from "../test/support/redis-server.js";
import { authorizeDaemons, respPort } from "../test/support/resp-trio.js";
import { Trio } from "../test/support/trio.js";
import { until } from "../test/support/until.js";
import { alternate, isBusy, isSmoke, medians, met, report, table } from "./measure.js";
import { startBareLoop, startFace } from "./servers.js";
import { cpuMicros } from "./usage.js";

/** The measured server: its port, and the process whose CPU time is measured. */
interface Target {
  readonly port: number;
  readonly pid: number;
}

interface Setting {
  readonly clients: number;
  readonly pipeline: number;
  readonly bytes: number;
  /** The number of different keys, fields and members. */
  readonly keys: number;
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
 * Measures a command: the rate, and the server's CPU time per request. A busy machine affects the CPU time far less than
 * the rate. Runs are so long that the start-up time of redis-benchmark does not matter.
 * @param seconds  the minimum duration of a run, or 0 for one run of few requests
 */
function measureCommand(target: Target, setting: Setting, name: CommandName, seconds: number): Measured {
  // The number of SETs is fixed, so that all servers have the same number of keys.
  if (name === "GET" && seconds > 0) call(target, setting, "SET", setting.keys * FILLING);
  let requests = FIRST_REQUESTS;
  for (let tries = 0; ; tries++) {
    const before = cpuMicros(target.pid);
    const perSecond = call(target, setting, name, requests);
    const cpu = (cpuMicros(target.pid) - before) / requests;
    if (requests / perSecond >= seconds || tries >= TRIES) return { perSecond, cpu };
    requests = Math.ceil(perSecond * seconds * SPARE);
  }
}

function flush({ port }: Target): void {
  execFileSync("redis-cli", ["-p", String(port), "flushall"], { stdio: "ignore" });
}

/** Runs redis-benchmark. @returns the requests per second */
function call({ port }: Target, setting: Setting, name: CommandName, requests: number): number {
  const { clients, pipeline, bytes, keys } = setting;
  const flags = { p: port, c: clients, P: pipeline, d: bytes, r: keys, n: requests };
  const options = Object.entries(flags).flatMap(([option, value]) => [`-${option}`, String(value)]);
  const output = execFileSync("redis-benchmark", [...options, "--csv", ...COMMANDS[name]], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const rate = /^"(?!test")[^"]*","([\d.]+)"/m.exec(output)?.[1];
  if (rate === undefined) throw new Error(`redis-benchmark has printed no rate for ${name}: ${output}`);
  return Number(rate);
}

const { values } = parseArgs({ options: { rounds: { type: "string" }, smoke: { type: "boolean" } } });
const ROUNDS = Number(values.rounds ?? (isSmoke ? 1 : 3));
const SECONDS = isSmoke ? 0 : 2;

interface Scenario extends Setting {
  readonly commands: readonly CommandName[];
}

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
type Results = ReadonlyMap<CommandName, Measured>;

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
  const middle = runs.map(medians);
  return all.map((target) => {
    const entries = subjects.map((subject, i) => ({ ...subject, measured: middle[i] as Measured }));
    return new Map(
      entries.filter((entry) => entry.target === target).map(({ name, measured }) => [name, measured]),
    );
  });
}

/** Returns the geometric mean of the known values. */
const mean = (values: readonly number[]): number => {
  const known = values.filter((value) => Number.isFinite(value) && value > 0);
  return Math.exp(known.reduce((sum, value) => sum + Math.log(value), 0) / known.length);
};

const formatted = (value: number): string => (Number.isFinite(value) ? value.toFixed(2) : "–");

const of = (results: Results | undefined, what: keyof Measured): number[] =>
  COMMAND_NAMES.map((name) => results?.get(name)?.[what] ?? Number.NaN);

/** The rows of both tables for one scenario. */
class Rows {
  readonly rates: string[][] = [];
  readonly cpu: string[][] = [];

  #name({ clients, pipeline, bytes, keys }: Setting): string {
    return `-c ${clients} -P ${pipeline} -r ${keys.toLocaleString("en")}, ${bytes} B`;
  }

  /** Adds a row with the rates of the second server, relative to those of the first. */
  addRate(
    scenario: Scenario,
    side: string,
    [first, second]: readonly (Results | undefined)[],
    goal?: number,
  ) {
    const others = of(first, "perSecond");
    const ratios = of(second, "perSecond").map((rate, i) => rate / (others[i] as number));
    const verdict = isBusy ? "not judged: busy" : met(mean(ratios) >= (goal ?? 0));
    const cell = goal === undefined ? "" : `≥ ${goal} (${verdict})`;
    this.rates.push([this.#name(scenario), side, formatted(mean(ratios)), cell, ...ratios.map(formatted)]);
  }

  /** Adds a row with the CPU times of a server. */
  addCost(scenario: Scenario, side: string, results: Results | undefined) {
    this.cpu.push([this.#name(scenario), side, "", "", ...of(results, "cpu").map(formatted)]);
  }

  /** Adds a row with the CPU times of the second server as multiples of those of the first. */
  addMultiple(scenario: Scenario, side: string, [first, second]: readonly (Results | undefined)[]) {
    const others = of(first, "cpu");
    const ratios = of(second, "cpu").map((cost, i) => cost / (others[i] as number));
    const highest = Math.max(...ratios.filter(Number.isFinite));
    const verdict = side.endsWith(BARE_LOOP) ? `≤ ${GOALS.cpu} (${met(highest <= GOALS.cpu)})` : "";
    this.cpu.push([this.#name(scenario), side, formatted(mean(ratios)), verdict, ...ratios.map(formatted)]);
  }
}

async function alone(): Promise<Rows> {
  await using redis = await startRedis();
  await using daemon = await startFace("resp");
  await using bare = await startBareLoop();
  const rows = new Rows();
  for (const scenario of SCENARIOS) {
    const goal = scenario.pipeline > 1 ? GOALS.pipelined : GOALS.single;
    const ours = { port: daemon.facePort, pid: daemon.pid };
    const [first, second, third] = await measureAll([redis, ours], scenario, bare);
    rows.addRate(scenario, "dbsyncd", [first, second], goal);
    rows.addRate(scenario, BARE_LOOP, [first, third]);
    rows.addRate(scenario, `dbsyncd ÷ ${BARE_LOOP}`, [third, second]);
    rows.addCost(scenario, "redis-server", first);
    rows.addCost(scenario, "dbsyncd", second);
    rows.addCost(scenario, BARE_LOOP, third);
    rows.addMultiple(scenario, `dbsyncd ÷ ${BARE_LOOP}`, [third, second]);
  }
  return rows;
}

/** Measures one of three daemons with a timeline on disk, and a daemon without a timeline. */
async function recorded(): Promise<Rows> {
  await using plain = await startFace("resp");
  await using trio = await Trio.start(["--resp", "0", "--fsync", "interval=100"]);
  await authorizeDaemons(trio);
  const target = { port: await respPort(trio, 0), pid: trio.daemon(0).pid };
  await until("it accepts writes", async () => (await textOf(target.port, "SET", "key", "value")) === "OK");
  const rows = new Rows();
  for (const scenario of RECORDED_SCENARIOS) {
    const runs = await measureAll([{ port: plain.facePort, pid: plain.pid }, target], scenario);
    rows.addRate(scenario, "with ÷ without", runs, GOALS.recorded);
    rows.addCost(scenario, "without", runs[0]);
    rows.addCost(scenario, "with", runs[1]);
    rows.addMultiple(scenario, "with ÷ without", runs);
  }
  return rows;
}

const RATE_HEAD = ["", "", "geometric mean", "goal", ...COMMAND_NAMES];
const COST_HEAD = ["", "CPU µs per command", "geometric mean", "goal", ...COMMAND_NAMES];
const inMemory = await alone();
const withTimeline = await recorded();
report(
  "resp",
  "Redis clients",
  `redis-benchmark with redis-server 7.0 and \`dbsyncd --resp\` in turn, at least ${SECONDS} s per command and server, medians of
${ROUNDS} round${ROUNDS > 1 ? "s" : ""}, on ${cpus().length} cores. A load above 1 means that other programs used the cores: the rates are then unreliable and not judged;
CPU per command (of the server, including the kernel) is less affected. The bare loop (bench/bare-loop.ts) is a Node server with only a parser and a Map.
The goal relative to the bare loop applies to each command, not to the mean. The means relative to it include only the commands that it implements.

Requests per second, relative to redis-server:

${table(RATE_HEAD, inMemory.rates)}

${table(COST_HEAD, inMemory.cpu)}

With \`--data\` (fsync every 100 ms) and two peers, requests per second, relative to the same daemon without them:

${table(RATE_HEAD, withTimeline.rates)}

${table(COST_HEAD, withTimeline.cpu)}`,
);
