/**
 * Tests small aggregates with large products, for each operator of expressions, each accumulator and each stage: a
 * query yields at the end of each slice, counts what it visits, and is rejected when it exceeds its limits. The
 * operators are those of the tables, so a new operator is tested too.
 */
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import type { Database } from "../../../../../daemon/store/database.js";
import { EffortBudget, QUERY_PRODUCED_MAX } from "../../../../../daemon/store/keyspace/effort-budget.js";
import { unit } from "../../../../../test/daemon/store/effort-state.js";
import { amount } from "../../../../../test/support/amount.js";
import { SeededRandom, seedOfRun } from "../../../../../test/support/seeded-random.js";
import { ACCUMULATORS } from "../../../store/queries/accumulators.js";
import { expressionOf } from "../../../store/queries/expressions.js";
import { workOf } from "../../../store/queries/mongo-failure.js";
import { EXPRESSION_OPERATORS } from "../../../store/queries/operators/operator-table.js";
import type { BsonDocument } from "../../../store/values/bson.js";
import { readExtendedJson } from "../../../store/values/extended-json.js";
import { textOf } from "../commands/mdb-under-test.js";
import { aggregate, collection, type Json, type Run, range, runOf } from "./query-run.js";
import { scopeOf } from "./scope.js";

const seed = seedOfRun();
const OPERATORS = [...EXPRESSION_OPERATORS.keys()];
/** Maximum number of bytes of a request. */
const REQUEST_BYTES = 1000;
/** Maximum number of steps without a yield: a slice, and one operation on the largest value of these tests. */
const RUN_STEPS = 1_000_000;
// biome-ignore-start lint/suspicious/noThenProperty: the names of MongoDB's operands
/** Returns operands of all forms that operators have, with the given values. */
const operandsWith = (x: Json, y: Json, z: Json): readonly Json[] => [
  x,
  [x, y],
  [x, y, z],
  [x, 1],
  [1, x],
  [x, 0, 5],
  [0, 5000],
  { input: x, in: y },
  { input: x, cond: y },
  { input: x, initialValue: y, in: ["$$value", "$$this"] },
  { input: x, initialValue: "", in: { $concat: ["$$value", "a"] } },
  { input: x, find: "b", replacement: "cc" },
  { input: x, find: y, replacement: z },
  { input: x, regex: "(b|a)*c" },
  { input: x, chars: "b" },
  { input: x },
  { vars: { v: x }, in: y },
  { if: x, then: y, else: z },
  { branches: [{ case: x, then: y }], default: z },
  { field: "f1", input: x, value: y },
  { field: "f1", input: x },
  { date: { $toDate: "2024-01-01" } },
  {},
];
// biome-ignore-end lint/suspicious/noThenProperty: as above

/** Number of elements, fields and bytes of the values of the root document. */
const SIZE = 4000;
const numbers = Array.from({ length: SIZE }, (_, i) => i);
const ROOT: BsonDocument = readExtendedJson(
  JSON.stringify({
    list: numbers,
    same: numbers,
    doc: Object.fromEntries(numbers.map((i) => [`f${i}`, i])),
    pairs: numbers.map((i) => [`f${i}`, i]),
    text: "ba".repeat(SIZE * 16),
    part: `${"ba".repeat(SIZE)}c`,
    n: 3,
    date: { $date: "2024-01-01T00:00:00Z" },
    id: { $oid: "0123456789abcdef01234567" },
  }),
);
const LARGE = ["$list", "$doc", "$pairs", "$text"];
const SMALL = ["$n", "$date", "$id", "$same", "$part"];

/** Operators whose time does not depend on the sizes of their operands, or which end at the first true element. */
const CONSTANT = [
  ...[
    "$arrayElemAt",
    "$anyElementTrue",
    "$first",
    "$last",
    "$size",
    "$isArray",
    "$isNumber",
    "$type",
    "$strLenBytes",
    "$getField",
  ],
  ...[
    "$and",
    "$or",
    "$not",
    "$cond",
    "$ifNull",
    "$switch",
    "$let",
    "$toBool",
    "$rand",
    "$slice",
    "$substr",
    "$substrBytes",
  ],
];

/** Returns the steps that an expression counts, without those of its parts; null if it fails. */
function stepsOf(expression: Json): number | null {
  const work = workOf(new EffortBudget());
  try {
    const calculate = expressionOf(
      readExtendedJson(JSON.stringify({ e: expression })).get("e")!,
      scopeOf(work),
    );
    calculate(ROOT);
  } catch {
    return null;
  }
  return work.effort.steps;
}

