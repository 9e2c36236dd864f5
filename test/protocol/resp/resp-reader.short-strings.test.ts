/** Tests the cache that returns the same string for equal short sequences of bytes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ShortStrings } from "../../../protocol/resp/resp-reader.js";
import { seed } from "../../support/seed.js";
import { SeededRandom } from "../../support/seeded-random.js";

test("random short and long strings equal the bytes in the buffer", () => {
  const random = new SeededRandom(seed());
  const strings = new ShortStrings();
  for (let round = 0; round < 20_000; round++) {
    const length = random.below(40);
    const letters = random.below(2) === 0 ? 2 : 256;
    const text = String.fromCharCode(...Array.from({ length }, () => random.below(letters)));
    const start = random.below(5);
    const buffer = Buffer.from(`${"-".repeat(start)}${text}+`, "latin1");
    assert.equal(strings.stringFrom(buffer, start, start + length), text);
  }
});

test("strings that differ only in their first byte are distinguished", () => {
  const strings = new ShortStrings();
  for (const text of ["xabcdefghijkl", "yabcdefghijkl", "xabcdefghijkl", "abcdefghijkl"])
    assert.equal(strings.stringFrom(Buffer.from(text), 0, text.length), text);
});
