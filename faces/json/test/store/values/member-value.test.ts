/**
 * Tests that members are found in texts without parsing the texts, with the same result as a parser. DBSYNC_SEED
 * replays a run.
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
const ENTRIES = 5000;
/** Parts of names and strings that resemble JSON syntax. */
const PARTS = ["a", "b", '"', "\\", ",", ":", "{", "}", "[", "]", "é", "\n", ""] as const;

const textOf = (random: SeededRandom) =>
  Array.from({ length: random.below(4) }, () => random.oneOf(PARTS)).join("");

function jsonOf(random: SeededRandom, depth: number): JsonValue {
  const kind = random.below(depth > 2 ? 4 : 7);
  if (kind < 3) return textOf(random);
  if (kind === 3) return random.oneOf([null, true, false]);
  if (kind === 4) return Array.from({ length: random.below(3) }, () => jsonOf(random, depth + 1));
  return objectOf(random, depth + 1);
}

function objectOf(random: SeededRandom, depth: number): JsonObject {
  const object = new JsonObject();
  for (let remaining = random.below(4); remaining > 0; remaining--)
    object.set(textOf(random), jsonOf(random, depth));
  return object;
}

test(`a member is found where a parser finds it, and nowhere else (seed ${seed})`, () => {
  const random = new SeededRandom(seed);
  let foundCount = 0;
  for (let remaining = ENTRIES; remaining > 0; remaining--) {
    const entry = objectOf(random, 0);
    const text = bytesOfText(writeJson(entry));
    for (const name of [...entry.names, textOf(random), textOf(random)]) {
      const at = valueAt(text, memberName(bytesOfText(name)));
      const member = memberOf(entry, name);
      const written = at < 0 ? undefined : textOfBytes(text.slice(at, endOfValue(text, at)));
      assert.equal(written, member === undefined ? undefined : writeJson(member), `${name} in ${text}`);
      if (at >= 0) assert.doesNotThrow(() => parseJson(written as string));
      foundCount += Number(at >= 0);
    }
  }
  assert.ok(foundCount > ENTRIES / 2);
});

test("a path leads through objects and positions of lists to the same value as in the parsed entry", () => {
  const entry = parseJson('{"a":[{"b":{"c":1}},[2,[3]],"x"],"d":{"e":"f"},"g":[[{"h":4}]]}');
  const text = bytesOfText(writeJson(entry));
  for (const path of ["a.0.b.c", "a.0.b", "a.1.0", "a.1.1.0", "a.2", "d.e", "g.0.0.h", "a.1", "d"]) {
    const value = memberAt(entry, path);
    assert.ok(value !== undefined, path);
    assert.deepEqual(memberIn(text, memberPath(path)), memberValueOf(value), path);
  }
  for (const path of ["a.3.b", "a.0.c.d", "a.2.b", "d.0.e", "g.0.1.h", "z.a"])
    assert.equal(memberIn(text, memberPath(path)), MISSING, path);
  const all = memberValueOf(memberAt(entry, "a") ?? assert.fail());
  assert.deepEqual(memberIn(text, memberPath("a.b.c")), all, "all values of the list");
});
