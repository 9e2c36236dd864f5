/** Calls of the commands on sorted sets. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { FamilyGrammar, Generator } from "../grammar.js";

const members = (g: Generator, max = 5): ByteString[] => g.some(() => g.member(), 1, max);

/** Pairs of score and member, often all with one score, so that ranges of members are defined. */
const pairs = (g: Generator): ByteString[] => {
  const score = g.chance(0.35) ? g.oneOf("0", "1", "-0") : undefined;
  return g.some(() => [score ?? g.score(), g.member()], 1, 8);
};

/** Keys preceded by their number, which is sometimes wrong; usually sorted sets, sometimes sets. */
const countedKeys = (g: Generator): ByteString[] => {
  const keys = g.some(() => g.key(g.chance(0.85) ? "zset" : "set"), 1, 3);
  const count = g.chance(0.92) ? String(keys.length) : g.oneOf(g.count(), String(keys.length + 1), "0", "-1");
  return [count, ...keys];
};

const weights = (g: Generator, count: number): ByteString[] => [
  "WEIGHTS",
  ...g.some(() => (g.chance(0.7) ? g.oneOf("1", "2", "-1", "0.5", "0") : g.score()), count, count),
];

/** Keys and the options that may follow them. */
const combination = (g: Generator, options: readonly ("weights" | "scores")[]): ByteString[] => {
  const keys = countedKeys(g);
  const mayWeigh = options.includes("weights");
  return [
    ...keys,
    ...g.shuffleOptions([
      g.chance(mayWeigh ? 0.4 : 0.03) ? weights(g, keys.length - 1) : [],
      g.maybe(mayWeigh ? 0.4 : 0.03, "AGGREGATE", g.oneOf("SUM", "MIN", "MAX", "min", "avg")),
      g.maybe(options.includes("scores") ? 0.6 : 0.03, "WITHSCORES"),
      g.maybe(0.02, "LIMIT", "1"),
    ]),
  ];
};

const limit = (g: Generator): readonly ByteString[] => [
  "LIMIT",
  g.index(),
  g.oneOf("-1", g.count(), g.index()),
];

/** Two bounds of a kind; sometimes the kinds are mixed. */
const ends = (g: Generator, kind: "rank" | "score" | "lex"): ByteString[] => {
  const end = {
    rank: () => g.index(),
    score: () => (g.chance(0.3) ? g.oneOf("-inf", "+inf") : g.scoreBound()),
    lex: () => g.lexBound(),
  }[g.chance(0.97) ? kind : g.oneOf("rank", "score", "lex")];
  return [end(), end()];
};

/** Bounds and options of ZRANGE and ZRANGESTORE. */
const range = (g: Generator, scores: number): ByteString[] => {
  const kind = g.oneOf("rank" as const, "score" as const, "lex" as const);
  const by = kind === "rank" ? [] : [kind === "lex" ? "BYLEX" : "BYSCORE"];
  return [
    ...ends(g, kind),
    ...g.shuffleOptions([
      by,
      g.maybe(0.35, "REV"),
      g.chance(kind === "rank" ? 0.05 : 0.4) ? limit(g) : [],
      g.maybe(kind === "lex" ? 0.05 : scores, "WITHSCORES"),
      g.maybe(0.02, "BYLEX"),
      g.maybe(0.02, "LIMIT", "1"),
    ]),
  ];
};

/** Bounds and options of the older commands. */
const oldRange = (g: Generator, kind: "rank" | "score" | "lex"): ByteString[] => [
  ...ends(g, kind),
  ...g.shuffleOptions([
    g.chance(kind === "rank" ? 0.05 : 0.4) ? limit(g) : [],
    g.maybe(kind === "lex" ? 0.05 : 0.5, "WITHSCORES"),
    g.maybe(0.02, "REV"),
    g.maybe(0.02, "BYSCORE"),
  ]),
];

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

const multiplePop = (g: Generator): ByteString[] => [
  ...countedKeys(g),
  ...g.maybe(0.97, g.caseOf(g.oneOf("MIN", "MAX"))),
  ...g.shuffleOptions([
    g.maybe(0.5, "COUNT", g.count()),
    g.maybe(0.03, "COUNT", "1"),
    g.maybe(0.02, "LIMIT"),
  ]),
];

