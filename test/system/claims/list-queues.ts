/** Queues in lists of Redis. */
import { DAEMONS, type Round } from "./claim-rounds.js";
import type { Queue } from "./queue-play.js";
import { addBy, all, BLOCK_SECONDS, call, claimBy, one, read, second, strings } from "./redis-claims.js";

const ofMany = (reply: unknown) => (reply as [string, string[]])[1];

const dataOf = ({ key }: Round, job: string) => `${key}:data:${job}`;

async function countWithoutData(round: Round, jobs: readonly string[]): Promise<number> {
  if (jobs.length === 0) return 0;
  const found = await read(round, "EXISTS", ...jobs.map((job) => dataOf(round, job)));
  return jobs.length - Number(found);
}

/** A list from which workers pop. The data of a job is in another key. */
export const popped: Queue = {
  name: "LPOP, RPOP, BLPOP and LMPOP",
  add: (round, daemon, job) =>
    addBy(round, daemon, ["SET", dataOf(round, job), "data"], ["RPUSH", round.key, job]),
  claim: (round, daemon) =>
    claimBy(round, daemon, [
      [["LPOP", round.key], one],
      [["RPOP", round.key], one],
      [["LPOP", round.key, "2"], all, 2],
      [["BLPOP", round.key, BLOCK_SECONDS], second],
      [["LMPOP", "1", round.key, "LEFT", "COUNT", "2"], ofMany, 2],
    ]),
  async finish(round, daemon, job) {
    await call(round, daemon, "DEL", dataOf(round, job));
  },
  async remains(round) {
    const waiting = await strings(round, "LRANGE", round.key, "0", "-1");
    return { waiting, held: [], withoutData: await countWithoutData(round, waiting) };
  },
};

const activeOf = ({ key }: Round, daemon: number) => `${key}:active:${daemon}`;

/** A list from which workers move jobs into a list of their own, until the work is done. */
export const moved: Queue = {
  name: "LMOVE, RPOPLPUSH and BLMOVE",
  add: (round, daemon, job) =>
    addBy(round, daemon, ["SET", dataOf(round, job), "data"], ["LPUSH", round.key, job]),
  claim(round, daemon) {
    const active = activeOf(round, daemon);
    return claimBy(round, daemon, [
      [["LMOVE", round.key, active, "RIGHT", "LEFT"], one],
      [["RPOPLPUSH", round.key, active], one],
      [["BLMOVE", round.key, active, "RIGHT", "LEFT", BLOCK_SECONDS], one],
      [["BRPOPLPUSH", round.key, active, BLOCK_SECONDS], one],
    ]);
  },
  async finish(round, daemon, job) {
    await call(round, daemon, "LREM", activeOf(round, daemon), "1", job);
    await call(round, daemon, "DEL", dataOf(round, job));
  },
  async remains(round) {
    const waiting = await strings(round, "LRANGE", round.key, "0", "-1");
    const held = await Promise.all(
      DAEMONS.map((daemon) => strings(round, "LRANGE", activeOf(round, daemon), "0", "-1")),
    );
    return { waiting, held, withoutData: await countWithoutData(round, waiting) };
  },
};

/** Pops a job, and stores its worker in a hash, as libraries do. */
const SCRIPT = `local job = redis.call('RPOP', KEYS[1])
  if job then redis.call('HSET', KEYS[2], job, ARGV[1]) end
  return job or nil`;

export const scripted: Queue = {
  name: "RPOP in a script",
  add: (round, daemon, job) => addBy(round, daemon, ["LPUSH", round.key, job]),
  claim: (round, daemon) =>
    claimBy(round, daemon, [[["EVAL", SCRIPT, "2", round.key, `${round.key}:active`, String(daemon)], one]]),
  async finish(round, daemon, job) {
    await call(round, daemon, "HDEL", `${round.key}:active`, job);
  },
  async remains(round) {
    const waiting = await strings(round, "LRANGE", round.key, "0", "-1");
    return { waiting, held: [], withoutData: 0 };
  },
};
