/**
 * One command on one server by redis-benchmark, long enough that its start does not count: a rate, and the server's CPU
 * per request, which a busy machine affects far less.
 */
import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { cpuSeconds } from "./daemon-cpu.js";

/** The measured server: its port, and the process whose CPU time counts. */
export interface Target {
  readonly port: number;
  readonly pid: number;
}

export interface Setting {
  readonly clients: number;
  readonly pipeline: number;
  readonly bytes: number;
  /** The number of keys, fields and members to draw from. */
  readonly keys: number;
}

export interface Measured {
  readonly perSecond: number;
  /** Microseconds of the server's CPU per request. */
  readonly cpu: number;
}

/** Commands by column name. `-t`: one of redis-benchmark's own tests. */
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

const POLL_MS = 50;
const FIRST_REQUESTS = 5_000;
/** How often a run that was too short is repeated with more requests. */
const TRIES = 4;
/** Factor for a run that ended within a millisecond. */
const LONGER = 10;
/** Factor by which a run is planned longer than required. */
const SPARE = 1.1;
/** SETs per key, which leave an eighth of the keys absent. */
const FILLING = 2;

/** Measures a command. @param seconds  minimum duration of a run; 0: one run of few requests */
export function measureCommand(
  target: Target,
  setting: Setting,
  name: CommandName,
  seconds: number,
): Measured {
  // Not limited by duration, since SETs take a different time on each server.
  if (name === "GET" && seconds > 0) call(target, setting, "SET", setting.keys * FILLING);
  let requests = FIRST_REQUESTS;
  for (let tries = 0; ; tries++) {
    const before = cpuSeconds(target.pid);
    const perSecond = call(target, setting, name, requests);
    const cpu = ((cpuSeconds(target.pid) - before) * 1e6) / requests;
    if (perSecond === Number.POSITIVE_INFINITY) {
      requests *= LONGER;
      continue;
    }
    if (requests / perSecond >= seconds || tries >= TRIES) return { perSecond, cpu };
    requests = Math.ceil(perSecond * seconds * SPARE);
  }
}

export function flush({ port }: Target): void {
  execFileSync("redis-cli", ["-p", String(port), "flushall"], { stdio: "ignore" });
}

/** Waits until a daemon with peers accepts writes, which requires their status. */
export async function untilItWrites({ port }: Target): Promise<void> {
  const set = () =>
    execFileSync("redis-cli", ["-p", String(port), "set", "key", "value"], { encoding: "utf8" });
  while (set().trim() !== "OK") await sleep(POLL_MS);
}

/** Runs redis-benchmark. @returns requests per second, infinite if it took less than a millisecond */
function call({ port }: Target, setting: Setting, name: CommandName, requests: number): number {
  const { clients, pipeline, bytes, keys } = setting;
  const given = { p: port, c: clients, P: pipeline, d: bytes, r: keys, n: requests };
  const options = Object.entries(given).flatMap(([option, value]) => [`-${option}`, String(value)]);
  const output = execFileSync("redis-benchmark", [...options, "--csv", ...COMMANDS[name]], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const rate = /^"(?!test")[^"]*","([\d.]+|inf)"/m.exec(output)?.[1];
  if (rate === undefined) throw new Error(`redis-benchmark told no rate of ${name}: ${output}`);
  return rate === "inf" ? Number.POSITIVE_INFINITY : Number(rate);
}