test("each operator counts the elements and bytes that it visits", () => {
  const values = [...LARGE, ...SMALL];
  for (const name of OPERATORS) {
    let [succeeded, takesLarge, counted] = [false, false, false];
    for (const x of values)
      for (const y of values)
        for (const operand of operandsWith(x, y, y)) {
          const steps = stepsOf({ [name]: operand });
          if (steps === null) continue;
          succeeded = true;
          if (LARGE.includes(x) && JSON.stringify(operand).includes(x)) takesLarge = true;
          if (steps >= SIZE / 32) counted = true;
        }
    assert.ok(succeeded, `${name}: add a form of its operands to operandsWith`);
    assert.ok(counted || !takesLarge || CONSTANT.includes(name), `${name} counts nothing for large operands`);
  }
});

/** Expressions of a few bytes with large values. */
const SOURCES: readonly ((random: SeededRandom) => Json)[] = [
  (random) => range(random.oneOf([30, 3000, 100_000])),
  (random) => ({
    $reduce: {
      input: range(random.oneOf([8, 14, 20, 30])),
      initialValue: "ba",
      in: { $concat: ["$$value", "$$value"] },
    },
  }),
  (random) => ({
    $reduce: { input: range(random.oneOf([8, 18, 60, 200])), initialValue: 1, in: ["$$value", "$$value"] },
  }),
  (random) => ({
    $arrayToObject: {
      $map: { input: range(random.oneOf([30, 3000, 100_000])), in: [{ $toString: "$$this" }, "$$this"] },
    },
  }),
  (random) => ({ $map: { input: range(random.oneOf([30, 1000])), in: range(random.oneOf([30, 1000])) } }),
  (random) => ({ $map: { input: range(3000), in: { a: [{ a: "$$this" }, { b: random.below(9) }] } } }),
];

/** Returns a small expression with a large product that contains each operator in `names`. */
function productOf(random: SeededRandom, names: readonly string[]): Json {
  const variables = ["$$v.a", "$$v", "$$w", "$$this", "$$value"];
  let expression: Json = random.oneOf(variables);
  for (const name of names) {
    const operand: Json = random.oneOf(
      operandsWith(
        random.chance(0.7) ? expression : random.oneOf(variables),
        random.oneOf(variables),
        expression,
      ),
    );
    expression = { [name]: operand };
    if (random.chance(0.4)) expression = { $map: { input: random.oneOf(["$$v", "$$w"]), in: expression } };
  }
  return {
    $let: {
      vars: { v: random.oneOf(SOURCES)(random), w: random.oneOf(SOURCES)(random) },
      in: { $reduce: { input: range(1000), initialValue: 0, in: expression } },
    },
  };
}

function check(database: Database, argv: readonly string[]): Run {
  const text = argv.join(" ");
  const run = runOf(database, argv);
  assert.ok(run.longest <= RUN_STEPS, `${run.longest} steps without a yield: ${text}`);
  assert.ok(run.produced <= QUERY_PRODUCED_MAX + RUN_STEPS, `${run.produced} produced: ${text}`);
  return run;
}

test(`a small expression with a large product yields or is rejected (seed ${seed})`, () => {
  const database = collection();
  let yielded = 0;
  for (const [i, name] of OPERATORS.entries())
    for (let run = 0; run < amount(1, 3); run++) {
      const random = new SeededRandom(seed, i, run);
      const names = [...Array.from({ length: random.below(3) }, () => random.oneOf(OPERATORS)), name];
      const expression = productOf(random, random.shuffled(names));
      const argv = aggregate([{ $project: { x: { $type: expression } } }]);
      assert.ok(argv.join(" ").length <= REQUEST_BYTES * 3, argv.join(" "));
      if (check(database, argv).yields > 2) yielded++;
    }
  assert.ok(yielded > OPERATORS.length / amount(8, 4), `only ${yielded} yielded`);
});

/** Returns what a query returns that never yields. */
function directResult(database: Database, argv: readonly string[]): string {
  return textOf(database.execute(argv, unit(2)));
}

