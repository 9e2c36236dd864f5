/** Calls of the commands on documents: few names and ids, so that they collide. */

import "../../support/installed-families.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { FamilyGrammar, Generator } from "../grammar.js";

const SCALARS: readonly ByteString[] = [
  ...[
    "1",
    "0",
    '"1"',
    '"a"',
    '"\xc3\xa4"',
    "true",
    "null",
    "1.50",
    "-0",
    "1e30",
    "[]",
    "{}",
    "[1,2]",
    '{"x":1}',
  ],
  ...["12345678901234567890", '"01"', '""'],
];

const scalar = (g: Generator): ByteString => g.random.oneOf(SCALARS);

/** A document, usually with the members that all documents have. */
const entry = (g: Generator): ByteString => {
  const kind = g.random.below(20);
  if (kind < 17)
    return kind < 9 ? `{"a":${scalar(g)},"b":${scalar(g)}}` : `{"b":${scalar(g)}, "a":${scalar(g)}}`;
  return kind < 19
    ? g.oneOf('{"a":1}', '{"c":1}', "[1]", "{}", '{"a":1,"a":2,"b":3}')
    : g.oneOf("", "{", scalar(g), "\xff");
};

const id = (g: Generator): ByteString =>
  g.chance(0.8)
    ? String(g.random.below(5))
    : g.oneOf("x", "y", "__proto__", "1e0", " 1", "-1", "1.9", "007", "1x", "");

const changes = (g: Generator): ByteString => {
  const kind = g.random.below(20);
  if (kind < 14) return g.oneOf(`{"a":${scalar(g)}}`, `{"b":${scalar(g)}}`, `{"a":${scalar(g)},"b":1}`, "{}");
  return kind < 18 ? `[${entry(g)},${entry(g)}]` : g.oneOf("5", "[]", '{"z":1}', "nonsense");
};

const query = (g: Generator): readonly ByteString[] => g.maybe(0.5, g.caseOf("QUERY"), changes(g));

const condition = (g: Generator): ByteString => {
  const operand = (): ByteString =>
    g.oneOf(
      `{"$${g.oneOf("gt", "gte", "lt", "lte")}":${g.oneOf("0", "1", '"1"', '""', '"a"', "true")}}`,
      `{"$${g.oneOf("eq", "ne")}":${scalar(g)}}`,
      `{"$in":[${scalar(g)},${scalar(g)}]}`,
      `{"$type":${g.oneOf('"string"', '"array"', "16", '"a"')}}`,
      `{"$nin":[${scalar(g)},${scalar(g)}]}`,
      `{"$all":[${scalar(g)}]}`,
      `{"$elemMatch":{"$gt":${scalar(g)}}}`,
      `{"$size":${g.oneOf("0", "2", '"a"')}}`,
      `{"$regex":${g.oneOf('"^a"', '"[0-9]"', '"("', "1")}}`,
      `{"$exists":${g.oneOf("true", "false", "0")}}`,
      `{"$not":{"$eq":${scalar(g)}}}`,
      scalar(g),
    );
  const one = (): ByteString => `{"${g.oneOf("a", "b", "c")}":${operand()}}`;

  const kind = g.random.below(20);
  if (kind < 10) return one();
  if (kind < 13) return `{"$or":[${one()},${one()}]}`;
  if (kind < 15) return `{"a":${operand()},"b":${operand()}}`;
  return g.oneOf(`{"$nor":[${one()}]}`, `{"$and":[${one()},${one()}]}`, "{}", "[]", '{"$or":[]}', "1", "{");
};

const lifetime = (g: Generator): readonly ByteString[] => {
  const kind = g.random.below(20);
  if (kind < 12) return [];
  if (kind < 14) return [g.caseOf("EX"), g.seconds()];
  if (kind < 16) return ["PX", g.milliseconds()];
  return kind < 18 ? ["EXAT", g.unixSeconds()] : ["PXAT", g.unixMilliseconds()];
};

/** The revision of `{"a":1,"b":1}`. */
const REVISION: ByteString = "2b3ba4593fceafdb";

/** The revision of an entry that often exists, or an invalid one. */
const revision = (g: Generator): readonly ByteString[] =>
  g.maybe(0.1, g.caseOf("REVISION"), g.oneOf(REVISION, "0"));

const unchecked = (g: Generator): readonly ByteString[] => [
  ...g.maybe(0.1, g.caseOf("NOCHECK")),
  ...g.maybe(0.3, g.caseOf("COUNT")),
];

