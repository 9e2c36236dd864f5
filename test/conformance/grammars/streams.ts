/** Calls of the commands on streams. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { FamilyGrammar, Generator } from "../grammar.js";

const NUMBER_EDGES: readonly ByteString[] = [
  ...["18446744073709551615", "18446744073709551616", "9223372036854775807", "9223372036854775808"],
  ...["-1", "-05", "-0", "+1", " 1", "01", "", "abc", "1 ", "*", "18446744073709551614"],
];

/** A small number, so that ids collide; sometimes a limit. */
const number = (g: Generator): ByteString =>
  g.chance(0.96) ? String(g.random.below(6)) : g.oneOf(...NUMBER_EDGES);

/** An id as `ms-seq` or `ms`, or an invalid one. */
const id = (g: Generator): ByteString => {
  const kind = g.random.below(40);
  if (kind < 30) return `${number(g)}-${number(g)}`;
  if (kind < 36) return number(g);
  return kind < 38
    ? String(g.now)
    : g.oneOf("-", "+", "*", "$", ">", "1-1-1", "0-0", "1-1\0", "1".repeat(130));
};

/**
 * Whether all ids of a key are small, so that other calls often use the same ids. Such a key never receives an id from
 * `*`, since XADD would then accept no small id.
 */
const isOfSmallIds = (key: ByteString): boolean => key === "m:1" || key === "m:2";

/** A new id, usually one that XADD accepts. */
const newId = (g: Generator, key: ByteString): ByteString => {
  const kind = g.random.below(20);
  if (isOfSmallIds(key) && kind < 17) return `${g.random.below(6)}-*`;
  if (kind < 7) return "*";
  if (kind < 10) return `${g.random.below(40)}-*`;
  return kind < 17 ? `${g.random.below(40)}-${g.random.below(100)}` : id(g);
};

/** Milliseconds that no clock has reached. */
const FAR_FUTURE = 10 ** 13;

/** A last id for a stream. Half of these ids are after every entry; otherwise few of them would be accepted. */
const lastId = (g: Generator): ByteString => {
  const kind = g.random.below(4);
  if (kind === 0) return id(g);
  return `${g.random.below(60) + (kind === 1 ? 0 : FAR_FUTURE)}-${g.random.below(9)}`;
};

const end = (g: Generator): ByteString => {
  const kind = g.random.below(20);
  if (kind < 4) return g.oneOf("-", "+");
  return kind < 8 ? `(${id(g)}` : id(g);
};

const trim = (g: Generator): ByteString[] => {
  const maxlen = g.chance(0.6);
  const operator = g.chance(0.5) ? [] : [g.oneOf("~", "=", "~")];
  const bound = maxlen ? g.count() : id(g);
  const limit = g.maybe(operator[0] === "~" ? 0.5 : 0.04, g.caseOf("LIMIT"), g.count());
  const first = [g.caseOf(maxlen ? "MAXLEN" : "MINID"), ...operator, bound];
  return g.chance(0.9) ? [...first, ...limit] : [...limit, ...first];
};

const count = (g: Generator, probability: number): readonly ByteString[] =>
  g.maybe(probability, g.caseOf("COUNT"), g.count());

export const grammar: FamilyGrammar = {
  XADD: (g) => {
    const key = g.chance(0.2) ? "m:1" : g.key();
    return [
      key,
      ...g.maybe(0.1, g.caseOf("NOMKSTREAM")),
      ...(g.chance(0.2) ? trim(g) : []),
      ...g.maybe(0.02, g.caseOf("NOMKSTREAM")),
      ...g.maybe(0.01, "MAXLEN", "3"),
      newId(g, key),
      ...(g.chance(0.5) ? ["a", g.value(), "b", g.value()] : g.some(() => [g.field(), g.value()], 1, 3)),
      ...g.maybe(0.02, g.value()),
    ];
  },
  XDEL: (g) => [g.key(), ...g.some(() => id(g), 1, 6)],
  XINFO: () => [],
  "XINFO|GROUPS": (g) => [g.key()],
  "XINFO|HELP": () => [],
  "XINFO|STREAM": (g) => [
    g.key(),
    ...g.maybe(0.5, g.caseOf("FULL"), ...count(g, 0.5)),
    ...g.maybe(0.03, g.oneOf("COUNT", "FULL", "abc")),
  ],
  XLEN: (g) => [g.key()],
  XRANGE: (g) => [
    g.key(),
    ...(g.chance(0.3) ? ["-", "+"] : [end(g), end(g)]),
    ...count(g, 0.3),
    ...g.maybe(0.03, "COUNT", "2"),
    ...g.maybe(0.02, g.oneOf("COUNT", "abc")),
  ],
  XREAD: (g) => {
    const keys = g.keys(1, 3);
    return [
      ...g.shuffleOptions([count(g, 0.4), g.maybe(0.3, "BLOCK", g.count())]),
      ...g.maybe(0.02, g.oneOf("NOACK", "GROUP", "abc"), "a", "b"),
      ...g.maybe(0.98, g.caseOf("STREAMS")),
      ...keys,
      ...g.some(() => (g.chance(0.15) ? "$" : g.chance(0.4) ? "0" : id(g)), keys.length, keys.length),
    ];
  },
  XREVRANGE: (g) => [
    g.key(),
    ...(g.chance(0.3) ? ["+", "-"] : [end(g), end(g)]),
    ...count(g, 0.3),
    ...g.maybe(0.02, g.oneOf("COUNT", "abc")),
  ],
  XSETID: (g) => [
    g.key(),
    lastId(g),
    ...g.shuffleOptions([
      g.maybe(0.3, "ENTRIESADDED", g.chance(0.5) ? g.integer() : String(g.random.below(300))),
      g.maybe(0.3, "MAXDELETEDID", id(g)),
    ]),
    ...g.maybe(0.03, g.oneOf("ENTRIESADDED", "abc")),
  ],
  XTRIM: (g) => [g.key(), ...trim(g), ...g.maybe(0.03, g.oneOf("LIMIT", "MAXLEN", "NOMKSTREAM", "2"))],
};
