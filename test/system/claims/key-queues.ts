/** Queues in a set and in single keys of Redis. */
import { jobsOf, type Queue } from "./queue-play.js";
import { addBy, all, claimBy, one, strings } from "./redis-claims.js";

export const drawn: Queue = {
  name: "SPOP",
  add: (round, daemon, job) => addBy(round, daemon, ["SADD", round.key, job]),
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
  add: (round, daemon, job) => addBy(round, daemon, ["SET", `${round.key}:${job}`, job]),
  claim(round, daemon) {
    return claimBy(round, daemon, [[["GETDEL", `${round.key}:${round.random.oneOf(jobsOf(round))}`], one]]);
  },
  async remains(round) {
    const values = await strings(round, "MGET", ...jobsOf(round).map((job) => `${round.key}:${job}`));
    return { waiting: values.filter((value) => value !== null), held: [], withoutData: 0 };
  },
};
