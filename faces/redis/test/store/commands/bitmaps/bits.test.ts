/** Tests bits of long strings. The code reads words; the reference reads byte by byte. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ByteString } from "../../../../../../protocol/byte-string.js";
import { StoreUnderTest } from "../../../../../../test/daemon/store/commands/store-under-test.js";
import { SeededRandom, seedOfRun } from "../../../../../../test/support/seeded-random.js";
import { type Bit, BLOCK_BYTES, bitAt, countOnes, findBit } from "../../../../store/commands/bitmaps/bits.js";

const seed = seedOfRun();

/** Returns runs of one byte, with single different bytes between them. */
function randomBytes(random: SeededRandom, length: number): ByteString {
  let bytes = "";
  while (bytes.length < length) {
    bytes += random.oneOf(["\0", "\xff", "\x10"]).repeat(random.below(BLOCK_BYTES));
    bytes += String.fromCharCode(random.below(256));
  }
  return bytes.slice(0, length);
}

function onesBetween(bytes: ByteString, from: number, to: number): number {
  let count = 0;
  for (let index = from; index < to; index++) count += bitAt(bytes, index);
  return count;
}

function firstBetween(bytes: ByteString, value: Bit, from: number, to: number): number {
  for (let index = from; index < to; index++) if (bitAt(bytes, index) === value) return index;
  return -1;
}

test(`counting and finding bits in long strings matches reading byte by byte (seed ${seed})`, () => {
  const random = new SeededRandom(seed, 0);
  for (let round = 0; round < 30; round++) {
    const bytes = randomBytes(random, random.between(1, 3 * BLOCK_BYTES));
    const total = bytes.length * 8;
    const [from, to] = [random.below(total + 1), random.below(total + 1)].sort((a, b) => a - b) as [
      number,
      number,
    ];
    for (const [start, end] of [
      [from, to],
      [0, total],
    ] as const) {
      assert.equal(countOnes(bytes, start, end), onesBetween(bytes, start, end));
      for (const value of [0, 1] as const)
        assert.equal(findBit(bytes, value, start, end), firstBetween(bytes, value, start, end));
    }
  }
});

test("a search finds the only bit with a value at any position, and returns -1 if there is none", () => {
  const length = BLOCK_BYTES + 100;
  for (const index of [0, 63, 64, 65, 67, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 65, length - 1]) {
    for (const [value, filler, one] of [
      [1, "\0", "\x01"],
      [0, "\xff", "\xfe"],
    ] as const) {
      const bytes = filler.repeat(index) + one + filler.repeat(length - index - 1);
      assert.equal(findBit(bytes, value, 0, length * 8), index * 8 + 7);
      assert.equal(findBit(bytes, value, 0, index * 8 + 7), -1);
      assert.equal(findBit(bytes, value, index * 8 + 7, length * 8), index * 8 + 7);
      assert.equal(countOnes(bytes, 0, length * 8), value === 1 ? 1 : length * 8 - 1);
    }
  }
});

test(`BITOP combines long strings byte by byte and pads shorter strings with zeros (seed ${seed})`, () => {
  const random = new SeededRandom(seed, 1);
  const combine = { AND: (a: number, b: number) => a & b, OR: (a: number, b: number) => a | b };
  for (const extra of [0, 1, 2, 3, BLOCK_BYTES]) {
    const store = new StoreUnderTest();
    // Spaces are avoided, since they separate arguments.
    const values = [0, 1, 2].map((i) =>
      randomBytes(random, BLOCK_BYTES + i * extra + 5).replaceAll(" ", "!"),
    );
    for (const [i, value] of values.entries()) store.run(`SET k${i} ${value}`);
    const byteOf = (value: ByteString, at: number) => (at < value.length ? value.charCodeAt(at) : 0);
    const length = Math.max(...values.map((value) => value.length));
    const all = { ...combine, XOR: (a: number, b: number) => a ^ b };
    for (const [name, one] of Object.entries(all)) {
      const expected = Buffer.alloc(length);
      for (let at = 0; at < length; at++) expected[at] = values.map((value) => byteOf(value, at)).reduce(one);
      assert.equal(store.run(`BITOP ${name} result k0 k1 k2`), `:${length}`);
      const result = store.reply("GET result");
      assert.ok(result.kind === "bulk" && result.bytes === expected.toString("latin1"), name);
    }
    store.run("BITOP NOT result k2");
    store.run("BITOP NOT result result");
    const twice = store.reply("GET result");
    assert.ok(twice.kind === "bulk" && twice.bytes === values[2]);
  }
});
