/**
 * Tests cases that mingo cannot check: types of results, values that JavaScript does not have, rejections that name
 * the feature, and limits.
 */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { amount } from "../../../../../test/support/amount.js";
import { WORK_MAX } from "../../../store/queries/mongo-failure.js";
import { MdbUnderTest } from "./mdb-under-test.js";

let store: MdbUnderTest;
beforeEach(() => {
  store = new MdbUnderTest();
});

const ids = (filter: string) =>
  store
    .run("FIND", `{"filter":${filter},"projection":{"_id":1}}`)
    .replaceAll("{_id:", "")
    .replaceAll("}", "");
const insert = (...documents: readonly string[]) => store.run("INSERT", "1", ...documents);
const aggregate = (...stages: readonly string[]) =>
  store.run("AGGREGATE", `{"pipeline":[${stages.join(",")}]}`);

test("filters compare only values of the same kind, and numbers of all kinds by value", () => {
  insert(
    '{"_id":1,"a":{"$numberDouble":"NaN"}}',
    '{"_id":2,"a":{"$numberLong":"9007199254740993"}}',
    '{"_id":3,"a":9007199254740992.0}',
    '{"_id":4,"a":{"$numberDecimal":"0.1"}}',
    '{"_id":5,"a":0.1}',
    '{"_id":6,"a":null}',
    '{"_id":7}',
    '{"_id":8,"a":{"$date":{"$numberLong":"5"}}}',
    '{"_id":9,"a":{"$minKey":1}}',
    '{"_id":10,"a":{"$oid":"00000000000000000000000a"}}',
    '{"_id":11,"a":{"$regularExpression":{"pattern":"x","options":""}}}',
    '{"_id":12,"a":"axb"}',
    '{"_id":13,"a":{"$binary":{"base64":"AAE=","subType":"00"}}}',
  );

  const table: readonly (readonly [string, string])[] = [
    ['{"a":{"$gt":9007199254740992.0}}', "2"],
    ['{"a":{"$gte":{"$numberLong":"9007199254740992"}}}', "2 3"],
    ['{"a":{"$lt":1}}', "4 5"],
    ['{"a":0.1}', "5"],
    ['{"a":{"$gt":{"$numberDecimal":"0.1"},"$lt":1}}', "5"],
    ['{"a":{"$numberDouble":"NaN"}}', "1"],
    ['{"a":{"$gte":{"$numberDecimal":"NaN"}}}', "1"],
    ['{"a":null}', "6 7"],
    ['{"a":{"$gte":null}}', "6 7"],
    ['{"a":{"$exists":true,"$eq":null}}', "6"],
    ['{"a":{"$lte":{"$date":{"$numberLong":"6"}}}}', "8"],
    ['{"a":{"$in":[{"$oid":"00000000000000000000000a"},{"$minKey":1}]}}', "9 10"],
    ['{"a":{"$regex":"X","$options":"i"}}', "12"],
    ['{"a":{"$regularExpression":{"pattern":"x","options":""}}}', "11 12"],
    ['{"a":{"$eq":{"$regularExpression":{"pattern":"x","options":""}}}}', "11"],
    ['{"a":{"$type":"number"}}', "1 2 3 4 5"],
    ['{"a":{"$type":["long",9]}}', "2 8"],
    ['{"a":{"$type":"binData"}}', "13"],
    ['{"a":{"$gt":{"$minKey":1}}}', "1 2 3 4 5 6 7 8 10 11 12 13"],
  ];

  for (const [filter, expected] of table) assert.equal(ids(filter), expected, filter);
  assert.equal(
    store.run("FIND", '{"sort":{"a":1},"projection":{"_id":1}}').replaceAll("{_id:", "").replaceAll("}", ""),
    "9 6 7 1 4 5 3 2 12 13 10 8 11",
  );
});

