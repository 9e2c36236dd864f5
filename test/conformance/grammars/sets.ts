/** Calls of the commands on sets. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { FamilyGrammar, Generator } from "../grammar.js";

const members = (g: Generator, max = 6): ByteString[] => g.some(() => g.member(), 1, max);

/** Keys preceded by their number, which is sometimes wrong. */
const countedKeys = (g: Generator): ByteString[] => {
  const keys = g.keys(1, 3);
  const count = g.chance(0.9) ? String(keys.length) : g.oneOf(g.count(), String(keys.length + 1), "0", "-1");
  return [count, ...keys];
};

/** Returns a LIMIT, which may be invalid, in half of the cases. */
const limit = (g: Generator): readonly ByteString[] => g.maybe(0.5, "LIMIT", g.count());

/** A count of either sign, but no number of repetitions that would exhaust the memory. */
const signedCount = (g: Generator): ByteString =>
  g.chance(0.85)
    ? String(g.random.between(-12, 12))
    : g.oneOf(
        "-9223372036854775808",
        "9223372036854775807",
        "-9223372036854775809",
        "abc",
        "1.0",
        "",
        "-0",
        "01",
      );

export const grammar: FamilyGrammar = {
  SADD: (g) => [g.key(), ...members(g, 8)],
  SCARD: (g) => [g.key()],
  SDIFF: (g) => g.keys(1, 4),
  SDIFFSTORE: (g) => [g.key(), ...g.keys(1, 4)],
  SINTER: (g) => g.keys(1, 3),
  SINTERCARD: (g) => [
    ...countedKeys(g),
    ...g.shuffleOptions([limit(g), g.chance(0.05) ? limit(g) : [], g.maybe(0.03, "LIMIT")]),
  ],
  SINTERSTORE: (g) => [g.key(), ...g.keys(1, 3)],
  SISMEMBER: (g) => [g.key(), g.member()],
  SMEMBERS: (g) => [g.key()],
  SMISMEMBER: (g) => [g.key(), ...members(g)],
  SMOVE: (g) => [g.key(), g.key(), g.member()],
  SPOP: (g) => [g.key(), ...g.maybe(0.6, g.count()), ...g.maybe(0.03, g.count())],
  SRANDMEMBER: (g) => [g.key(), ...g.maybe(0.7, signedCount(g)), ...g.maybe(0.03, "1")],
  SREM: (g) => [g.key(), ...members(g)],
  SSCAN: (g) => [
    g.key(),
    g.cursor(),
    ...g.shuffleOptions([
      g.maybe(0.4, "MATCH", g.pattern()),
      g.maybe(0.4, "COUNT", g.count()),
      g.maybe(0.03, "TYPE", "set"),
      g.maybe(0.02, "COUNT"),
    ]),
  ],
  SUNION: (g) => g.keys(1, 4),
  SUNIONSTORE: (g) => [g.key(), ...g.keys(1, 4)],
};