const selection = (g: Generator): ByteString[] =>
  g.shuffleOptions([
    query(g),
    g.maybe(0.5, "WHERE", condition(g)),
    g.maybe(0.3, "SORT", g.oneOf('"a"', '{"b":"desc"}', '{"a":"asc","b":"desc"}', '["a"]', '{"a":1}')),
    g.maybe(0.3, "LIMIT", g.count(), g.count()),
    g.maybe(0.2, "FIELDS", g.oneOf('["a"]', '["b","a","z"]', "[]", '"a"')),
    g.maybe(0.2, "DETAILS"),
    g.maybe(0.1, "EXPLAIN"),
  ]);

/** Conditions come first, since an id may be any other word. */
const choice = (g: Generator): ByteString[] => [
  ...(g.chance(0.8) ? [g.caseOf("WHERE"), condition(g)] : [g.caseOf("QUERY"), changes(g)]),
  ...g.maybe(0.2, "SORT", g.oneOf('"a"', '{"b":"desc"}')),
  ...g.maybe(0.2, "LIMIT", g.count(), g.count()),
];

const operators = (g: Generator): ByteString =>
  g.oneOf(
    `{"$inc":{"a":${scalar(g)}}}`,
    `{"$push":{"b":${scalar(g)}}}`,
    `{"$set":{"a.x":${scalar(g)},"b":1}}`,
    `{"$inc":{"a.x":1},"$set":{"b":${scalar(g)},"a":1}}`,
    `{"$pull":{"b":${scalar(g)}}}`,
    `{"$push":{"a.y":1},"$unset":{"a.${g.oneOf("x", "y", "0")}":${scalar(g)}},"$pull":{"a.y":{"$gt":0}}}`,
    `{"$addToSet":{"b":{"$each":[${scalar(g)},1]}},"$mul":{"a":2}}`,
    `{"$min":{"a":${scalar(g)}},"$pop":{"b":1}}`,
    `{"$rename":{"${g.oneOf("a.x", "a")}":"a.z"},"$currentDate":{"b":${g.oneOf("true", "1")}}}`,
    `{"$bit":{"a":{"xor":5}},"$setOnInsert":{"b":${scalar(g)}}}`,
    '{"$set":{"z":1}}',
    '{"$nothing":{}}',
    '{"$inc":5}',
  );

const field = (g: Generator): ByteString => g.oneOf("a", "b", "c", "\xff");

export const grammar: FamilyGrammar = {
  "DOC.COUNT": (g) => [
    g.key(),
    ...query(g),
    ...g.maybe(0.5, g.caseOf("WHERE"), condition(g)),
    ...g.maybe(0.1, "EXPLAIN"),
  ],
  "DOC.CREATE": (g) => [g.key()],
  "DOC.DELETE": (g) => (g.chance(0.7) ? [g.key(), id(g), ...revision(g)] : [g.key(), ...choice(g)]),
  "DOC.DROP": (g) => [g.chance(0.8) ? "nothing" : g.key()],
  "DOC.EMPTY": (g) => [g.chance(0.5) ? "nothing" : g.key()],
  "DOC.GET": (g) => [g.key(), ...(g.chance(0.3) ? g.maybe(0.7, g.caseOf("ID"), id(g)) : selection(g))],
  "DOC.GETALL": () => [],
  "DOC.GETKEYS": (g) => [g.key()],
  "DOC.INDEX|CREATE": (g) => [g.key(), field(g)],
  "DOC.INDEX|DROP": (g) => [g.key(), field(g)],
  "DOC.INDEX|LIST": (g) => [g.key()],
  "DOC.INSERT": (g) =>
    g.chance(0.6)
      ? [g.key(), ...lifetime(g), ...unchecked(g), ...g.some(() => entry(g), 1, 4)]
      : [
          g.key(),
          ...lifetime(g),
          ...unchecked(g),
          g.caseOf("KEYS"),
          ...g.some(() => [id(g), entry(g)], 1, 3),
        ],
  "DOC.LIST": () => [],
  "DOC.MEMBER|ADD": (g) => [g.key(), field(g), scalar(g)],
  "DOC.MEMBER|DROP": (g) => [g.key(), field(g)],
  "DOC.UPDATE": (g) => [
    g.key(),
    g.chance(0.7) ? changes(g) : operators(g),
    ...(g.chance(0.7) ? g.maybe(0.8, g.caseOf("ID"), id(g)) : choice(g)),
    ...(g.chance(0.3) ? ["UPSERT", ...g.maybe(0.5, ...g.oneOf(["COUNT"], [g.caseOf("KEY"), id(g)]))] : []),
    ...(g.chance(0.1) ? ["PERSIST"] : lifetime(g)),
    ...revision(g),
  ],
};
