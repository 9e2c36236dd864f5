/** Tests parts of entries: those that a pattern cuts equal those of parsed entries. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOfText, textOfBytes } from "../../../../../protocol/byte-string.js";
import { DocumentEntriesReply } from "../../../../../protocol/document-replies.js";
import { parseJson } from "../../../../../protocol/json/json-reader.js";
import { writeJson } from "../../../../../protocol/json/json-writer.js";
import { finish } from "../../../../../protocol/steps.js";
import { amount } from "../../../../../test/support/amount.js";
import { SeededRandom, seedOfRun } from "../../../../../test/support/seeded-random.js";
import { EntryPart } from "../../../store/commands/entry-parts.js";

const ROUNDS = amount(40, 2_000);
const NAMES = ["a", "b", "c", "é", "$1", 'q"', "x.y", "", "name", "0"];
const VALUES = [
  ...[
    "0",
    "-1.50",
    "1e300",
    "true",
    "null",
    '"x"',
    '"}"',
    '"a\\"b"',
    '"\\\\"',
    '"é\\n"',
    "[]",
    "{}",
    "[1,[2]]",
  ],
  ...['{"a":1}', '{"a":{"b":[{}]}}', '["]"]', '{"name":2,"b":3}'],
];
const seed = seedOfRun();

function object(random: SeededRandom, names: readonly string[]): string {
  return `{${names.map((name) => `${JSON.stringify(name)}:${random.oneOf(VALUES)}`).join(",")}}`;
}

function replyWith(texts: readonly string[], fields: readonly string[]): DocumentEntriesReply {
  return new DocumentEntriesReply(
    new EntryPart(fields).ofEntries(new DocumentEntriesReply({ keys: null, texts })),
  );
}

const partsOf = (texts: readonly string[], fields: readonly string[]) =>
  finish(replyWith(texts, fields).completeSteps()).texts;

test(`entries of any shape are cut like parsed ones (seed ${seed})`, () => {
  const random = new SeededRandom(seed, 1);
  const some = (from: readonly string[], chance: number) => from.filter(() => random.chance(chance));
  let pieces = 0;

  for (let left = ROUNDS; left > 0; left--) {
    const names = some(NAMES, 0.6);
    const alike = random.oneOf([0.5, 0.9, 1]);
    const texts = Array.from({ length: random.between(60, 70) }, () => {
      const text = random.chance(0.01)
        ? "[1,2]"
        : object(random, random.chance(alike) ? names : some(NAMES, 0.6));
      return bytesOfText(writeJson(parseJson(text)));
    });

    const fields = some(random.chance(0.8) ? NAMES.filter((name) => name !== "x.y") : NAMES, 0.4);
    if (random.chance(0.3)) fields.reverse();
    const found = partsOf(texts, fields);
    // A path leads the name "x.y" to the member "y" of "x", which no entry has.
    const wanted = fields.filter((field) => field !== "x.y");

    for (const [at, text] of texts.entries()) {
      const members = JSON.parse(textOfBytes(text)) as Readonly<Record<string, unknown>>;
      const part = wanted.filter((name) => Object.hasOwn(members, name)).map((name) => [name, members[name]]);
      assert.deepEqual(JSON.parse(textOfBytes(found[at] as string)), Object.fromEntries(part), text);
      assert.equal(found[at], new EntryPart([...fields, "x.y"]).of(text), text);
      pieces += part.length;
    }
  }

  assert.ok(pieces > ROUNDS);
});

test("an entry with many members is read once, however many of them are requested", () => {
  const names = Array.from({ length: 1000 }, (_, i) => `member${i}`);
  const text = `{"first":{},${names.map((name) => `"${name}":[1]`).join(",")}}`;

  let read = 0;
  const charCodeAt = String.prototype.charCodeAt;
  String.prototype.charCodeAt = function (this: string, at: number) {
    read++;
    return charCodeAt.call(this, at);
  };
  let part: string;
  try {
    part = new EntryPart([...names, "absent"]).of(text);
  } finally {
    String.prototype.charCodeAt = charCodeAt;
  }

  assert.equal(part, text.replace('"first":{},', ""));
  assert.ok(read < 10 * text.length, `${read} characters of ${text.length} were read`);
});

test("long entries are cut one per step, and short ones together", () => {
  const stepsFor = (length: number, count: number) => {
    const texts = Array.from({ length: count }, () => `{"a":"${"x".repeat(length)}","b":1,"c":1}`);
    let steps = 0;
    for (const _ of replyWith(texts, ["b"]).completeSteps()) steps++;
    return steps;
  };
  assert.equal(stepsFor(100_000, 5), 5);
  assert.equal(stepsFor(10, 5), 0);
});

test("a member that only a later entry has is found", () => {
  const first = Array.from({ length: 64 }, () => '{"a":1,"b":2}');
  const texts = [...first, '{"a":1,"b":2,"c":3}', '{"a":1,"c":{"a":1,"b":2}}'];
  const parts = partsOf(texts, ["a", "c"]);
  assert.deepEqual(parts.slice(63), ['{"a":1}', '{"a":1,"c":3}', '{"a":1,"c":{"a":1,"b":2}}']);
});
