/** The hash of names against vectors of HalfSipHash-2-4. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { cursorTag, hashOfName, seedNameHash } from "../../../../store/values/tables/name-hash.js";

/** Of the bytes 0, 1, 2, … up to each length, with the key 00 01 … 07; little-endian. */
const VECTORS = [
  "a9359f5b",
  "27475ab8",
  "fa62a603",
  "8afee704",
  "2a6e4689",
  "c5fab669",
  "5863fc23",
  "8bcf63c5",
];

test("hashes are those of HalfSipHash-2-4", () => {
  seedNameHash(0x03020100, 0x07060504);
  for (const [length, hex] of VECTORS.entries()) {
    const name = String.fromCharCode(...Array.from({ length }, (_, byte) => byte));
    assert.equal(hashOfName(name), Buffer.from(hex, "hex").readInt32LE(), `length ${length}`);
  }
  assert.ok(cursorTag() > 0 && cursorTag() < 2 ** 20);
});

test("names differ by their length where only their beginning counts", () => {
  const hashes = [16_384, 16_385, 16_384 + 256, 32_768].map((length) => hashOfName("x".repeat(length)));
  assert.equal(new Set(hashes).size, hashes.length);
});
