/** Calls of the commands on strings. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { FamilyGrammar, Generator } from "../grammar.js";

/** An offset or a length: near the ends of a value, or an edge case that does not create a large value. */
const offset = (g: Generator): ByteString =>
  g.chance(0.85) ? String(g.random.between(-12, 40)) : g.integer();
/** An offset to write at: one that Redis rejects, or a small one, so that values stay small. */
const writeOffset = (g: Generator): ByteString =>
  g.chance(0.85)
    ? String(g.random.between(-1, 60))
    : g.oneOf("536870912", "4294967296", "9223372036854775807", "-1", "abc", "01", "");

/** An option that sets the expiry time. */
const expiry = (g: Generator): readonly ByteString[] =>
  g.oneOf(
    ["EX", g.seconds()],
    ["PX", g.milliseconds()],
    ["EXAT", g.unixSeconds()],
    ["PXAT", g.unixMilliseconds()],
  );

const pairs = (g: Generator): ByteString[] => g.some(() => [g.key(), g.value()], 1, 4);

export const grammar: FamilyGrammar = {
  APPEND: (g) => [g.key(), g.value()],
  DECR: (g) => [g.key()],
  DECRBY: (g) => [g.key(), g.integer()],
  GET: (g) => [g.key()],
  GETDEL: (g) => [g.key()],
  GETEX: (g) => [
    g.key(),
    ...g.shuffleOptions([g.chance(0.6) ? expiry(g) : [], g.maybe(0.25, "PERSIST"), g.maybe(0.03, "KEEPTTL")]),
  ],
  GETRANGE: (g) => [g.key(), offset(g), offset(g)],
  GETSET: (g) => [g.key(), g.value()],
  INCR: (g) => [g.key()],
  INCRBY: (g) => [g.key(), g.integer()],
  INCRBYFLOAT: (g) => [g.key(), g.float()],
  LCS: (g) => [
    g.key(),
    g.key(),
    ...g.shuffleOptions([
      g.maybe(0.3, "LEN"),
      g.maybe(0.4, "IDX"),
      g.maybe(0.3, "MINMATCHLEN", g.count()),
      g.maybe(0.3, "WITHMATCHLEN"),
    ]),
  ],
  MGET: (g) => g.keys(1, 5),
  MSET: pairs,
  MSETNX: pairs,
  PSETEX: (g) => [g.key(), g.milliseconds(), g.value()],
  SET: (g) => [
    g.key(),
    g.value(),
    ...g.shuffleOptions([
      g.maybe(0.2, "NX"),
      g.maybe(0.2, "XX"),
      g.maybe(0.25, "GET"),
      g.maybe(0.1, "KEEPTTL"),
      g.chance(0.4) ? expiry(g) : [],
      g.chance(0.02) ? expiry(g) : [],
      g.maybe(0.02, "PERSIST"),
    ]),
  ],
  SETEX: (g) => [g.key(), g.seconds(), g.value()],
  SETNX: (g) => [g.key(), g.value()],
  SETRANGE: (g) => [g.key(), writeOffset(g), g.value()],
  STRLEN: (g) => [g.key()],
  SUBSTR: (g) => [g.key(), offset(g), offset(g)],
};