test("an index finds everything that a filter matches", () => {
  const documents = [
    '{"_id":1,"a":[1,{"b":2}]}',
    '{"_id":2,"a":{"b":[2,3]}}',
    '{"_id":3,"a":1.0}',
    '{"_id":4}',
  ];
  const filters = [
    '{"a":1}',
    '{"a.b":2}',
    '{"a.b":{"$in":[3,9]}}',
    '{"a":null}',
    '{"a":{"b":2}}',
    '{"a":[1,{"b":2}]}',
    '{"a.b":null}',
  ];

  insert(...documents);
  const without = filters.map(ids);

  store.run("CREATEINDEXES", '{"key":{"a":1},"name":"a"}', '{"key":{"a.b":1},"name":"ab","sparse":true}');
  assert.deepEqual(filters.map(ids), without);
  assert.deepEqual(without, ["1 3", "1 2", "2", "4", "1", "1", "3 4"]);
});

test("unsupported features cause errors that name them, with and without documents", () => {
  const failures: readonly (readonly [string, RegExp])[] = [
    ['{"filter":{"a":{"$near":1}}}', /^MONGO 238 NotImplemented \$near/],
    ['{"filter":{"a":{"$nearly":1}}}', /^MONGO 2 BadValue unknown operator: \$nearly/],
    ['{"filter":{"$where":"1"}}', /^MONGO 238 NotImplemented \$where/],
    ['{"filter":{"$when":"1"}}', /^MONGO 2 BadValue unknown top level operator: \$when/],
    [
      '{"filter":{"$text":{}}}',
      /^MONGO 238 NotImplemented \$text is not supported by this server: use \$regex/,
    ],
    ['{"filter":{"a":{"$in":1}}}', /\$in needs an array/],
    ['{"filter":{"a":{"$regex":"(a)\\\\1"}}}', /^MONGO 2 BadValue \$regex/],
    ['{"filter":{"a":{"$regex":"a","$options":"x"}}}', /^MONGO 238 NotImplemented/],
    ['{"filter":{"a":{"$regex":"é","$options":"i"}}}', /^MONGO 238 NotImplemented/],
    ['{"filter":{"a":{"$mod":[0,1]}}}', /divisor cannot be 0/],
    ['{"projection":{"a":1,"b":0}}', /^MONGO 31254/],
    ['{"projection":{"a":{"$meta":"x"}}}', /^MONGO 238 NotImplemented/],
    ['{"projection":{"a.$":1}}', /^MONGO 238/],
    ['{"projection":{"a":1,"a.b":1}}', /^MONGO 31249/],
    ['{"sort":{"a":2}}', /^MONGO 15975/],
    ['{"collation":{}}', /^MONGO 40415/],
    ['{"limit":-1}', /^MONGO 2/],
    ["{", /^MONGO 2 BadValue not JSON/],
  ];
  for (const [spec, failure] of failures) assert.match(store.run("FIND", spec), failure, spec);

  const stages: readonly (readonly [string, RegExp])[] = [
    ['{"$out":"x"}', /^MONGO 238 NotImplemented \$out/],
    ['{"$inn":"x"}', /^MONGO 40324 Location40324 Unrecognized pipeline stage name: '\$inn'/],
    ['{"$group":{"a":{"$sum":1}}}', /^MONGO 15955/],
    ['{"$group":{"_id":null,"a":{"$stdDevPop":"$a"}}}', /^MONGO 238/],
    ['{"$group":{"_id":null,"a":{"$stdDev":"$a"}}}', /^MONGO 15952/],
    ['{"$group":{"_id":{"$exp":"$a"}}}', /^MONGO 238 .* \$exp is not .*: calculate it in the client/],
    ['{"$project":{"a":{"$pow":[1,2]}}}', /^MONGO 238 .* \$pow is not .*: use \$multiply/],
    ['{"$project":{"a":{"$plus":[1,2]}}}', /^MONGO 168/],
    [
      '{"$lookup":{"from":"d","pipeline":[],"as":"x"}}',
      /^MONGO 238 .*: use localField .* \$unwind and \$match/,
    ],
    ['{"$unwind":"a"}', /^MONGO 28818/],
    ['{"$limit":0}', /^MONGO 15958/],
  ];
  for (const [stage, failure] of stages) assert.match(aggregate(stage), failure, stage);
});

