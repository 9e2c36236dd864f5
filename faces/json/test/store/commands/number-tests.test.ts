/** Tests columns: a read finds the same entries with them as by testing each text, whatever changed in between. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { keyIn } from "../../../../../protocol/document-replies.js";
import { parseJson } from "../../../../../protocol/json/json-reader.js";
import { amount } from "../../../../../test/support/amount.js";
import { SeededRandom, seedOfRun } from "../../../../../test/support/seeded-random.js";
import { selectionOf } from "../../../store/commands/document-reads.js";
import { selected } from "../../../store/commands/document-selection.js";
import { filterIn } from "../../../store/commands/entry-conditions.js";
import { Document, type RemovedEntry } from "../../../store/values/document.js";

const CHANGES = amount(200, 8_000);
const VALUES = [
  ...["0", "-0.0", "1", "2", "2.5", "1.7976931348623157e308", "9007199254740993", "9223372036854775808"],
  ...['"1"', '"x"', '""', "null", "true", "[]", "[1]", '["x",3]', "{}", '{"b":1}', '[{"b":2}]'],
];
const WHERE = [
  ...['{"c":{"$lt":2},"a":"x"}', '{"a":{"$gte":0},"c":{"$gte":0},"z":{"$gte":2}}'],
  ...[
    '{"a":{"$gte":1}}',
    '{"a":{"$gt":1,"$lt":2.5}}',
    '{"a":{"$lte":1}}',
    '{"a":1}',
    '{"a":{"$ne":1}}',
    '{"a":"x"}',
  ],
  ...[
    '{"a":{"$in":[0,2,"x"]}}',
    '{"a":{"$gt":9007199254740992}}',
    '{"a":{"$gt":-1},"c":{"$lt":2}}',
    '{"a.b":{"$lt":2}}',
  ],
  ...['{"a":{"$exists":true}}', '{"a":null}', '{"a":{"$gt":"a"}}', '{"$nor":[{"a":{"$gt":1}}]}'],
];
const QUERY = ['{"a":1}', '{"a":"1"}', '{"a":"x"}', '{"a":2.5,"c":1}', '{"a":true}', '{"a":0}'];
const seed = seedOfRun();

function textIn(random: SeededRandom): string {
  const members = [random.chance(0.9) ? `"a":${random.oneOf(VALUES)}` : '"z":1', `"c":${random.below(3)}`];
  return `{${members.join(",")}}`;
}

function changePlain(document: Document, random: SeededRandom, slot: number, text: string): void {
  const kind = random.below(5);
  if (kind === 0) document.pop(document.next - 1);
  else if (kind < 3) document.takeOut(slot);
  else document.putIn(slot, text);
}

/** Changes a document at random. @param removed  the removed entries of a document with keys, which can be restored */
function change(document: Document, random: SeededRandom, removed: RemovedEntry[]): void {
  const { size } = document;
  const slot = random.below(Math.max(1, size));
  const text = textIn(random);
  if (size < 20 || random.chance(0.3)) {
    document.push(String(document.next), text);
    return;
  }
  const key = keyIn(document.select(), slot);
  const last = removed.at(-1);
  if (random.chance(0.5)) document.set(key, text);
  else if (document.isPlain) changePlain(document, random, slot, text);
  else if (last === undefined || random.chance(0.5)) removed.push(document.remove(key));
  else document.restore(removed.pop() as RemovedEntry);
}

for (const isPlain of [true, false])
  test(`${isPlain ? "numbered" : "named"} entries are found by columns as by their texts (seed ${seed})`, () => {
    const random = new SeededRandom(seed, Number(isPlain));
    const document = new Document();
    if (!isPlain) document.push("name", textIn(random));
    const removed: RemovedEntry[] = [];
    for (let left = CHANGES; left > 0; left--) {
      change(document, random, removed);
      const options = random.chance(0.7)
        ? { where: filterIn(parseJson(random.oneOf(WHERE))) }
        : { query: parseJson(random.oneOf(QUERY)) };
      const expected = [...document.entries()].filter(([, text]) => selectionOf(options).test(text));
      const { found } = selected(document, 1, selectionOf(options));
      const entries = found.texts.map((text, at) => [keyIn(found, at), text]);
      // The difference of long lists takes minutes to describe.
      assert.ok(isDeepStrictEqual(entries, expected), JSON.stringify(options));
    }
  });

const isSame = (text: string) => text.includes('"c":1');
const selection = () => selectionOf({ query: parseJson('{"c":1}') });

for (const isPlain of [true, false])
  test(`what is remembered about ${isPlain ? "numbered" : "named"} entries ends when they change (seed ${seed})`, () => {
    const random = new SeededRandom(seed, 2 + Number(isPlain));
    const document = new Document();
    if (!isPlain) document.push("name", textIn(random));
    const removed: RemovedEntry[] = [];
    let remembered = 0;
    for (let left = CHANGES; left > 0; left--) {
      const found = random.chance(0.5) ? document.select() : selected(document, 1, selection()).found;
      for (const [at, text] of found.texts.entries()) {
        const isKnown = found.memo?.areSame(at, at + 1) === true;
        if (isKnown) remembered++;
        assert.ok(!isKnown || isSame(text), text);
        if (isSame(text) && random.chance(0.5)) found.memo?.noteSame(at, at + 1);
      }
      change(document, random, removed);
      // After a change, the slots may have other texts.
      const at = found.texts.findLastIndex(isSame);
      if (at >= 0 && random.chance(0.5)) found.memo?.noteSame(at, at + 1);
    }
    assert.ok(remembered > CHANGES / 10, String(remembered));
  });
