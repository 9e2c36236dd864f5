/**
 * Tests that operators of updates have the same meaning in DOC.UPDATE and MDB.*, except for the differences listed in
 * docs/decisions/0056.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOfText, textOfBytes } from "../../../protocol/byte-string.js";
import { parseJson } from "../../../protocol/json/json-reader.js";
import type { JsonContainer, JsonObject } from "../../../protocol/json/json-value.js";
import { writeJson } from "../../../protocol/json/json-writer.js";
import { CommandFailure } from "../../../store/arguments/command-errors.js";
import { updateOf } from "../../../store/queries/bson/bson-update.js";
import { changed, jsonChangesOf } from "../../../store/queries/json/json-update.js";
import { readExtendedJson, writeExtendedJson } from "../../../store/values/collections/extended-json.js";
import { amount } from "../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";
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

const byJson = (update: string, entry: string) =>
  outcome(() => {
    const changes = jsonChangesOf(parseJson(update) as JsonObject);
    return writeJson(changed(parseJson(entry) as JsonContainer, changes, () => {}));
  });

const byBson = (update: string, document: string) =>
  outcome(() => {
    const apply = updateOf(readExtendedJson(bytesOfText(update)), updateContext());
    const text = textOfBytes(writeExtendedJson(apply(readExtendedJson(bytesOfText(document)))));
    return text.replace(/\{"\$number(?:Int|Long|Double)":"(-?[\d.]+)"\}/g, "$1");
  });

const seed = seedOfRun();

test(`operators for JSON and BSON change an entry in the same way (seed ${seed})`, () => {
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
  const uses: readonly (() => Record<string, unknown>)[] = [
    () => ({ $set: { [random.oneOf(["a", "o.x", "o.z.y"])]: value() } }),
    () => ({ $unset: { [random.oneOf(["o.x", "o.q", "p.q"])]: 1 } }),
    () => ({ $inc: { [random.oneOf(["n", "o.n", "o.m", "a"])]: random.oneOf([1, -2, 0.5]) } }),
    () => ({ $push: { [random.oneOf(["l", "o.l", "o.k"])]: value() } }),
    () => ({ $pull: { [random.oneOf(["l", "o.l", "o.j", "a"])]: pullOperand() } }),
  ];
  let changedEntries = 0;
  for (let round = 0; round < amount(2000, 20_000); round++) {
    const entry = {
      a: value(),
      n: random.between(-3, 3),
      l: some(0, 4, value),
      o: { x: value(), n: 1, l: some(0, 2, value) },
    };
    const update = JSON.stringify(random.oneOf(uses)());
    const text = JSON.stringify(entry);
    const outcomes = [byJson(update, text), byBson(update, text)];
    assert.deepEqual(outcomes[0], outcomes[1], `${update} of ${text}`);
    if (outcomes[0] !== "error" && JSON.stringify(outcomes[0]) !== text) changedEntries++;
  }
  assert.ok(changedEntries > 100);
});

/** An update, an entry, and the results of JSON's and BSON's operators. */
const DIFFERENCES: readonly (readonly [update: string, entry: string, json: unknown, bson: unknown])[] = [
  ['{"$set":{"a.b":1}}', '{"a.b":0}', { "a.b": 1 }, { "a.b": 0, a: { b: 1 } }],
  ['{"$set":{"l.2":1}}', '{"l":[]}', { l: { 2: 1 } }, { l: [null, null, 1] }],
  ['{"$set":{"l.3":1}}', '{"l":[5]}', "error", { l: [5, null, null, 1] }],
  ['{"$unset":{"a":1}}', '{"a":1,"b":2}', "error", { b: 2 }],
  ['{"$unset":{"l.0":1}}', '{"l":[1,2]}', "error", { l: [null, 2] }],
  ['{"$set":{"a":1},"$inc":{"a":1}}', '{"a":0}', { a: 2 }, "error"],
  ['{"$set":{"o":{}},"$inc":{"o.x":1}}', '{"o":1}', { o: { x: 1 } }, "error"],
  ['{"$push":{"a":1}}', '{"a":{}}', { a: [1] }, "error"],
  ['{"$push":{"l":{"$each":[1,2]}}}', '{"l":[]}', { l: [{ $each: [1, 2] }] }, { l: [1, 2] }],
  ['{"$pull":{"l":{"x":1}}}', '{"l":[{"x":1,"y":2},{"x":1}]}', { l: [{ x: 1, y: 2 }] }, { l: [] }],
  ['{"$pull":{"l":{"$bogus":1}}}', '{"a":1}', { a: 1 }, "error"],
  ['{"$mul":{"a":2}}', '{"a":2}', "error", { a: 4 }],
];

for (const [update, entry, json, bson] of DIFFERENCES)
  test(`${update} on ${entry}: ${JSON.stringify(json)} for JSON, ${JSON.stringify(bson)} for BSON`, () => {
    assert.deepEqual(byJson(update, entry), json);
    assert.deepEqual(byBson(update, entry), bson);
  });