const blockingPop = (g: Generator): ByteString[] => [...g.keys(1, 3), g.timeout()];

export const grammar: FamilyGrammar = {
  BZMPOP: (g) => [g.timeout(), ...multiplePop(g)],
  BZPOPMAX: blockingPop,
  BZPOPMIN: blockingPop,
  ZADD: (g) => [
    g.key(),
    ...g.shuffleOptions([
      g.maybe(0.12, "NX"),
      g.maybe(0.12, "XX"),
      g.maybe(0.12, "GT"),
      g.maybe(0.12, "LT"),
      g.maybe(0.25, "CH"),
      g.maybe(0.08, "INCR"),
    ]),
    ...(g.chance(0.15) ? [g.score(), g.member()] : pairs(g)),
    ...g.maybe(0.02, "CH"),
  ],
  ZCARD: (g) => [g.key()],
  ZINCRBY: (g) => [g.key(), g.chance(0.04) ? "NX" : g.score(), g.member()],
  ZMPOP: multiplePop,
  ZMSCORE: (g) => [g.key(), ...members(g)],
  ZPOPMAX: (g) => [g.key(), ...g.maybe(0.5, g.count()), ...g.maybe(0.03, "1")],
  ZPOPMIN: (g) => [g.key(), ...g.maybe(0.5, g.count()), ...g.maybe(0.03, "1")],
  ZRANDMEMBER: (g) => [
    g.key(),
    ...(g.chance(0.75)
      ? [signedCount(g), ...g.maybe(0.5, g.caseOf("WITHSCORES")), ...g.maybe(0.03, g.value())]
      : []),
  ],
  ZRANK: (g) => [g.key(), g.member()],
  ZREM: (g) => [g.key(), ...members(g)],
  ZREVRANK: (g) => [g.key(), g.member()],
  ZSCAN: (g) => [
    g.key(),
    g.cursor(),
    ...g.shuffleOptions([
      g.maybe(0.4, "MATCH", g.pattern()),
      g.maybe(0.4, "COUNT", g.count()),
      g.maybe(0.03, "TYPE", "zset"),
      g.maybe(0.02, "COUNT"),
    ]),
  ],
  ZSCORE: (g) => [g.key(), g.member()],
  ZCOUNT: (g) => [g.key(), ...ends(g, "score")],
  ZLEXCOUNT: (g) => [g.key(), ...ends(g, "lex")],
  ZRANGE: (g) => [g.key(), ...range(g, 0.5)],
  ZRANGEBYLEX: (g) => [g.key(), ...oldRange(g, "lex")],
  ZRANGEBYSCORE: (g) => [g.key(), ...oldRange(g, "score")],
  ZRANGESTORE: (g) => [g.key(), g.key(), ...range(g, 0.03)],
  ZREMRANGEBYLEX: (g) => [g.key(), ...ends(g, "lex")],
  ZREMRANGEBYRANK: (g) => [g.key(), ...ends(g, "rank")],
  ZREMRANGEBYSCORE: (g) => [g.key(), ...ends(g, "score")],
  ZREVRANGE: (g) => [g.key(), ...oldRange(g, "rank")],
  ZREVRANGEBYLEX: (g) => [g.key(), ...oldRange(g, "lex")],
  ZREVRANGEBYSCORE: (g) => [g.key(), ...oldRange(g, "score")],
  ZDIFF: (g) => combination(g, ["scores"]),
  ZDIFFSTORE: (g) => [g.key(), ...combination(g, [])],
  ZINTER: (g) => combination(g, ["weights", "scores"]),
  ZINTERCARD: (g) => [...countedKeys(g), ...g.maybe(0.5, "LIMIT", g.count()), ...g.maybe(0.03, "WITHSCORES")],
  ZINTERSTORE: (g) => [g.key(), ...combination(g, ["weights"])],
  ZUNION: (g) => combination(g, ["weights", "scores"]),
  ZUNIONSTORE: (g) => [g.key(), ...combination(g, ["weights"])],
};