test("groups add integers, doubles and decimals as MongoDB does", () => {
  insert(
    '{"_id":1,"k":1,"n":2147483647}',
    '{"_id":2,"k":1.0,"n":1}',
    '{"_id":3,"k":2,"n":{"$numberDecimal":"0.1"}}',
    '{"_id":4,"k":2,"n":1}',
    '{"_id":5,"k":3,"n":0.1}',
    '{"_id":6,"k":3,"n":0.2}',
    '{"_id":7,"k":3,"n":"no number"}',
    '{"_id":8,"n":{"$numberLong":"9223372036854775807"}}',
    '{"_id":9,"k":null,"n":1}',
  );
  assert.equal(
    aggregate('{"$group":{"_id":"$k","s":{"$sum":"$n"},"a":{"$avg":"$n"}}}'),
    [
      '{_id:1,s:{"$numberLong":"2147483648"},a:{"$numberDouble":"1073741824.0"}}',
      '{_id:2,s:{"$numberDecimal":"1.1"},a:{"$numberDecimal":"0.55"}}',
      '{_id:3,s:{"$numberDouble":"0.30000000000000004"},a:{"$numberDouble":"0.15000000000000002"}}',
      '{_id:null,s:{"$numberDouble":"9223372036854775808.0"},a:{"$numberDouble":"4611686018427387904.0"}}',
    ].join(" "),
  );
  assert.equal(
    aggregate('{"$group":{"_id":null,"f":{"$first":"$k"},"l":{"$last":"$k"},"s":{"$addToSet":"$k"}}}'),
    "{_id:null,f:1,l:null,s:[1,2,3,null]}",
  );
});

test("$lookup by equality, $unwind with indexes, and projections with $slice and $elemMatch work as in MongoDB", () => {
  insert('{"_id":1,"r":[1,2]}', '{"_id":2,"r":null}', '{"_id":3,"r":[]}');
  store.reply("MDB.INSERT", "db", "d", "1", '{"_id":1,"v":2.0}', '{"_id":2,"v":[1]}', '{"_id":3}');
  assert.equal(
    aggregate(
      '{"$lookup":{"from":"d","localField":"r","foreignField":"v","as":"o"}}',
      '{"$project":{"o._id":1}}',
    ),
    "{_id:1,o:[{_id:1},{_id:2}]} {_id:2,o:[{_id:3}]} {_id:3,o:[]}",
  );
  assert.equal(
    aggregate('{"$unwind":{"path":"$r","includeArrayIndex":"i","preserveNullAndEmptyArrays":true}}'),
    '{_id:1,r:1,i:{"$numberLong":"0"}} {_id:1,r:2,i:{"$numberLong":"1"}} {_id:2,r:null,i:null} {_id:3,i:null}',
  );
  assert.equal(store.run("FIND", '{"projection":{"r":{"$slice":-1}},"limit":1}'), "{_id:1,r:[2]}");
  assert.equal(
    store.run("FIND", '{"projection":{"r":{"$elemMatch":{"$gt":1}}}}'),
    "{_id:1,r:[2]} {_id:2} {_id:3}",
  );
});

test("the limit on work counts what a command reads, whatever form the command has", () => {
  const list = Array.from({ length: 1000 }, (_, i) => i).join(",");
  insert(...Array.from({ length: amount(100, 500) }, (_, i) => `{"_id":${i},"l":[${list}]}`));
  assert.match(
    aggregate('{"$unwind":"$l"}', '{"$project":{"l":1,"m":"$l"}}', ...Array(60).fill('{"$skip":0}')),
    new RegExp(`^MONGO 146 ExceededMemoryLimit a command checks at most ${WORK_MAX}`),
  );
  const many = Array.from({ length: 12_000 }, () => '{"a":1}').join(",");
  assert.match(
    store.run("COUNT", `{"query":{"$or":[${many}]}}`),
    /^MONGO 2 BadValue a filter has at most 10000/,
  );
});
