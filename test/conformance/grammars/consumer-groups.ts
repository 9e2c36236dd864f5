/** Calls of the commands on consumer groups, which belong to the streams' family. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { FamilyGrammar, Generator } from "../grammar.js";

/** One of a few keys, so that they collide. */
const key = (g: Generator): ByteString => (g.chance(0.5) ? "m:1" : g.key());
const group = (g: Generator): ByteString => (g.chance(0.97) ? g.oneOf("g", "g", "g", "h") : g.value());
const consumer = (g: Generator): ByteString =>
  g.chance(0.97) ? g.oneOf("c", "d", "STREAMS") : g.oneOf("", "e\x00f", "GROUP", g.value());

/** An entry's id: usually one that XADD creates for `*` or `ms-*`. */
const id = (g: Generator): ByteString => {
  const kind = g.random.below(20);
  if (kind < 9) return `${g.now}-${g.random.below(9)}`;
  if (kind < 12) return `${g.random.below(6)}-0`;
  if (kind < 18) return `5-${g.random.below(6)}`;
  return kind < 19
    ? String(g.random.below(40))
    : g.oneOf("-", "+", "$", ">", "abc", "1-1-1", "0-0", String(g.now));
};

const start = (g: Generator): ByteString => {
  const kind = g.random.below(10);
  if (kind < 5) return g.oneOf("0", "-", "0-0");
  return kind < 7 ? `(${id(g)}` : id(g);
};
const end = (g: Generator): ByteString => (g.chance(0.6) ? "+" : start(g));

/** An idle time: 0, invalid, or much longer than a run takes. */
const idle = (g: Generator): ByteString => g.oneOf("0", "0", "0", "500000", "500000", "-1", "abc");
const count = (g: Generator): ByteString =>
  g.chance(0.9) ? String(1 + g.random.below(4)) : g.oneOf("0", "-1", "abc", "1000");

const counter = (g: Generator): ByteString =>
  g.chance(0.8) ? String(g.random.below(12)) : g.oneOf("-1", "-2", "abc", "9223372036854775807");

export const grammar: FamilyGrammar = {
  XACK: (g) => [key(g), group(g), ...g.some(() => id(g), 1, 4)],
  XAUTOCLAIM: (g) => [
    ...[key(g), group(g), consumer(g), idle(g), start(g)],
    ...g.shuffleOptions([g.maybe(0.4, "COUNT", count(g)), g.maybe(0.2, "JUSTID")]),
    ...g.maybe(0.03, g.oneOf("COUNT", "abc")),
  ],
  XCLAIM: (g) => [
    ...[key(g), group(g), consumer(g), idle(g)],
    ...g.some(() => id(g), g.chance(0.97) ? 1 : 0, 4),
    ...g.shuffleOptions([
      g.maybe(0.3, "IDLE", g.oneOf("0", "1000000", "100000000", "-1", "9223372036854775807", "abc")),
      g.maybe(0.2, "TIME", g.oneOf("0", "5", String(g.now - 1_000_000), "9223372036854775807", "-5", "abc")),
      g.maybe(0.2, "RETRYCOUNT", g.oneOf("0", "7", "-1", "9007199254740990", "abc")),
      g.maybe(0.4, "FORCE"),
      g.maybe(0.2, "JUSTID"),
      g.maybe(0.1, "LASTID", id(g)),
    ]),
    ...g.maybe(0.03, g.oneOf("IDLE", "LASTID", "abc\r\n")),
  ],
  XGROUP: () => [],
  "XGROUP|CREATE": (g) => [
    ...[key(g), group(g), g.chance(0.8) ? g.oneOf("0", "0", "$") : id(g)],
    ...g.shuffleOptions([g.maybe(0.4, "MKSTREAM"), g.maybe(0.2, "ENTRIESREAD", counter(g))]),
    ...g.maybe(0.03, g.oneOf("ENTRIESREAD", "MKSTREAM", "abc")),
  ],
  "XGROUP|CREATECONSUMER": (g) => [key(g), group(g), consumer(g)],
  "XGROUP|DELCONSUMER": (g) => [key(g), group(g), consumer(g)],
  "XGROUP|DESTROY": (g) => [key(g), group(g)],
  "XGROUP|HELP": () => [],
  "XGROUP|SETID": (g) => [
    ...[key(g), group(g), g.chance(0.7) ? g.oneOf("0", "$", "-", "+") : id(g)],
    ...g.maybe(0.3, g.caseOf("ENTRIESREAD"), counter(g)),
    ...g.maybe(0.03, g.oneOf("ENTRIESREAD", "MKSTREAM", "abc")),
  ],
  "XINFO|CONSUMERS": (g) => [key(g), group(g)],
  XPENDING: (g) => [
    ...[key(g), group(g)],
    ...(g.chance(0.7)
      ? [
          ...g.maybe(0.3, g.caseOf("IDLE"), idle(g)),
          ...[start(g), end(g), count(g)],
          ...g.maybe(0.4, consumer(g)),
        ]
      : []),
    ...g.maybe(0.03, "abc"),
  ],
  XREADGROUP: (g) => {
    const keys = g.chance(0.7) ? [key(g)] : g.keys(1, 3);
    return [
      ...g.shuffleOptions([
        g.maybe(0.98, "GROUP", group(g), consumer(g)),
        g.maybe(0.6, "COUNT", count(g)),
        g.maybe(0.2, "BLOCK", g.count()),
        g.maybe(0.15, "NOACK"),
      ]),
      ...g.maybe(0.99, g.caseOf("STREAMS")),
      ...keys,
      ...keys.map(() => (g.chance(0.7) ? ">" : g.chance(0.5) ? "0" : id(g))),
    ];
  },
};
