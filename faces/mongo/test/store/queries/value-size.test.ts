/** Tests the limits of the values of expressions, and searches in long texts. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { finishReply } from "../../../../../protocol/lazy-replies.js";
import { amount } from "../../../../../test/support/amount.js";
import { SeededRandom, seedOfRun } from "../../../../../test/support/seeded-random.js";
import { indexOfPart, occurrences } from "../../../store/queries/operators/strings.js";
import { MdbUnderTest, textOf } from "../commands/mdb-under-test.js";

const seed = seedOfRun();
let store: MdbUnderTest;
beforeEach(() => {
  store = new MdbUnderTest();
  store.run("INSERT", "1", ...Array.from({ length: 60 }, (_, i) => `{"_id":${i}}`));
});

const evaluated = (expression: object) =>
  store.run(
    "AGGREGATE",
    JSON.stringify({ pipeline: [{ $limit: 1 }, { $project: { _id: 0, x: expression } }] }),
  );
const reduced = (count: number, initialValue: unknown, inside: unknown) => ({
  $reduce: { input: { $range: [0, count] }, initialValue, in: inside },
});

test("a value of an expression is at most as large and as deep as a document", () => {
  const large = /^MONGO 10334 BSONObjectTooLarge a value of \d+ bytes; 16777216 at most/;
  const doubled = (count: number) => reduced(count, 1, ["$$value", "$$value"]);

  assert.equal(evaluated({ $size: [doubled(16)] }), "{x:2}");
  assert.match(evaluated({ $size: [doubled(30)] }), large);
  assert.match(evaluated({ $eq: [doubled(90), doubled(90)] }), large);
  assert.match(evaluated({ $size: { $setUnion: [doubled(90), []] } }), large);
  assert.match(evaluated({ $type: reduced(90, 1, { a: "$$value", b: "$$value" }) }), large);
  assert.match(evaluated({ $type: { $range: [0, 3_000_000] } }), large);
  assert.match(evaluated({ $type: reduced(3_000_000, "", "$$value") }), large);
  assert.match(
    evaluated({ $map: { input: { $range: [0, 100] }, in: { $range: [0, amount(6_000, 100_000)] } } }),
    large,
  );

  const text = reduced(22, "ba", { $concat: ["$$value", "$$value"] });
  assert.match(evaluated({ $type: [[[text, text], text]] }), large);
  assert.equal(evaluated({ $type: reduced(98, 1, ["$$value"]) }), '{x:"array"}');
  assert.match(evaluated({ $type: reduced(200, 1, ["$$value"]) }), /more than 100 levels deep/);
});

test("a query in steps is rejected before it has produced more than it may", () => {
  const pipeline = [{ $set: { x: { $range: [0, 200_000] } } }, { $unwind: "$x" }, { $count: "n" }];
  const argv = ["MDB.AGGREGATE", "db", "c", JSON.stringify({ pipeline })];
  const result = () =>
    textOf(finishReply(store.database.execute(argv, { at: 1, db: 0, id: "u", takesSteps: true })));
  assert.throws(result, /^CommandFailure: TOOMUCH the query would produce more than 8000000 elements/);
});

test("the smallest aggregates whose product was unlimited are rejected, and so is the comparison of large values", () => {
  const tooMuch = /^MONGO 146 ExceededMemoryLimit a command checks at most|^MONGO 10334|^TOOMUCH/;
  store.database.unitStepsMax = 1_000_000;
  const products = [100_000, 20_000].map((count) => ({
    $size: { $map: { input: { $range: [0, count] }, as: "i", in: { $range: [0, count] } } },
  }));
  const equal = {
    $let: { vars: { b: { $range: [0, 20_000] } }, in: reduced(20_000, 0, { $cmp: ["$$b", "$$b"] }) },
  };
  for (const expression of [...products, equal])
    assert.match(evaluated(expression), tooMuch, JSON.stringify(expression));
});

test(`a part of a text is found in linear time, at the same places (seed ${seed})`, () => {
  const random = new SeededRandom(seed);
  const textOfLength = (length: number) =>
    Array.from({ length }, () => random.oneOf(["a", "b", "ab"])).join("");
  const repeatedText = textOfLength(5).repeat(600);

  for (let run = 0; run < amount(60, 300); run++) {
    const text = random.oneOf([repeatedText, textOfLength(4000)]);
    const at = random.below(text.length);
    const part = random.oneOf([
      text.slice(at, at + 600),
      `${text.slice(at, at + 900)}c`,
      repeatedText.slice(0, 500),
    ]);
    if (part === "") continue;

    const from = random.below(text.length);
    assert.equal(indexOfPart(text, part, from), text.indexOf(part, from));

    let end = 0;
    const parts = [...occurrences(text, part)].map((start) => {
      const before = text.slice(end, start);
      end = start + part.length;
      return before;
    });
    assert.deepEqual([...parts, text.slice(end)], text.split(part));
  }

  const part = `${"a".repeat(50_000)}b${"a".repeat(50_000)}`;
  // V8's own search would take two minutes.
  assert.equal(indexOfPart("a".repeat(2_000_000), part), -1);
});

test("$split, $replaceAll, $trim and positions of characters treat texts as MongoDB does", () => {
  const text = "ä€aBÄ a ";
  assert.equal(evaluated({ $split: ["a-b--c", "-"] }), '{x:["a","b","","c"]}');
  assert.equal(evaluated({ $replaceAll: { input: "aXaXa", find: "X", replacement: "" } }), '{x:"aaa"}');
  assert.equal(evaluated({ $replaceOne: { input: "aXaXa", find: "X", replacement: "YY" } }), '{x:"aYYaXa"}');
  assert.equal(evaluated({ $replaceAll: { input: "ab", find: "", replacement: "-" } }), '{x:"a-b"}');
  assert.equal(evaluated({ $trim: { input: ` ${text}`, chars: " ä" } }), '{x:"€aBÄ a"}');
  assert.equal(evaluated({ $rtrim: { input: text, chars: " aÄ" } }), '{x:"ä€aB"}');
  assert.equal(evaluated({ $substrCP: [text, 1, 3] }), '{x:"€aB"}');
  assert.equal(evaluated({ $indexOfCP: [text, "a", 3] }), "{x:6}");
  assert.equal(evaluated({ $strLenCP: text }), "{x:8}");
  assert.equal(evaluated({ $toLower: text }), '{x:"ä€abÄ a "}');
  assert.equal(evaluated({ $toUpper: text }), '{x:"ä€ABÄ A "}');
});
