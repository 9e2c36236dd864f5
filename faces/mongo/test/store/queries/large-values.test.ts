/** Tests that operations on all elements of a large value yield while they visit the elements. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SLICE_STEPS } from "../../../../../daemon/store/keyspace/effort-budget.js";
import { amount } from "../../../../../test/support/amount.js";
import { WRITTEN_VALUES } from "../../../store/values/bson.js";
import { aggregate, collection, type Json, range, runOf } from "./query-run.js";

test("an operation on all elements of a large value yields while it visits them", () => {
  const database = collection();
  const yieldsOf = (value: Json) =>
    runOf(database, aggregate([{ $limit: 1 }, { $project: { x: value } }]), Number.POSITIVE_INFINITY).yields;

  const count = 65_000;
  const fewer = amount(20_000, count);
  const text = { $reduce: { input: range(16), initialValue: "ab", in: { $concat: ["$$value", "$$value"] } } };
  const [few, many]: readonly [Json, Json] = [range(fewer), range(count)];
  const cases: readonly (readonly [inputs: Json, operation: Json, passes: number])[] = [
    [[few, few], { $setUnion: [few, few] }, (20 * fewer) / count],
    [[few, few], { $setIntersection: [few, few] }, (20 * fewer) / count],
    [[few, few], { $setEquals: [few, few] }, (5 * fewer) / count],
    [[few, few], { $setDifference: [few, few] }, (5 * fewer) / count],
    [[few, few], { $setIsSubset: [few, few] }, (5 * fewer) / count],
    [[many, many], { $concatArrays: [many, many] }, 1],
    [[many], { $reverseArray: many }, 1],
    [[many], { $slice: [many, 1, count] }, 1],
    [[many], { $slice: [many, -count] }, 1],
    [[many], { $allElementsTrue: [{ $range: [1, count] }] }, 0.5],
    [[{ $map: { input: many, in: 0 } }], { $anyElementTrue: [{ $map: { input: many, in: 0 } }] }, 0.5],
    [[many], { $map: { input: many, in: 0 } }, 0.5],
    [[many], { $in: [-1, many] }, 0.5],
    [[many], { $indexOfArray: [many, -1] }, 0.5],
    [[text], { $split: [text, "a"] }, 0.5],
    [[text], { $replaceAll: { input: text, find: "a", replacement: "c" } }, 0.5],
    [[text], { $replaceAll: { input: text, find: "", replacement: "c" } }, 0.5],
  ];

  const elementsOfSlice = SLICE_STEPS / 0.625;
  for (const [inputs, operation, passes] of cases) {
    const more = yieldsOf({ $type: operation }) - yieldsOf({ $type: [inputs] });
    const expected = Math.floor((passes * count) / elementsOfSlice);
    assert.ok(more >= expected, `${JSON.stringify(operation)}: ${more} more yields, ${expected} expected`);
  }

  const shown = yieldsOf(many) - yieldsOf({ $type: many });
  assert.ok(shown >= (2 * count) / WRITTEN_VALUES - 2, `${shown} yields to write a document`);
});
