/**
 * Tests that two members have the same entries after a comparison, regardless of the initial difference, and that the
 * exchange is cheap. DBSYNC_SEED replays a run.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isSameDigest } from "../../../../daemon/timeline/compare/digest-index.js";
import { answer, start } from "../../../../daemon/timeline/compare/reconcile.js";
import { MalformedFrame } from "../../../../protocol/errors.js";
import { finish } from "../../../../protocol/steps.js";
import { OtherProtocol } from "../../../../protocol/version-2/messages-v2.js";
import { amount } from "../../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";
import { exchange, Holder, randomId } from "../support/members.js";

const seed = seedOfRun();
const EPOCH = 1_767_225_600_000;
const RUNS = amount(4, 20);
const ROUNDS_MAX = 4;
/** The number of entries on each side of a long partition. In a full run, they do not fit into one exchange. */
const PARTED = amount(8_000, 140_000);

function assertEqualAfter(one: Holder, other: Holder, note: string): void {
  for (const set of ["ring", "data"] as const) {
    assert.deepEqual(one.all(set), other.all(set), note);
    assert.ok(isSameDigest(one.index.total(set), other.index.total(set)), note);
  }
}

for (const { count, spread, within } of [
  { count: amount(12_000, 500_000), spread: 60_000, within: "60 seconds" },
  { count: amount(8_000, 200_000), spread: 86_400_000, within: "a day" },
]) {
  test(`members find 100 differences among ${count} entries of ${within} with few bytes (seed ${seed})`, (t) => {
    const random = new SeededRandom(seed, spread);
    const [one, other] = [new Holder(), new Holder()];
    const each = count / 100;

    for (let i = 0; i < count; i++) {
      const orderKey = { at: EPOCH + Math.floor((i * spread) / count), seq: 0, id: randomId(random) };
      const different = i % each === each / 2 ? (i / each) & 1 : null;
      if (different !== 0) one.add(orderKey);
      if (different !== 1) other.add(orderKey);
    }

    // Sorts the entries before the measurement, because a disk stores them sorted.
    one.all("data");
    other.all("data");

    const { messages, bytes, given, needless, longestStep } = exchange(one, other, "data", 1);
    t.diagnostic(`${messages} messages, ${bytes} bytes, longest step ${longestStep.toFixed(1)} ms`);
    assert.equal(given, 100);
    assert.equal(needless, 0);
    assert.ok(bytes <= 250_000, `${bytes} bytes`);
    // A round trip has two messages. The last message contains requests and entries.
    assert.ok(messages + 1 <= 2 * ROUNDS_MAX, `${messages} messages`);
    assert.ok(isSameDigest(one.index.total("data"), other.index.total("data")));
  });
}

test(`after a comparison, two members have the same entries (seed ${seed})`, () => {
  for (let run = 0; run < RUNS; run++) {
    const random = new SeededRandom(seed, 1, run);
    const [one, other] = [new Holder(), new Holder()];
    const spread = random.oneOf([1, 1000, 100_000, 10_000_000, 1_000_000_000_000]);
    const commonChance = random.oneOf([0, 0.5, 0.95, 0.999]);
    const oneChance = random.oneOf([0, 0.5, 1]);
    for (let left = random.oneOf([0, 1, 40, 500, 3000]); left > 0; left--) {
      const at = EPOCH + Math.floor((random.below(1_000_000) / 1_000_000) * spread);
      const orderKey = { at, seq: random.below(2), id: randomId(random) };
      const isRing = random.chance(0.02);
      const isCommon = random.chance(commonChance);
      const isOnes = random.chance(oneChance);
      if (isCommon || isOnes) one.add(orderKey, isRing);
      if (isCommon || !isOnes) other.add(orderKey, isRing);
    }
    const note = `DBSYNC_SEED=${seed}, run ${run}`;
    for (const set of ["ring", "data"] as const) {
      const { needless, messages } = exchange(one, other, set, run);
      assert.equal(needless, 0, note);
      assert.ok(messages <= 7, `${note}: ${messages} messages`);
    }
    assertEqualAfter(one, other, note);
  }
});

