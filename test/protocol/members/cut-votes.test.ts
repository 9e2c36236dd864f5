/** Tests how votes on snapshots are written and parsed, on the wire and on disk, and that other bytes are rejected. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import {
  type CutVote,
  cutVoteBytes,
  readCutVotes,
  writeCutVotes,
} from "../../../protocol/members/cut-votes.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";

const seed = seedOfRun();
const RUNS = 300;

function randomBytes(random: SeededRandom, length: number): ByteString {
  return bytesOf(Buffer.from(Array.from({ length }, () => random.below(256))));
}

function randomVote(random: SeededRandom): CutVote {
  return {
    at: random.oneOf([0, 1_790_000_000_000 + random.below(1e9), Number.MAX_SAFE_INTEGER]),
    bytes: random.oneOf([0, random.below(2 ** 32), Number.MAX_SAFE_INTEGER]),
    seal: randomBytes(random, 32),
    spki: randomBytes(random, random.oneOf([0, 44, 91, 255])),
    signature: randomBytes(random, random.oneOf([0, 64, 72, 255])),
  };
}

const randomVotes = (random: SeededRandom) =>
  Array.from({ length: random.below(5) }, () => randomVote(random));

test(`written votes are parsed unchanged and in order (seed ${seed})`, () => {
  assert.deepEqual(readCutVotes(Buffer.alloc(0)), []);
  for (let run = 0; run < RUNS; run++) {
    const votes = randomVotes(new SeededRandom(seed, run));
    assert.deepEqual(readCutVotes(writeCutVotes(votes)), votes, `run ${run}`);
  }
});

test("a vote's bytes are the date, length and seal, then the key and the signature with their lengths", () => {
  const vote = { at: 0x0102030405, bytes: 6, seal: "s".repeat(32), spki: "key", signature: "sig!" };
  const head = `\0\0\0\x01\x02\x03\x04\x05\0\0\0\0\0\0\0\x06${"s".repeat(32)}`;
  assert.equal(bytesOf(writeCutVotes([vote])), `${head}\x03key\x04sig!`);
});

test(`bytes that end within a vote are refused (seed ${seed})`, () => {
  const random = new SeededRandom(seed, RUNS);
  const votes = [randomVote(random), randomVote(random), randomVote(random)];
  const packed = writeCutVotes(votes);
  const ends = votes.map((_, i) => writeCutVotes(votes.slice(0, i)).length);
  for (let length = 0; length < packed.length; length++) {
    const expected = ends.includes(length) ? votes.slice(0, ends.indexOf(length)) : null;
    assert.deepEqual(readCutVotes(packed.subarray(0, length)), expected, `${length} bytes`);
  }
  assert.equal(readCutVotes(Buffer.concat([packed, Buffer.of(0)])), null);
});

test("a date or a length that a number cannot represent exactly is refused", () => {
  const vote = { at: 1, bytes: 1, seal: "s".repeat(32), spki: "key", signature: "sig" };
  for (const offset of [0, 8]) {
    const packed = writeCutVotes([vote]);
    packed.writeBigUInt64BE(BigInt(Number.MAX_SAFE_INTEGER) + 1n, offset);
    assert.equal(readCutVotes(packed), null);
  }
});

test(`random bytes are refused, or parsed as votes that are written as the same bytes (seed ${seed})`, () => {
  let votes = 0;
  for (let run = 0; run < 20 * RUNS; run++) {
    const random = new SeededRandom(seed, RUNS + 1, run);
    const bytes = Buffer.from(
      randomBytes(random, random.oneOf([0, random.below(50), 50 + random.below(400)])),
      "latin1",
    );
    // Zeros in the high bytes make plausible dates and lengths.
    for (const offset of [0, 8])
      if (bytes.length >= 16 && random.chance(0.9)) bytes.fill(0, offset, offset + 4);
    const found = readCutVotes(bytes);
    if (found !== null) assert.deepEqual(writeCutVotes(found), bytes, `run ${run}`);
    votes += found?.length ?? 0;
  }
  assert.ok(votes > 0);
});

test("the signed bytes depend on the cluster, the date, the length and the seal", () => {
  const cut = { at: 5, bytes: 6, seal: "s".repeat(32) };
  const signed = [
    cutVoteBytes("c".repeat(32), cut),
    cutVoteBytes("d".repeat(32), cut),
    cutVoteBytes("c".repeat(32), { ...cut, at: 6 }),
    cutVoteBytes("c".repeat(32), { ...cut, bytes: 5 }),
    cutVoteBytes("c".repeat(32), { ...cut, seal: "t".repeat(32) }),
  ];
  assert.equal(new Set(signed.map((bytes) => bytesOf(bytes))).size, signed.length);
  assert.ok(signed.every((bytes) => bytesOf(bytes).startsWith("dbsync2\0cut\0")));
});
