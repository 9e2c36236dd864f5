/**
 * Tests that the members of JSON objects are found in their texts without parsing the texts, with the same result as a
 * parser. DBSYNC_SEED replays a run.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOfText, textOfBytes } from "../../../../../protocol/byte-string.js";
import { parseJson } from "../../../../../protocol/json/json-reader.js";
import { JsonObject, type JsonValue, memberOf } from "../../../../../protocol/json/json-value.js";
import { writeJson } from "../../../../../protocol/json/json-writer.js";
import { SeededRandom, seedOfRun } from "../../../../../test/support/seeded-random.js";
import {
  endOfValue,
  MISSING,
  memberAt,
  memberIn,
  memberName,
  memberPath,
  memberValueOf,
  valueAt,
} from "../../../store/values/member-value.js";

const seed = seedOfRun();
const DOCUMENTS = 5000;
/** Parts of names and strings that resemble JSON syntax. */
const PARTS = ["a", "b", '"', "\\", ",", ":", "{", "}", "[", "]", "é", "\n", ""] as const;

const randomText = (random: SeededRandom) =>
  Array.from({ length: random.below(4) }, () => random.oneOf(PARTS)).join("");

function randomJson(random: SeededRandom, depth: number): JsonValue {
  // Deep values contain no lists or objects.
  const kind = random.below(depth > 2 ? 4 : 7);
  if (kind < 3) return randomText(random);
  if (kind === 3) return random.oneOf([null, true, false]);
  if (kind === 4) return Array.from({ length: random.below(3) }, () => randomJson(random, depth + 1));
  return randomObject(random, depth + 1);
}

function randomObject(random: SeededRandom, depth: number): JsonObject {
  const object = new JsonObject();
  for (let remaining = random.below(4); remaining > 0; remaining--)
    object.set(randomText(random), randomJson(random, depth));
  return object;
}

test(`a member is found where a parser finds it, and nowhere else (seed ${seed})`, () => {
  const random = new SeededRandom(seed);
  let foundCount = 0;
  for (let remaining = DOCUMENTS; remaining > 0; remaining--) {
    const document = randomObject(random, 0);
    const text = bytesOfText(writeJson(document));
    for (const name of [...document.names, randomText(random), randomText(random)]) {
      const at = valueAt(text, memberName(bytesOfText(name)));
      const member = memberOf(document, name);
      const found = at < 0 ? undefined : textOfBytes(text.slice(at, endOfValue(text, at)));
      assert.equal(found, member === undefined ? undefined : writeJson(member), `${name} in ${text}`);
      if (at >= 0) assert.doesNotThrow(() => parseJson(found as string));
      foundCount += Number(at >= 0);
    }
  }
  assert.ok(foundCount > DOCUMENTS / 2, "otherwise the random objects have too few members to test anything");
});

const NESTED = parseJson('{"a":[{"b":{"c":1}},[2,[3]],"x"],"d":{"e":"f"},"g":[[{"h":4}]]}');
const NESTED_TEXT = bytesOfText(writeJson(NESTED));

test("a path leads through objects and list indexes to the same value as in the parsed document", () => {
  for (const path of ["a.0.b.c", "a.0.b", "a.1.0", "a.1.1.0", "a.2", "d.e", "g.0.0.h", "a.1", "d"]) {
    const value = memberAt(NESTED, path);
    assert.ok(value !== undefined, path);
    assert.deepEqual(memberIn(NESTED_TEXT, memberPath(path)), memberValueOf(value), path);
  }
  for (const path of ["a.3.b", "a.0.c.d", "a.2.b", "d.0.e", "g.0.1.h", "z.a"])
    assert.equal(memberIn(NESTED_TEXT, memberPath(path)), MISSING, path);
});

test("a path with a name in place of a list index leads to the complete list", () => {
  const all = memberValueOf(memberAt(NESTED, "a") ?? assert.fail());
  assert.deepEqual(memberIn(NESTED_TEXT, memberPath("a.b.c")), all);
});
