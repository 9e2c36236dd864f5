/**
 * Measures one command on one server with redis-benchmark: the rate, and the server's CPU time per request. A busy
 * machine affects the CPU time far less than the rate. Runs are so long that the start-up time of redis-benchmark does
 * not matter.
 */
import { execFileSync } from "node:child_process";
import { textOf } from "../test/support/redis-connection.js";
import { until } from "../test/support/until.js";
import { cpuSeconds } from "./daemon-cpu.js";

/** The measured server: its port, and the process whose CPU time is measured. */
export interface Target {
  readonly port: number;
  readonly pid: number;
}

export interface Setting {
  readonly clients: number;
  readonly pipeline: number;
  readonly bytes: number;
  /** The number of different keys, fields and members. */
  readonly keys: number;
}

export type Measured = {
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
export type CommandName = keyof typeof COMMANDS;
export const COMMAND_NAMES = Object.keys(COMMANDS) as readonly CommandName[];

const FIRST_REQUESTS = 5_000;
/** The maximum number of times that a run that was too short is repeated with more requests. */
const TRIES = 4;
/** The factor for the number of requests after a run of less than a millisecond. */
const GROWTH_FACTOR = 10;
/** A repeated run is planned to take the required time multiplied by this factor. */
const SPARE = 1.1;
/** The number of SETs per key. With random keys, about an eighth of the keys remain absent. */
const FILLING = 2;

/** Measures a command. @param seconds  the minimum duration of a run, or 0 for one run of few requests */
export function measureCommand(
  target: Target,
  setting: Setting,
  name: CommandName,
  seconds: number,
): Measured {
  // The number of SETs is fixed, so that all servers have the same number of keys.
  if (name === "GET" && seconds > 0) call(target, setting, "SET", setting.keys * FILLING);
  let requests = FIRST_REQUESTS;
  for (let tries = 0; ; tries++) {
    const before = cpuSeconds(target.pid);
    const perSecond = call(target, setting, name, requests);
    const cpu = ((cpuSeconds(target.pid) - before) * 1e6) / requests;
    if (perSecond === Number.POSITIVE_INFINITY) {
      requests *= GROWTH_FACTOR;
      continue;
    }
    if (requests / perSecond >= seconds || tries >= TRIES) return { perSecond, cpu };
    requests = Math.ceil(perSecond * seconds * SPARE);
  }
}

export function flush({ port }: Target): void {
  execFileSync("redis-cli", ["-p", String(port), "flushall"], { stdio: "ignore" });
}

/** Waits until a daemon with peers accepts writes, which it does once it knows the status of its peers. */
export async function waitUntilWritable({ port }: Target): Promise<void> {
  await until("the daemon accepts writes", async () => (await textOf(port, "SET", "key", "value")) === "OK");
}

/** Runs redis-benchmark. @returns the requests per second, infinite for a run of less than a millisecond */
function call({ port }: Target, setting: Setting, name: CommandName, requests: number): number {
  const { clients, pipeline, bytes, keys } = setting;
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
