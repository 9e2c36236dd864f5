import "../../../../../../test/support/all-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOfText } from "../../../../../../protocol/byte-string.js";
import { filterOf } from "../../../../store/queries/bson-filter.js";
import { readExtendedJson } from "../../../../store/values/extended-json.js";
import { scopeOf } from "../scope.js";

/** Whether an operator returns a result for a value, both as extended JSON. */
function returns(operator: string, value: string, result: string): boolean {
  const scope = scopeOf();
  const filter = `{"$expr":{"$eq":[{"${operator}":"$a"},${result}]}}`;
  const document = readExtendedJson(bytesOfText(`{"a":${value}}`));
  return filterOf(readExtendedJson(bytesOfText(filter)), scope.work, scope).isMet(document);
}

test("$abs returns the absolute value of each kind of number", () => {
  for (const [value, result] of [
    ["-3", "3"],
    ["3", "3"],
    ["-3.5", "3.5"],
    ['{"$numberLong":"-9007199254740993"}', '{"$numberLong":"9007199254740993"}'],
    ['{"$numberLong":"9007199254740993"}', '{"$numberLong":"9007199254740993"}'],
    ['{"$numberDecimal":"-0.5"}', '{"$numberDecimal":"0.5"}'],
    ['{"$numberDecimal":"0.5"}', '{"$numberDecimal":"0.5"}'],
    ['{"$numberDecimal":"-Infinity"}', '{"$numberDecimal":"Infinity"}'],
  ] as const)
    assert.ok(returns("$abs", value, result), value);
});

test("$ceil and $floor return the next integer of each kind of number, above and below zero", () => {
  for (const [value, up, down] of [
    ["1.5", "2", "1"],
    ["-1.5", "-1", "-2"],
    ["7", "7", "7"],
    ['{"$numberDecimal":"1.5"}', "2", "1"],
    ['{"$numberDecimal":"-1.5"}', "-1", "-2"],
    ['{"$numberDecimal":"-2"}', "-2", "-2"],
  ] as const) {
    assert.ok(returns("$ceil", value, up), value);
    assert.ok(returns("$floor", value, down), value);
  }
});

test("a rounded number and a date have at most 64 bits", () => {
  const longest = '{"$numberLong":"9223372036854775807"}';
  const scope = scopeOf();
  for (const [expression, code] of [
    [`{"$round":[${longest},-1]}`, 51080],
    ['{"$toDate":9223372036854775808}', 241],
    ['{"$toDate":{"$numberDecimal":"-9223372036854775809"}}', 241],
  ] as const) {
    const filter = filterOf(readExtendedJson(bytesOfText(`{"$expr":${expression}}`)), scope.work, scope);
    assert.throws(() => filter.isMet(new Map()), { code }, expression);
  }
  assert.ok(returns("$toDate", longest, `{"$date":${longest}}`));
});

test("a union of no sets is an empty set, and so is an intersection", () => {
  for (const operator of ["$setUnion", "$setIntersection"]) {
    const scope = scopeOf();
    const filter = `{"$expr":{"$eq":[{"${operator}":[]},[]]}}`;
    assert.ok(filterOf(readExtendedJson(bytesOfText(filter)), scope.work, scope).isMet(new Map()), operator);
  }
});