test("a member that was down receives everything that it missed, after at most five messages", () => {
  const random = new SeededRandom(seed, 2);
  const [one, other] = [new Holder(), new Holder()];
  for (let i = 0; i < 20_000; i++) {
    const orderKey = { at: EPOCH + i * 10, seq: 0, id: randomId(random) };
    if (i < 10_000) one.add(orderKey);
    other.add(orderKey);
  }
  const { messages, bytes, given } = exchange(one, other, "data", 0);
  assert.equal(given, 10_000);
  assert.ok(messages <= 5, `${messages} messages`);
  assert.ok(bytes < 5000, `${bytes} bytes`);
  assertEqualAfter(one, other, "");
});

test("after a long partition, members become equal in several bounded exchanges", () => {
  const random = new SeededRandom(seed, 3);
  const [one, other] = [new Holder(), new Holder()];
  for (let i = 0; i < PARTED; i++) {
    const orderKey = { at: EPOCH + i, seq: 0, id: randomId(random) };
    if (i % 2 === 0) one.add(orderKey);
    else other.add(orderKey);
  }
  let exchanges = 0;
  for (; !isSameDigest(one.index.total("data"), other.index.total("data")); exchanges++) {
    assert.ok(exchanges < 20);
    const { needless } = exchange(one, other, "data", exchanges);
    assert.equal(needless, 0);
  }
  assertEqualAfter(one, other, "");
});

test("two entries with the same short id are distinguished under another salt", () => {
  const [one, other] = [new Holder(), new Holder()];
  const id = "a".repeat(32);
  const alike = `${"a".repeat(8)}${"b".repeat(16)}${"a".repeat(8)}`;
  one.add({ at: EPOCH, seq: 0, id });
  other.add({ at: EPOCH, seq: 0, id: alike });
  exchange(one, other, "data", 0);
  assert.equal(one.all("data").length, 1);
  exchange(one, other, "data", 1);
  assertEqualAfter(one, other, "");
  assert.equal(one.all("data").length, 2);
});

test("entries with the latest possible dates are compared like any other entries", () => {
  const random = new SeededRandom(seed, 5);
  const [one, other] = [new Holder(), new Holder()];
  for (let i = 0; i < 600; i++) {
    const orderKey = { at: Number.MAX_SAFE_INTEGER - 700 + i, seq: 0, id: randomId(random) };
    if (i % 100 !== 0) one.add(orderKey);
    if (i % 100 !== 1) other.add(orderKey);
  }
  exchange(one, other, "data", 0);
  assertEqualAfter(one, other, "");
});

test("a truncated, changed or random message is answered or refused, and never causes another error", () => {
  const random = new SeededRandom(seed, 4);
  const [one, other] = [new Holder(), new Holder()];
  for (let i = 0; i < 2000; i++) {
    const orderKey = { at: EPOCH + random.below(3000), seq: 0, id: randomId(random) };
    if (random.chance(0.9)) one.add(orderKey);
    if (random.chance(0.9)) other.add(orderKey);
  }
  let message: Buffer | null = finish(start(one.index, "data", 1));
  for (let [from, to] = [one, other]; message !== null; [from, to] = [to, from]) {
    for (let i = 0; i < amount(60, 300); i++) {
      const changed: Buffer = Buffer.from(message);
      if (random.chance(0.5)) changed[random.below(changed.length)] = random.below(256);
      tryAnswer(to, changed.subarray(0, random.chance(0.5) ? random.below(changed.length) : undefined));
    }
    message = finish(answer(to.index, message)).reply;
  }
});

function tryAnswer(holder: Holder, message: Buffer): void {
  try {
    finish(answer(holder.index, message));
  } catch (problem) {
    assert.ok(problem instanceof MalformedFrame || problem instanceof OtherProtocol, String(problem));
  }
}