test(`an expression in steps has the value that it has without steps (seed ${seed})`, () => {
  const database = collection();
  // Every place at which an expression may yield ends a slice.
  const ending = mock.method(EffortBudget.prototype, "endsSlice", () => true);

  let compared = 0;
  for (const [i, name] of OPERATORS.entries())
    for (let run = 0; run < amount(3, 15); run++) {
      const random = new SeededRandom(seed, 1000 + i, run);
      const x = random.oneOf(["$l", "$n", "$_id", { $range: [0, "$n"] }, "$$ROOT", "aba"]);
      const inner = random.oneOf(operandsWith(x, "$n", "$$this"));
      const other = random.oneOf(operandsWith({ [random.oneOf(OPERATORS)]: inner }, x, "$$v"));

      const pipeline = [
        { $match: { $expr: { $gt: [{ $size: { $map: { input: "$l", in: "$$this" } } }, 2] } } },
        { $project: { a: { $map: { input: "$l", as: "v", in: { [name]: other } } }, b: { $sum: "$l" } } },
        random.oneOf<Json>([
          { $group: { _id: { $sum: "$a" }, all: { $push: { $sum: ["$b", { $sum: "$a" }] } } } },
          { $set: { "c.d": { $concatArrays: ["$a", "$a"] } } },
          { $match: { $or: [{ b: 1 }, { $expr: { $in: [1, "$a"] } }] } },
        ]),
      ];

      const argv = aggregate(pipeline);
      const direct = directResult(database, argv);
      ending.mock.resetCalls();
      if (name !== "$rand" && !argv.join().includes("$rand"))
        assert.equal(runOf(database, argv, Number.POSITIVE_INFINITY).result, direct, argv.join(" "));
      if (!/^MONGO|^TOOMUCH/.test(direct)) compared++;
    }

  ending.mock.restore();
  assert.ok(compared > OPERATORS.length / amount(15, 5), `only ${compared} succeeded`);

  for (const argv of [
    [
      "MDB.FIND",
      "d",
      "c",
      '{"filter":{"$expr":{"$in":[2,{"$map":{"input":"$l","in":"$n"}}]}},"sort":{"_id":-1}}',
    ],
    ["MDB.FIND", "d", "c", '{"filter":{"_id":{"$in":[3,4]},"$expr":{"$in":["$n",{"$range":[0,4]}]}}}'],
    ["MDB.FIND", "d", "c", '{"projection":{"x":{"$map":{"input":"$l","in":{"$add":["$$this","$n"]}}}}}'],
    ["MDB.COUNT", "d", "c", '{"query":{"$expr":{"$in":["$n",{"$range":[0,4]}]}}}'],
    ["MDB.FIND", "d", "c", '{"let":{"a":{"$range":[0,3]}},"filter":{"$expr":{"$in":["$n","$$a"]}}}'],
  ]) {
    const slices = mock.method(EffortBudget.prototype, "endsSlice", () => true);
    const { result } = runOf(database, argv, Number.POSITIVE_INFINITY);
    slices.mock.restore();
    assert.equal(result, directResult(database, argv), argv.join(" "));
  }
});

/** Stages whose results are large, whatever the stages before them produce. */
const STAGES_WITH_PRODUCTS: readonly ((random: SeededRandom) => Json)[] = [
  (random) => ({ $set: { x: range(random.oneOf([100, 30_000])) } }),
  () => ({ $unwind: "$x" }),
  () => ({ $unwind: "$l" }),
  (random) => ({ $group: { _id: random.oneOf([null, "$x", "$n", "$$ROOT"]), x: { $push: "$$ROOT" } } }),
  (random) => ({
    $group: {
      _id: random.oneOf([null, "$x", "$n"]),
      ...Object.fromEntries([...ACCUMULATORS.keys()].map((name, i) => [`x${i}`, { [name]: "$x" }])),
    },
  }),
  (random) => ({ $sort: { [random.oneOf(["x", "l", "n"])]: -1, x: 1 } }),
  () => ({ $sortByCount: "$x" }),
  () => ({ $lookup: { from: "c", localField: "l", foreignField: "l", as: "x" } }),
  (random) => ({ $match: { x: { [random.oneOf(["$in", "$nin", "$all"])]: [[1], 2] }, l: { $lt: 9 } } }),
  () => ({ $match: { $expr: { $in: ["$n", "$x"] } } }),
  () => ({ $replaceWith: { x: "$$ROOT", l: "$x", n: "$n" } }),
  () => ({ $project: { x: ["$x", "$x", "$$ROOT"], n: 1, l: 1 } }),
  () => ({ $project: { "x.y": { $size: "$l" }, l: "$x.y", n: 1 } }),
  () => ({ $unset: "x.y.z" }),
  () => ({ $sample: { size: 1000 } }),
  () => ({ $limit: 100_000 }),
];

test(`small pipelines with large products yield or are rejected (seed ${seed})`, () => {
  const database = collection();
  for (let run = 0; run < amount(15, 150); run++) {
    const random = new SeededRandom(seed, 2000, run);
    const stages = Array.from({ length: random.between(2, 6) }, () =>
      random.oneOf(STAGES_WITH_PRODUCTS)(random),
    );
    const first = random.oneOf(STAGES_WITH_PRODUCTS.slice(0, 1))(random);
    check(database, aggregate([first, ...stages, { $count: "n" }]));
  }
});
