/** Tests that conditions of DOC.* on entries have the meaning that filters of MDB.* have on the same documents. */
import "../../../../../test/support/all-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandFailure } from "../../../../../daemon/store/arguments/command-errors.js";
import { bytesOfText } from "../../../../../protocol/byte-string.js";
import { parseJson } from "../../../../../protocol/json/json-reader.js";
import { writeJson } from "../../../../../protocol/json/json-writer.js";
import { amount } from "../../../../../test/support/amount.js";
import { SeededRandom, seedOfRun } from "../../../../../test/support/seeded-random.js";
import { entryCondition, filterIn } from "../../../../json/store/commands/entry-conditions.js";
import { filterOf } from "../../../store/queries/bson-filter.js";
import { unlimitedWork } from "../../../store/queries/mongo-failure.js";
import { readExtendedJson } from "../../../store/values/extended-json.js";
import { scopeOf } from "./scope.js";

type Outcome = boolean | string;

function outcome(decide: () => boolean): Outcome {
  try {
    return decide();
  } catch (failure) {
    if (failure instanceof CommandFailure) return failure.message;
    throw failure;
  }
}

const ofEntry = (filter: string, entry: string): Outcome =>
  outcome(() =>
    entryCondition(filterIn(parseJson(filter)), unlimitedWork()).test(
      bytesOfText(writeJson(parseJson(entry))),
    ),
  );

const ofDocument = (filter: string, document: string): Outcome =>
  outcome(() => {
    const scope = scopeOf();
    return filterOf(readExtendedJson(bytesOfText(filter)), scope.work, scope).isMet(
      readExtendedJson(bytesOfText(document)),
    );
  });

const seed = seedOfRun();

test(`a condition matches an entry if a filter matches the document (seed ${seed})`, () => {
  const random = new SeededRandom(seed);
  const some = <T>(min: number, max: number, make: () => T): T[] =>
    Array.from({ length: random.between(min, max) }, make);
  const scalar = () =>
    random.oneOf<unknown>([0, 1, 2, -1, 1.5, 10, "", "a", "ab", "é", "10", true, false, null]);
  const value = (depth = 2): unknown => {
    if (depth === 0 || random.chance(0.6)) return scalar();
    if (random.chance(0.5)) return some(0, 3, () => value(depth - 1));
    return Object.fromEntries(some(0, 2, () => [random.oneOf(["x", "y", "0"]), value(depth - 1)]));
  };
  const field = () => random.oneOf(["a", "b", "a.x", "a.0", "a.x.y", "a.0.x", "o.x", "o.y", "p", "a..x"]);

  const operator = (): Record<string, unknown> => {
    const name = random.oneOf([
      ...["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$regex", "$not", "$type"],
      ...["$size", "$all", "$elemMatch", "$mod"],
    ]);
    if (["$in", "$nin", "$all"].includes(name)) return { [name]: some(0, 5, value) };
    if (name === "$exists") return { [name]: random.oneOf<unknown>([true, false, 0, 1, null]) };
    if (name === "$regex") return { [name]: random.oneOf(["a", "^a", "^ab?", "^a|b", "b$", "^$", "(?i)A"]) };
    if (name === "$not" || name === "$elemMatch") return { [name]: operator() };
    if (name === "$type")
      return { [name]: random.oneOf(["string", "int", "number", "array", "null", "object"]) };
    if (name === "$size") return { [name]: random.below(3) };
    if (name === "$mod") return { [name]: [2, random.below(2)] };
    return { [name]: value() };
  };

  const filter = (depth: number): Record<string, unknown> => {
    if (depth > 0 && random.chance(0.3))
      return { [random.oneOf(["$and", "$or", "$nor"])]: some(1, 3, () => filter(depth - 1)) };
    const condition = Object.assign({}, ...some(1, 3, operator)) as unknown;
    return Object.fromEntries(some(1, 2, () => [field(), random.chance(0.3) ? value() : condition]));
  };

  let met = 0;
  for (let round = 0; round < amount(600, 15_000); round++) {
    const entry = JSON.stringify({ a: value(), b: value(), o: { x: value(), y: scalar() } });
    const filterText = JSON.stringify(filter(2));
    const outcomes = [ofEntry(filterText, entry), ofDocument(filterText, entry)];
    assert.equal(outcomes[0], outcomes[1], `${filterText} of ${entry}`);
    assert.equal(typeof outcomes[0], "boolean", `${filterText}: ${outcomes[0]}`);
    if (outcomes[0] === true) met++;
  }
  assert.ok(met > amount(40, 100));
});

/** A condition, an entry, and whether it matches, or the error. */
const CASES: readonly (readonly [filter: string, entry: string, outcome: Outcome])[] = [
  ["{}", '{"a":1}', true],
  // PHP writes an empty object as an empty list.
  ["[]", '{"a":1}', true],
  ["[1]", '{"a":1}', 'ERR WHERE: an object is required, as in {"age":{"$gte":18},"name":"Ann"}'],
  ['{"a":1.0}', '{"a":1}', true],
  ['{"a":9007199254740993}', '{"a":9007199254740992}', false],
  ['{"a":9007199254740993}', '{"a":9007199254740992.0}', false],
  ['{"a":1.50}', '{"a":1.5}', true],
  ['{"a":0}', '{"a":-0}', true],
  ['{"a":1}', '{"a":[1,2]}', true],
  ['{"a.b":1}', '{"a.b":1}', false],
  ['{"0":1}', "[1,2]", true],
  ['{"a":null}', "{}", true],
  ['{"a":{"x":1,"y":2}}', '{"a":{"y":2,"x":1}}', false],
  // In JSON, unlike in BSON, a name may contain a zero character.
  ['{"a":{"$in":[{"x\\u0000s0:.y":1}]}}', '{"a":{"x":"","y":1}}', false],
  ['{"a":{"$regex":"B","$options":"i"}}', '{"a":"abc"}', true],
  ['{"a":{"$regex":"^a.b"}}', '{"a":"a\\nb"}', false],
  ['{"a":{"$regex":"^A.b","$options":"si"}}', '{"a":"a\\nb"}', true],
  [
    '{"a":{"$prefix":"b"}}',
    '{"a":"bc"}',
    'ERR WHERE: unknown operator: $prefix: use {"$regex":"^beginning"}',
  ],
  [
    '{"a":{"$contains":"b"}}',
    '{"a":"bc"}',
    'ERR WHERE: unknown operator: $contains: use {"$regex":"part"} for strings, and the value itself for lists, as in {"tags":"new"}',
  ],
  [
    '{"$not":{"a":1}}',
    '{"a":2}',
    "ERR WHERE: unknown top level operator: $not: use $nor with a list of conditions",
  ],
  ['{"$or":[]}', '{"a":2}', "ERR WHERE: $or must be a nonempty array"],
  ['{"$expr":{"$eq":["$a",1]}}', '{"a":1}', "ERR WHERE: $expr is not supported by this server"],
];

for (const [filter, entry, expected] of CASES)
  test(`${filter} on ${entry}: ${expected}`, () => {
    assert.equal(ofEntry(filter, entry), expected);
  });

test("the number of conditions in a filter is limited", () => {
  const many = (count: number, filter: string) => `{"$or":[${Array(count).fill(filter).join(",")}]}`;
  assert.equal(ofEntry(many(9999, '{"a":1}'), "{}"), false);
  assert.equal(ofEntry(many(9999, "{}"), "{}"), true);
  for (const filter of ["{}", '{"a":1}'])
    assert.equal(ofEntry(many(10_000, filter), "{}"), "ERR WHERE: a filter has at most 10000 conditions");
});
