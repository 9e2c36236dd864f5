/** Calls of the commands on hashes. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { FamilyGrammar, Generator } from "../grammar.js";

/** Pairs of field and value, sometimes enough to make Redis change its encoding. */
const pairs = (g: Generator): ByteString[] =>
  g.some(() => [g.chance(0.5) ? g.field() : g.integer(), g.value()], 1, g.chance(0.05) ? 150 : 5);

/** Number of fields to choose, with at most as many repetitions as redis-server accepts. */
const choices = (g: Generator): ByteString => {
  const count = g.chance(0.8) ? String(g.random.between(-8, 12)) : g.integer();
  return count === "-9223372036854775807" ? "-4611686018427387904" : count;
};

export const grammar: FamilyGrammar = {
  HDEL: (g) => [g.key(), ...g.some(() => g.field(), 1, 4)],
  HEXISTS: (g) => [g.key(), g.field()],
  HGET: (g) => [g.key(), g.field()],
  HGETALL: (g) => [g.key()],
  HINCRBY: (g) => [g.key(), g.field(), g.integer()],
  HINCRBYFLOAT: (g) => [g.key(), g.field(), g.float()],
  HKEYS: (g) => [g.key()],
  HLEN: (g) => [g.key()],
  HMGET: (g) => [g.key(), ...g.some(() => g.field(), 1, 4)],
  HMSET: (g) => [g.key(), ...pairs(g)],
  HRANDFIELD: (g) => [
    g.key(),
    ...(g.chance(0.75) ? [choices(g), ...g.maybe(0.5, g.caseOf("WITHVALUES"))] : []),
  ],
  HSCAN: (g) => [
    g.key(),
    g.cursor(),
    ...g.shuffleOptions([
      g.maybe(0.4, "MATCH", g.pattern()),
      g.maybe(0.4, "COUNT", g.count()),
      g.maybe(0.03, "TYPE", "hash"),
    ]),
  ],
  HSET: (g) => [g.key(), ...pairs(g)],
  HSETNX: (g) => [g.key(), g.field(), g.value()],
  HSTRLEN: (g) => [g.key(), g.field()],
  HVALS: (g) => [g.key()],
};
