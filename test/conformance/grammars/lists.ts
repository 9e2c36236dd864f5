/** Calls of the commands on lists. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { FamilyGrammar, Generator } from "../grammar.js";

/** Elements, sometimes enough to make Redis change its encoding. */
const elements = (g: Generator): ByteString[] => g.some(() => g.member(), 1, g.chance(0.05) ? 150 : 10);
const pushed = (g: Generator): ByteString[] => [g.key(), ...elements(g)];
const popped = (g: Generator): ByteString[] => [g.key(), ...g.maybe(0.5, g.count())];
const end = (g: Generator): ByteString => (g.chance(0.97) ? g.caseOf(g.oneOf("LEFT", "RIGHT")) : "MIDDLE");

/** A rank, except the one that redis-server 7.0 cannot negate. */
const rank = (g: Generator): ByteString => {
  const number = g.chance(0.85) ? String(g.random.between(-3, 3)) : g.integer();
  return number === "-9223372036854775808" ? "-9223372036854775807" : number;
};

const listsToPop = (g: Generator): ByteString[] => {
  const keys = g.keys(1, 3);
  return [g.chance(0.93) ? String(keys.length) : g.integer(), ...keys];
};

const multiplePop = (g: Generator): ByteString[] => [
  ...listsToPop(g),
  end(g),
  ...g.shuffleOptions([g.maybe(0.5, "COUNT", g.count()), g.maybe(0.03, "COUNT", g.count())]),
];

const blockingPop = (g: Generator): ByteString[] => [...g.keys(1, 3), g.timeout()];

export const grammar: FamilyGrammar = {
  BLMOVE: (g) => [g.key(), g.key(), end(g), end(g), g.timeout()],
  BLMPOP: (g) => [g.timeout(), ...multiplePop(g)],
  BLPOP: blockingPop,
  BRPOP: blockingPop,
  BRPOPLPUSH: (g) => [g.key(), g.key(), g.timeout()],
  LINDEX: (g) => [g.key(), g.index()],
  LINSERT: (g) => [
    g.key(),
    g.chance(0.97) ? g.caseOf(g.oneOf("BEFORE", "AFTER")) : "BESIDE",
    g.member(),
    g.member(),
  ],
  LLEN: (g) => [g.key()],
  LMOVE: (g) => [g.key(), g.key(), end(g), end(g)],
  LMPOP: multiplePop,
  LPOP: popped,
  LPOS: (g) => [
    g.key(),
    g.member(),
    ...g.shuffleOptions([
      g.maybe(0.4, "RANK", rank(g)),
      g.maybe(0.4, "COUNT", g.count()),
      g.maybe(0.3, "MAXLEN", g.count()),
      g.maybe(0.03, "COUNT", g.count()),
    ]),
  ],
  LPUSH: pushed,
  LPUSHX: pushed,
  LRANGE: (g) => [g.key(), g.index(), g.index()],
  LREM: (g) => [g.key(), g.chance(0.85) ? String(g.random.between(-2, 2)) : g.integer(), g.member()],
  LSET: (g) => [g.key(), g.index(), g.member()],
  LTRIM: (g) => [g.key(), g.index(), g.index()],
  RPOP: popped,
  RPOPLPUSH: (g) => [g.key(), g.key()],
  RPUSH: pushed,
  RPUSHX: pushed,
};
