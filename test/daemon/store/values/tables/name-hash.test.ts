/** Compares the hash of names with HalfSipHash, and HalfSipHash with its test vectors. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { cursorTag, hashOfName, seedNameHash } from "../../../../../daemon/store/values/tables/name-hash.js";

/** Hashes of the bytes 0, 1, 2, … up to each length, with the key 00 01 … 07; little-endian. */
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

const KEY = [0x03020100, 0x07060504] as const;
const nameOf = (length: number) => String.fromCharCode(...Array.from({ length }, (_, byte) => byte));

/** HalfSipHash with the given number of rounds for each word and at the end, as its authors describe it. */
function halfSipHash(name: string, wordRounds: number, lastRounds: number): number {
  const rotated = (value: number, bits: number) => (value << bits) | (value >>> (32 - bits));
  const v = Int32Array.of(KEY[0], KEY[1], 0x6c796765 ^ KEY[0], 0x74656462 ^ KEY[1]) as unknown as number[];
  const [a, b, c, d] = [0, 1, 2, 3] as const;
  const add = (to: 0 | 1 | 2 | 3, from: 0 | 1 | 2 | 3, bits: number) => {
    v[to] = v[to]! + v[from]!;
    v[from] = rotated(v[from]!, bits) ^ v[to]!;
  };
  const run = (rounds: number) => {
    for (; rounds > 0; rounds--) {
      add(a, b, 5);
      v[a] = rotated(v[a]!, 16);
      add(c, d, 8);
      add(a, d, 7);
      add(c, b, 13);
      v[c] = rotated(v[c]!, 16);
    }
  };

  const bytes = Buffer.alloc((name.length >> 2) * 4 + 4);
  bytes.write(name, "latin1");
  bytes[bytes.length - 1] = name.length;
  for (let at = 0; at < bytes.length; at += 4) {
    const word = bytes.readInt32LE(at);
    v[d] = v[d]! ^ word;
    run(wordRounds);
    v[a] = v[a]! ^ word;
  }

  v[c] = v[c]! ^ 0xff;
  run(lastRounds);
  return v[b]! ^ v[d]!;
}

test("hashes are those of HalfSipHash-1-3", () => {
  for (const [length, hex] of VECTORS.entries())
    assert.equal(
      halfSipHash(nameOf(length), 2, 4),
      Buffer.from(hex, "hex").readInt32LE(),
      `length ${length}`,
    );
  seedNameHash(...KEY);
  for (let length = 0; length < 256; length++)
    assert.equal(hashOfName(nameOf(length)), halfSipHash(nameOf(length), 1, 3), `length ${length}`);
  assert.ok(cursorTag() > 0 && cursorTag() < 2 ** 20);
});

test("long names with equal beginnings are distinguished by their lengths", () => {
  const hashes = [16_384, 16_385, 16_384 + 256, 32_768].map((length) => hashOfName("x".repeat(length)));
  assert.equal(new Set(hashes).size, hashes.length);
});
