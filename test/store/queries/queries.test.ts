/**
 * Tests that operators of filters have the same meaning in DOC.* and MDB.*, except for the differences listed in
 * docs/decisions/0056.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOfText } from "../../../protocol/byte-string.js";
import { parseJson } from "../../../protocol/json/json-reader.js";
import { writeJson } from "../../../protocol/json/json-writer.js";
import { CommandFailure } from "../../../store/arguments/command-errors.js";
import { filterOf } from "../../../store/queries/bson/bson-filter.js";
import { conditionOf, testOf } from "../../../store/queries/json/json-filter.js";
import { readExtendedJson } from "../../../store/values/collections/extended-json.js";
import { amount } from "../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";
import { scopeOf } from "./scope.js";

type Outcome = boolean | "error";

function outcome(decide: () => boolean): Outcome {
  try {
    return decide();
  } catch (failure) {
    if (failure instanceof CommandFailure) return "error";
    throw failure;
  }
}

const byJson = (filter: string, entry: string): Outcome =>
  outcome(() => testOf(conditionOf(parseJson(filter)))(bytesOfText(writeJson(parseJson(entry)))));

const byBson = (filter: string, document: string): Outcome =>
  outcome(() => {
    const scope = scopeOf();
    return filterOf(readExtendedJson(bytesOfText(filter)), scope.work, scope).isMet(
      readExtendedJson(bytesOfText(document)),
    );
  });

const seed = seedOfRun();

test(`without lists and null a filter has the same meaning for JSON and BSON (seed ${seed})`, () => {
  const random = new SeededRandom(seed);
  const some = <T>(least: number, most: number, make: () => T): T[] =>
    Array.from({ length: random.between(least, most) }, make);
  const number = () => random.oneOf([0, 1, 2, -1, 1.5, 10]);
  const text = () => random.oneOf(["", "a", "ab", "b", "é", "10"]);
  const value = () => random.oneOf<unknown>([number(), number(), text(), text(), true, false]);
  const field = () => random.oneOf(["a", "b", "o.x", "o.y", "p"]);
  const operator = (): Record<string, unknown> => {
    const name = random.oneOf([
      "$eq",
      "$ne",
      "$gt",
      "$gte",
      "$lt",
      "$lte",
      "$in",
      "$nin",
      "$exists",
      "$regex",
      "$not",
    ]);
    if (name === "$in" || name === "$nin") return { [name]: some(0, 10, value) };
    if (name === "$exists") return { [name]: random.chance(0.5) };
    if (name === "$regex") return { [name]: random.oneOf(["a", "^a", "b$", "^$", "(?i)A"]) };
    if (name === "$not") return { [name]: operator() };
    return { [name]: name === "$eq" || name === "$ne" ? value() : random.oneOf([number(), text()]) };
  };
  const filter = (depth: number): Record<string, unknown> => {
    if (depth > 0 && random.chance(0.3))
      return { [random.oneOf(["$and", "$or"])]: some(1, 3, () => filter(depth - 1)) };
    const condition = Object.assign({}, ...some(1, 3, operator)) as unknown;
    return Object.fromEntries(some(1, 2, () => [field(), random.chance(0.3) ? value() : condition]));
  };
  let met = 0;
  for (let round = 0; round < amount(2000, 20_000); round++) {
    const entry = JSON.stringify({ a: value(), b: value(), o: { x: value(), y: number() } });
    const filterText = JSON.stringify(filter(2));
    const outcomes = [byJson(filterText, entry), byBson(filterText, entry)];
    assert.equal(outcomes[0], outcomes[1], `${filterText} of ${entry}`);
    assert.notEqual(outcomes[0], "error", filterText);
    if (outcomes[0] === true) met++;
  }
  assert.ok(met > 100);
});

/** A filter, an entry, and whether JSON's and BSON's operators match it. */
const DIFFERENCES: readonly (readonly [filter: string, entry: string, json: Outcome, bson: Outcome])[] = [
  ['{"a":1}', '{"a":[1,2]}', false, true],
  ['{"a.x":1}', '{"a":[{"x":1}]}', false, true],
  ['{"a.0":1}', '{"a":[1,2]}', true, true],
  ['{"a.b":1}', '{"a.b":1}', true, false],
  ['{"a":{"$ne":1}}', '{"a":[1,2]}', true, false],
  ['{"a":{"$nin":[1]}}', '{"a":[1,2]}', true, false],
  ['{"a":{"$gt":1,"$lt":3}}', '{"a":[0,5]}', false, true],
  ['{"a":null}', "{}", false, true],
  ['{"a":{"$ne":null}}', "{}", true, false],
  ['{"a":{"x":1,"y":2}}', '{"a":{"y":2,"x":1}}', true, false],
  ['{"a":{"$gt":true}}', '{"a":true}', "error", false],
  ['{"a":{"$gte":null}}', "{}", "error", true],
  ['{"a":{"$in":[{"$gt":1}]}}', '{"a":2}', false, "error"],
  ['{"a":{"$exists":1}}', '{"a":2}', "error", true],
  ['{"a":{"$not":1}}', '{"a":2}', true, "error"],
  ['{"$not":{"a":1}}', '{"a":2}', true, "error"],
  ['{"$nor":[{"a":1}]}', '{"a":2}', "error", true],
  ['{"$nor":[{"a":1},{"a":2}]}', '{"a":2}', "error", false],
  ['{"$and":[]}', '{"a":2}', true, "error"],
  ['{"$or":[]}', '{"a":2}', false, "error"],
  ['{"a":{"$prefix":"b"}}', '{"a":"bc"}', true, "error"],
  ['{"a":{"$size":1}}', '{"a":[1]}', "error", true],
];

for (const [filter, entry, json, bson] of DIFFERENCES)
  test(`${filter} on ${entry}: ${json} for JSON, ${bson} for BSON`, () => {
    assert.equal(byJson(filter, entry), json);
    assert.equal(byBson(filter, entry), bson);
  });

test("the number of conditions in a filter is limited, including JSON's empty conditions", () => {
  const many = (count: number, filter: string) => `{"$or":[${Array(count).fill(filter).join(",")}]}`;
  assert.equal(byJson(many(999, "{}"), "{}"), true);
  assert.equal(byJson(many(1000, "{}"), "{}"), "error");
  assert.equal(byBson(many(11_000, "{}"), "{}"), true);
  assert.equal(byBson(many(9999, '{"a":1}'), "{}"), false);
  assert.equal(byBson(many(10_000, '{"a":1}'), "{}"), "error");
});
