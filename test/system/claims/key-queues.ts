/** Queues in a set and in single keys of Redis. */
import type { Queue } from "./queue-play.js";
import { all, claimBy, isAcknowledged, one, strings } from "./redis-claims.js";

export const drawn: Queue = {
  name: "SPOP",
  add: (round, daemon, job) => isAcknowledged(round, daemon, ["SADD", round.key, job]),
  claim: (round, daemon) =>
    claimBy(round, daemon, [
      [["SPOP", round.key], one],
      [["SPOP", round.key, "2"], all, 2],
    ]),
  async remains(round) {
    return { waiting: await strings(round, "SMEMBERS", round.key), held: [], withoutData: 0 };
  },
};

/** A key per job. A worker may claim a key before its daemon has received the job. */
export const keys: Queue = {
  name: "GETDEL",
  add: (round, daemon, job) => isAcknowledged(round, daemon, ["SET", `${round.key}:${job}`, job]),
  claim(round, daemon) {
    const key = `${round.key}:${round.number}-${round.random.below(round.jobs)}`;
    return claimBy(round, daemon, [[["GETDEL", key], one]]);
  },
  async remains(round) {
    const names = Array.from({ length: round.jobs }, (_, job) => `${round.key}:${round.number}-${job}`);
    const values = await strings(round, "MGET", ...(names as [string]));
    return { waiting: values.filter((value) => value !== null), held: [], withoutData: 0 };
  },
};
