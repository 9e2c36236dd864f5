/** A queue in a sorted set of Redis, by priority. */
import type { Queue } from "./queue-play.js";
import { addBy, all, BLOCK_SECONDS, claimBy, second, strings } from "./redis-claims.js";

export const sorted: Queue = {
  name: "ZPOPMIN, ZPOPMAX, BZPOPMIN and ZMPOP",
  add: (round, daemon, job) => addBy(round, daemon, ["ZADD", round.key, String(round.random.below(10)), job]),
  claim: (round, daemon) =>
    claimBy(round, daemon, [
      [["ZPOPMIN", round.key], (reply) => all(reply).slice(0, 1)],
      [["ZPOPMAX", round.key], (reply) => all(reply).slice(0, 1)],
      [["BZPOPMIN", round.key, BLOCK_SECONDS], second],
      [
        ["ZMPOP", "1", round.key, "MIN", "COUNT", "2"],
        (reply) => (reply as [string, [string, string][]])[1].map(([job]) => job),
        2,
      ],
    ]),
  async remains(round) {
    return { waiting: await strings(round, "ZRANGE", round.key, "0", "-1"), held: [], withoutData: 0 };
  },
};
