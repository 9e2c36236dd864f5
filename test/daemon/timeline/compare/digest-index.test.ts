/**
 * Tests the counts and sums of a timeline's entries. At any date they equal the counts and sums of all order keys, even
 * if the index was saved and restored.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  DigestIndex,
  type DigestSet,
  isSameDigest,
} from "../../../../daemon/timeline/compare/digest-index.js";
import { ownRows } from "../../../../daemon/timeline/compare/index-walk.js";
import { ROW_SECONDS } from "../../../../daemon/timeline/compare/reconcile-message.js";
import { type OrderKey, readOrderKey } from "../../../../daemon/timeline/entries/entry.js";
import { finish } from "../../../../protocol/steps.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";
import { Holder, randomId } from "../support/members.js";

const seed = seedOfRun();
const EPOCH = 1_767_225_600_000;
const RUNS = 30;
const SETS: readonly DigestSet[] = ["ring", "data"];

function filled(
  random: SeededRandom,
  count: number,
  spread: number,
): { holder: Holder; orderKeys: OrderKey[] } {
  const holder = new Holder();
  const orderKeys: OrderKey[] = [];
  for (let i = 0; i < count; i++) {
    const at = EPOCH + Math.floor((random.below(2 ** 31) / 2 ** 31) * spread);
    const orderKey = { at, seq: 0, id: randomId(random) };
    orderKeys.push(orderKey);
    holder.add(orderKey, random.chance(0.1));
  }
  for (const orderKey of random.shuffled(orderKeys).slice(0, count / 4)) holder.remove(orderKey);
  return { holder, orderKeys };
}

/** Computes the digest by its definition. */
function digestOf(orderKeys: readonly OrderKey[]): { count: number; sum: string } {
  let sum = 0n;
  for (const { id } of orderKeys) sum += BigInt(`0x${Buffer.from(id, "latin1").toString("hex")}`);
  const hex = (sum % 2n ** 256n).toString(16).padStart(64, "0");
  return { count: orderKeys.length, sum: Buffer.from(hex, "hex").toString("latin1") };
}

/** Returns a holder's entries as the sums in a snapshot. */
function savedSums({ index }: Holder, cutAt: number): Buffer {
  const saved = new DigestIndex();
  for (const orderKey of orderKeysOf(index, "data")) saved.add(orderKey, false);
  return Buffer.concat([...saved.serialise(cutAt)]);
}

const orderKeysOf = (index: DigestIndex, set: DigestSet) =>
  [...index.orderKeys(set, null, null)].map(readOrderKey);

test(`totals and digests up to any date equal the totals and digests of the order keys (seed ${seed})`, () => {
  for (let run = 0; run < RUNS; run++) {
    const random = new SeededRandom(seed, run);
    const spread = random.oneOf([2000, 200_000, 10_000_000, 3_000_000_000]);
    const { holder } = filled(random, 400, spread);
    for (const set of SETS) {
      const orderKeys = orderKeysOf(holder.index, set);
      assert.deepEqual(holder.index.total(set), digestOf(orderKeys));
      for (let i = 0; i < 10; i++) {
        const at = EPOCH + random.below(spread + 1000);
        const expected = digestOf(orderKeys.filter((orderKey) => orderKey.at < at));
        assert.deepEqual(holder.index.digestUpTo(at, set), expected, `run ${run}, up to ${at - EPOCH}`);
      }
      assert.ok(isSameDigest(holder.index.digestUpTo(EPOCH + spread, set), holder.index.total(set)));
    }
  }
});

test(`an index that was saved and restored returns the same sums and can be extended (seed ${seed})`, () => {
  const random = new SeededRandom(seed, 100);
  const { holder } = filled(random, 2000, 100_000_000);
  const end = EPOCH + 100_000_000;

  const saved = savedSums(holder, end);
  const restored = new DigestIndex(holder.storage);
  restored.add({ at: 1, seq: 1, id: "x".repeat(32) }, true);
  const ring = orderKeysOf(holder.index, "ring");
  restored.restore(saved, random.shuffled(ring));

  const orderKey = { at: EPOCH + 5, seq: 3, id: randomId(random) };
  holder.add(orderKey);
  restored.add(orderKey, false);
  for (const set of SETS) {
    assert.deepEqual(orderKeysOf(restored, set), orderKeysOf(holder.index, set));
    assert.deepEqual(restored.total(set), holder.index.total(set));
    const at = EPOCH + 50_000_123;
    assert.deepEqual(restored.digestUpTo(at, set), holder.index.digestUpTo(at, set));
  }

  holder.remove(orderKey);
  assert.deepEqual(savedSums(holder, end), saved);
  assert.throws(() => new DigestIndex().restore(saved.subarray(0, saved.length - 1), ring), RangeError);
});

test(`rows of old times are computed from the order keys (seed ${seed})`, () => {
  const random = new SeededRandom(seed, 200);
  const holder = new Holder();
  // There is one entry per second, and there are more seconds than the finest level stores.
  for (let second = 0; second < 140_000; second++)
    holder.add({ at: EPOCH + second * 1000, seq: 0, id: randomId(random) });

  const { index } = holder;
  const all = orderKeysOf(index, "data");
  const from = EPOCH / 1000;

  // The row after the maximum, of entry 131,073, drops all but 98,304 rows, and those that share a row of 64 seconds.
  const complete = Math.ceil((from + 131_073 - 98_304) / 64) * 64;
  assert.deepEqual([index.completeFrom("data", 0), index.completeFrom("data", 1)], [complete, 0]);
  assert.equal(index.tableFrom("data", 0, complete - 1), null);
  assert.notEqual(index.tableFrom("data", 0, complete), null);
  assert.equal(index.tableFrom("data", 0, from), null);
  assert.notEqual(index.tableFrom("data", 0, from + 139_000), null);

  for (const level of [0, 1]) {
    const start = Math.ceil(from / 4096) * 4096;
    const rows = finish(ownRows(index, "data", level, start, start + 4096));
    assert.equal(rows.length, 4096 / (ROW_SECONDS[level] as number));
    const [row] = rows;
    assert.equal(row?.count, ROW_SECONDS[level]);
    const orderKeys = all.filter(({ at }) => at / 1000 >= start && at / 1000 < start + row!.count);
    const sum = Buffer.from(digestOf(orderKeys).sum, "latin1");
    assert.deepEqual([row?.high, row?.low], [sum.readUInt32BE(24), sum.readUInt32BE(28)]);
  }

  const at = EPOCH + 1_234_567;
  const expected = digestOf(all.filter((orderKey) => orderKey.at < at));
  assert.deepEqual(index.digestUpTo(at, "data"), expected);

  const saved = savedSums(holder, EPOCH + 139_999_000);
  assert.ok(saved.length < 4_500_000, `${saved.length} bytes`);
  const restored = new DigestIndex(holder.storage);
  restored.restore(saved, []);
  for (const date of [at, EPOCH + 139_990_500, EPOCH + 100_000_000])
    assert.deepEqual(restored.digestUpTo(date, "data"), index.digestUpTo(date, "data"));
});
