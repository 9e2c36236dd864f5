/** Tests that operators of DOC.UPDATE change entries as those of MDB.* change the same documents. */
import "../../../../../test/support/all-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandFailure } from "../../../../../daemon/store/arguments/command-errors.js";
import { EffortBudget } from "../../../../../daemon/store/keyspace/effort-budget.js";
import { bytesOfText, textOfBytes } from "../../../../../protocol/byte-string.js";
import { parseJson } from "../../../../../protocol/json/json-reader.js";
import type { JsonContainer, JsonObject } from "../../../../../protocol/json/json-value.js";
import { writeJson } from "../../../../../protocol/json/json-writer.js";
import { amount } from "../../../../../test/support/amount.js";
import { SeededRandom, seedOfRun } from "../../../../../test/support/seeded-random.js";
import { entryUpdate } from "../../../../json/store/commands/entry-operators.js";
import { type UpdateContext, updateOf } from "../../../store/queries/bson-update.js";
import { PositionalElements } from "../../../store/queries/positional-elements.js";
import { readExtendedJson, writeExtendedJson } from "../../../store/values/extended-json.js";
import { updateContext } from "./scope.js";

/** Returns the entry after a change, or "error". */
function outcome(change: () => string): unknown {
  try {
    return JSON.parse(change());
  } catch (failure) {
    if (failure instanceof CommandFailure) return "error";
    throw failure;
  }
}

const CONTEXT = { filter: new Map(), unit: { at: 1, db: 0, id: "u" }, effort: new EffortBudget() };

const byJson = (update: string, entry: string) =>
  outcome(() => {
    const apply = entryUpdate(parseJson(update) as JsonObject, CONTEXT);
    return writeJson(apply(parseJson(entry) as JsonContainer));
  });

/** The context of a statement that permits positional paths. */
function bsonContext(): UpdateContext {
  const context = updateContext();
  return { ...context, elements: new PositionalElements(new Map(), undefined, context) };
}

const byBson = (update: string, document: string) =>
  outcome(() => {
    const apply = updateOf(readExtendedJson(bytesOfText(update)), bsonContext());
    const text = textOfBytes(writeExtendedJson(apply(readExtendedJson(bytesOfText(document)))));
    return text.replace(/\{"\$number(?:Int|Long|Double)":"(-?[\d.]+)"\}/g, "$1");
  });

const seed = seedOfRun();

test(`operators change an entry like a document (seed ${seed})`, () => {
  const random = new SeededRandom(seed);
  const some = <T>(least: number, most: number, make: () => T): T[] =>
    Array.from({ length: random.between(least, most) }, make);
  const value = () => random.oneOf<unknown>([0, 1, 2, -1, 1.5, "", "a", "ab", "é", true, false]);
  const pullOperand = () =>
    random.oneOf<unknown>([
      value(),
      { $gt: 0 },
      { $in: [1, "a"] },
      { $ne: 1, $lt: 2 },
      { $not: { $gte: "a" } },
    ]);
  const path = () => random.oneOf(["a", "n", "l", "l.1", "l.x", "o.x", "o.z.y", "o.l", "o.l.3", "p.q"]);

  const uses: readonly (() => Record<string, unknown>)[] = [
    () => ({ $set: { [random.oneOf(["a", "o.x", "o.z.y"])]: value() } }),
    () => ({ $unset: { [random.oneOf(["o.x", "o.q", "p.q"])]: 1 } }),
    () => ({ $inc: { [random.oneOf(["n", "o.n", "o.m", "a"])]: random.oneOf([1, -2, 0.5]) } }),
    () => ({ $push: { [random.oneOf(["l", "o.l", "o.k"])]: value() } }),
    () => ({ $pull: { [random.oneOf(["l", "o.l", "o.j", "a"])]: pullOperand() } }),
    () => ({ $push: { [path()]: { $each: some(0, 3, value), $slice: -2, $sort: 1 } } }),
    () => ({ $addToSet: { [path()]: value() }, $mul: { n: random.oneOf([2, 0.5]) } }),
    () => ({ [random.oneOf(["$min", "$max", "$set"])]: { [path()]: value() }, $unset: { [path()]: 1 } }),
    () => ({ $pop: { [path()]: random.oneOf([1, -1]) }, $pullAll: { [path()]: some(0, 3, value) } }),
    () => ({ $rename: { [path()]: path() }, $bit: { n: { xor: 5 } } }),
    () => ({ $inc: { "l.$[]": 1 }, $set: { [path()]: value() } }),
  ];

  let changedEntries = 0;
  for (let round = 0; round < amount(800, 8_000); round++) {
    const entry = {
      a: value(),
      n: random.between(-3, 3),
      l: some(1, 4, value),
      o: { x: value(), n: 1, l: some(1, 2, value) },
    };

    const update = JSON.stringify(random.oneOf(uses)());
    const text = JSON.stringify(entry);
    const outcomes = [byJson(update, text), byBson(update, text)];
    assert.deepEqual(outcomes[0], outcomes[1], `${update} of ${text}`);
    if (outcomes[0] !== "error" && JSON.stringify(outcomes[0]) !== text) changedEntries++;
  }
  assert.ok(changedEntries > 100);
});

/** An update, an entry, and the entry's text after the update, or "error". */
const CASES: readonly (readonly [update: string, entry: string, after: string])[] = [
  ['{"$set":{"b":1.50}}', '{"a":1.50,"b":1}', '{"a":1.50,"b":1.50}'],
  [
    '{"$push":{"l":3.00}}',
    '{"l":[1.50,-0,1e2,100000000000000000000]}',
    '{"l":[1.50,-0,1e2,100000000000000000000,3.00]}',
  ],
  ['{"$pull":{"l":1.5}}', '{"l":[1.50,2.50]}', '{"l":[2.50]}'],
  ['{"$inc":{"a":1}}', '{"a":1.50}', '{"a":2.5}'],
  ['{"$inc":{"a":1}}', '{"a":2147483647}', '{"a":2147483648}'],
  ['{"$mul":{"a":1e300}}', '{"a":1e300}', "error"],
  ['{"$currentDate":{"a":true}}', '{"a":1}', "error"],
  ['{"$set":{"a":[2]}}', "[1]", '{"0":1,"a":[2]}'],
  ['{"$inc":{"0":1}}', "[1]", "[2]"],
  ['{"$set":{"a.b":1}}', '{"a.b":0}', '{"a.b":0,"a":{"b":1}}'],
  ['{"$set":{"_id":2}}', '{"_id":1}', '{"_id":2}'],
  // PHP writes an empty object as an empty list.
  ['{"$set":{"a.x":1}}', '{"a":[]}', '{"a":{"x":1}}'],
  ['{"$push":{"a":1}}', '{"a":{}}', '{"a":[1]}'],
  ['{"$push":{"a.b":1}}', '{"a":{"b":{}}}', '{"a":{"b":[1]}}'],
  ['{"$unset":{"a.x":1}}', '{"a":[]}', '{"a":[]}'],
  ['{"$set":{"a.1":1}}', '{"a":[]}', '{"a":[null,1]}'],
];

for (const [update, entry, after] of CASES)
  test(`${update} turns ${entry} into ${after}`, () => {
    let text = "error";
    outcome(() => {
      text = writeJson(
        entryUpdate(parseJson(update) as JsonObject, CONTEXT)(parseJson(entry) as JsonContainer),
      );
      return text;
    });
    assert.equal(text, after);
  });
