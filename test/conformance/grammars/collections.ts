/** Calls of the MDB.* commands, in Extended JSON: few collections, fields and values, so that they collide. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { FamilyGrammar, Generator } from "../grammar.js";

const namespace = (g: Generator): ByteString[] => [
  g.chance(0.97) ? "b" : g.oneOf("", "e", "a.b"),
  g.oneOf("c", "c", "c", "d"),
];
const id = (g: Generator): ByteString => String(g.random.below(8));
const field = (g: Generator): ByteString => g.oneOf("a", "a", "b", "n", "n", "a.b", "l", "l.a", "l.0");
const scalar = (g: Generator): ByteString =>
  g.oneOf(
    ...["0", "1", "2", "3", "1.5", '"a"', '"b"', '"\xc3\xa9"', "null", "true"],
    ...['{"$numberLong":"9007199254740993"}', '{"$numberDecimal":"1.0"}', '{"$numberDouble":"NaN"}'],
    ...['{"$oid":"000000000000000000000001"}', '{"$date":{"$numberLong":"5"}}'],
  );
const value = (g: Generator): ByteString => {
  const kind = g.random.below(10);
  if (kind < 7) return scalar(g);
  if (kind < 9) return `[${g.some(() => scalar(g), 0, 3).join(",")}]`;
  return `{"a":${scalar(g)},"b":${scalar(g)}}`;
};

const document = (g: Generator): ByteString =>
  `{"_id":${id(g)},${g
    .some(() => g.oneOf("a", "b", "n", "l"), 1, 3)
    .filter((name, i, all) => all.indexOf(name) === i)
    .map((name) => `"${name}":${value(g)}`)
    .join(",")}}`;

const condition = (g: Generator): ByteString =>
  g.oneOf(
    value(g),
    `{"${g.oneOf("$gt", "$lt", "$gte", "$lte", "$ne", "$eq")}":${value(g)}}`,
    `{"$in":[${scalar(g)},${scalar(g)}]}`,
    `{"$exists":${g.oneOf("true", "false")}}`,
    '{"$type":"number"}',
    '{"$size":2}',
    '{"$regex":"^a"}',
    `{"$elemMatch":{"$gt":${scalar(g)}}}`,
    '{"$nope":1}',
  );
const filter = (g: Generator): ByteString => {
  const kind = g.random.below(10);
  if (kind < 2) return "{}";
  if (kind < 5) return `{"_id":${id(g)}}`;
  if (kind < 9) return `{"${field(g)}":${condition(g)}}`;
  return `{"$or":[{"${field(g)}":${condition(g)}},{"_id":${id(g)}}]}`;
};

const change = (g: Generator): ByteString =>
  g.oneOf(
    `{"$set":{"${field(g)}":${value(g)}}}`,
    `{"$inc":{"${field(g)}":${g.oneOf("1", "-1", "0.5", '{"$numberLong":"9223372036854775807"}')}}}`,
    `{"$unset":{"${field(g)}":1}}`,
    `{"$push":{"l":${g.chance(0.5) ? value(g) : `{"$each":[${value(g)}],"$sort":1,"$slice":-3}`}}}`,
    `{"$pull":{"l":${condition(g)}}}`,
    `{"$addToSet":{"l":${scalar(g)}},"$currentDate":{"n":true}}`,
    '{"$rename":{"a":"b"}}',
    '{"$pop":{"l":1}}',
    `{"a":${value(g)}}`,
    '{"$nope":{}}',
  );

const statement = (g: Generator): ByteString =>
  `{"q":${filter(g)},"u":${change(g)},"multi":${g.oneOf("true", "false")}${
    g.chance(0.4) ? `,"upsert":true,"upsertId":${id(g)}` : ""
  }}`;

const index = (g: Generator): ByteString =>
  g.oneOf(
    '{"key":{"a":1},"name":"a_1"}',
    '{"key":{"n":1},"name":"n_1","unique":true,"sparse":true}',
    '{"key":{"a":1,"l":-1},"name":"al"}',
    '{"key":{"b":1},"name":"b_1","unique":true}',
    '{"key":{"b":"text"},"name":"t"}',
  );

const stage = (g: Generator): ByteString =>
  g.oneOf(
    `{"$match":${filter(g)}}`,
    `{"$sort":{"${field(g)}":1}}`,
    '{"$limit":3}',
    '{"$skip":1}',
    `{"$project":{"${field(g)}":1}}`,
    '{"$group":{"_id":"$a","n":{"$sum":"$n"},"m":{"$avg":"$n"},"l":{"$push":"$b"}}}',
    '{"$count":"n"}',
    '{"$unwind":"$l"}',
    '{"$lookup":{"from":"d","localField":"a","foreignField":"_id","as":"o"}}',
    '{"$out":"x"}',
  );

const order = (g: Generator): ByteString => `{"${field(g)}":${g.oneOf("1", "-1")},"_id":1}`;

export const grammar: FamilyGrammar = {
  "MDB.INSERT": (g) => [...namespace(g), g.oneOf("0", "0", "1"), ...g.some(() => document(g), 1, 4)],
  "MDB.UPDATE": (g) => [...namespace(g), g.oneOf("0", "1"), ...g.some(() => statement(g), 1, 3)],
  "MDB.DELETE": (g) => [
    ...namespace(g),
    g.oneOf("0", "1", "1", "x"),
    `{"q":${filter(g)},"limit":${g.oneOf("0", "1", "1")}}`,
  ],
  "MDB.FINDANDMODIFY": (g) => [
    ...namespace(g),
    g.chance(0.7)
      ? `{"query":${filter(g)},"sort":${order(g)},"update":${change(g)},"new":true}`
      : `{"query":${filter(g)},"remove":true}`,
  ],
  "MDB.FIND": (g) => [
    ...namespace(g),
    `{"filter":${filter(g)},"sort":${order(g)},"skip":${g.oneOf("0", "1")},"limit":${g.oneOf("0", "2")}${
      g.chance(0.3) ? `,"projection":{"${field(g)}":${g.oneOf("0", "1")}}` : ""
    }}`,
  ],
  "MDB.COUNT": (g) => [...namespace(g), `{"query":${filter(g)}}`],
  "MDB.DISTINCT": (g) => [...namespace(g), `{"key":"${field(g)}","query":${filter(g)}}`],
  "MDB.AGGREGATE": (g) => [...namespace(g), `{"pipeline":[${g.some(() => stage(g), 0, 3).join(",")}]}`],
  "MDB.CREATE": (g) => namespace(g),
  "MDB.CREATEINDEXES": (g) => [...namespace(g), index(g)],
  "MDB.DROPINDEXES": (g) => [...namespace(g), g.oneOf('{"index":"*"}', '{"index":"a_1"}', '{"index":"b_1"}')],
  "MDB.EXPLAIN": (g) => [...namespace(g), `{"filter":${filter(g)},"sort":${order(g)}}`],
  "MDB.RENAME": (g) => [...namespace(g), ...namespace(g), g.oneOf("0", "1", "1", "x")],
  "MDB.STATS": (g) => g.oneOf(["b"], namespace(g)),
  "MDB.LISTINDEXES": (g) => [...namespace(g), "{}"],
  "MDB.LISTCOLLECTIONS": (g) => [g.oneOf("b", "b", "e", ""), '{"nameOnly":true}'],
  "MDB.LISTDATABASES": (g) => [g.oneOf("{}", '{"nameOnly":true}', '{"x":1}')],
  "MDB.DROP": (g) => namespace(g),
  "MDB.DROPDATABASE": (g) => [g.oneOf("b", "e", "")],
};
