/** Tests that a text that matches a shape is parsed and written unchanged. DBSYNC_SEED replays a run. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJson, shapeOf } from "../../../protocol/json/json-reader.js";
import { JsonObject } from "../../../protocol/json/json-value.js";
import { writeJson } from "../../../protocol/json/json-writer.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";

const seed = seedOfRun();
const TEXTS = 20_000;
const NAMES = ["a", "b.", "0", "(", "é", 'q"', "\\", ""] as const;
const VALUES = [
  ...[
    "1",
    "0",
    "-0",
    "-12",
    "01",
    "1.50",
    "1.",
    ".5",
    "1e5",
    "+1",
    "12345678901234567890",
    "123456789012345678901",
  ],
  ...[
    '"x"',
    '""',
    '"é😀"',
    '"😀"',
    '"\\n"',
    '"\n"',
    '"/"',
    "'x'",
    '"a"b"',
    "true",
    "false",
    "null",
    "nul",
    "[]",
    "{}",
    "",
  ],
] as const;

test(`a text that matches a shape is parsed and written unchanged (seed ${seed})`, () => {
  const random = new SeededRandom(seed);
  let found = 0;
  for (let left = TEXTS; left > 0; left--) {
    const names = NAMES.filter(() => random.chance(0.4));
    const shape = shapeOf(names);
    const written = random.chance(0.8) ? names : [...names, random.oneOf(NAMES)];
    const text = `{${written.map((name) => `${JSON.stringify(name)}:${random.oneOf(VALUES)}`).join(",")}}`;
    const given = random.chance(0.1) ? `${text}${random.oneOf([" ", "}", ",", text])}` : text;
    if (shape === null) assert.equal(names.length, 0);
    else if (shape.matches(given)) {
      found++;
      const value = parseJson(given);
      assert.equal(writeJson(value), given);
      assert.ok(value instanceof JsonObject);
      assert.deepEqual(value.names, names);
    }
  }
  assert.ok(found > TEXTS / 20);
});

test("no names, many names and long names have no shape", () => {
  assert.equal(shapeOf([]), null);
  assert.equal(shapeOf(Array.from({ length: 65 }, (_, at) => String(at))), null);
  assert.equal(shapeOf(["x".repeat(2000)]), null);
});
