/** Tests the digests of single keys as of a date. A digest is either exact or absent. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type SumSelection, UNCOMPARED } from "../../../daemon/timeline/state-digests.js";
import { finish } from "../../../protocol/steps.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";
import { entryAt, MEMBER, MINUTE_MS, TimelineSubject, UnsyncedStorage } from "./support/timeline-subject.js";

const seed = seedOfRun();

const selection = (at: number): SumSelection => ({ at, salt: 1 });
const named = (...keys: string[]) => keys.map((key) => ({ db: 0, key }));
const keysOf = (digests: readonly { readonly key: string }[] | null) => digests?.map(({ key }) => key);

test("keys that have changed after the date are left out, even if they no longer exist", async () => {
  const subject = await new TimelineSubject().open();
  await subject.writes(3, 1000, (i) => `SET k${i} v`);
  const at = subject.now + 500;
  await subject.pass(1000);
  subject.write("SET k0 other");
  subject.write("DEL k1");
  await subject.settle();
  const digests = subject.timeline.digests.digests(selection(at), named("k0", "k1", "k2", "k3"));
  assert.deepEqual(keysOf(digests), ["k2", "k3"]);
  assert.notEqual(digests?.[0]?.digest, null);
  assert.equal(digests?.[1]?.digest, null);
  const sums = finish(subject.timeline.digests.sums(selection(at)));
  assert.equal([...sums.sums].filter((sum) => sum === UNCOMPARED).length >= 1, true);
});

test("after a complete database was emptied, digests of earlier dates are absent", async () => {
  const subject = await new TimelineSubject().open();
  await subject.writes(3, 1000, (i) => `SET k${i} v`);
  const at = subject.now;
  await subject.pass(1000);
  subject.write("FLUSHALL");
  await subject.pass(1000);
  assert.equal(subject.timeline.digests.digests(selection(at), named("k0")), null);
  const later = subject.timeline.digests.digests(selection(subject.now), named("k0"));
  assert.deepEqual(later, [{ db: 0, key: "k0", digest: null }]);
});

test("digests are not exact while earlier entries are not on the disk, or if the tail begins after the date", async () => {
  const storage = new UnsyncedStorage();
  const subject = await new TimelineSubject({ storage }).open();
  subject.write("SET a 1");
  await subject.pass(1000);
  const at = subject.now;
  assert.equal(subject.timeline.digests.isExact(at), false);
  storage.sync();
  await subject.settle();
  assert.equal(subject.timeline.digests.isExact(at), true);
  await subject.pass(5 * MINUTE_MS);
  subject.write("SET b 1");
  await subject.pass(1000);
  storage.sync();
  await subject.settle();
  assert.equal(subject.timeline.digests.isExact(at), false);
});

test("a key that expired before the date does not exist, whether it has been dropped or not", async () => {
  const subject = await new TimelineSubject().open();
  subject.write(`SET a 1 PXAT ${subject.now + 500}`);
  subject.write(`SET b 1 PXAT ${subject.now + MINUTE_MS}`);
  await subject.pass(1000);
  const digests = subject.timeline.digests.digests(selection(subject.now), named("a", "b"));
  assert.deepEqual(
    digests?.map(({ digest }) => digest === null),
    [true, false],
  );
});

test("a late entry changes the digest of the key at a later date", async () => {
  const subject = await new TimelineSubject().open();
  await subject.writes(3, 1000, () => "INCR n");
  await subject.pass(2000);
  const at = subject.now;
  const digest = () => subject.timeline.digests.digests(selection(at), named("n"))?.[0]?.digest;
  const before = digest();
  subject.timeline.receive([entryAt(at - 2500, "INCR n")], MEMBER);
  await subject.settle();
  assert.notDeepEqual(digest(), before);
  assert.notEqual(digest(), undefined);
});

test("the keys of a bucket can be found by its number", async () => {
  const subject = await new TimelineSubject().open();
  await subject.writes(200, 10, (i) => `SET k${i} v`);
  await subject.pass(1000);
  const { digests, database } = subject.timeline;
  const at = subject.now;
  const before = finish(digests.sums(selection(at)));

  const entry = database.keyspaces[0]?.find("k77");
  assert.ok(entry !== undefined);
  entry.value = "another";
  const after = finish(digests.sums(selection(at)));

  const wanted = new Set(
    [...after.sums.keys()].filter((bucket) => after.sums[bucket] !== before.sums[bucket]),
  );
  assert.equal(wanted.size, 1);

  const { shares, sums } = after;
  const found = finish(digests.keysIn({ wanted, shares, buckets: sums.length, salt: 1, max: 1000 }));
  assert.ok(keysOf(found)?.includes("k77"));
  assert.ok(found.length < 60, String(found.length));
});

test(`sums count each remaining key once, even if other keys are removed between their steps (seed ${seed})`, async () => {
  const random = new SeededRandom(seed);
  const subject = await new TimelineSubject().open();
  const names = Array.from({ length: 3000 }, (_, number) => `k${number}`);
  subject.write(`MSET ${names.map((name) => `${name} v`).join(" ")}`);
  await subject.pass(1000);

  const { digests } = subject.timeline;
  const at = subject.now;
  const before = finish(digests.sums(selection(at))).sums;

  await subject.pass(10);
  const work = digests.sums(selection(at));
  let removed = 0;
  let step = work.next();
  for (; step.done !== true; step = work.next())
    if (removed < 40 && random.chance(0.5)) {
      subject.write(`DEL ${random.oneOf(names)}`);
      removed++;
    }

  const { sums } = step.value;
  const differing = [...sums.keys()].filter(
    (bucket) => sums[bucket] !== before[bucket] && sums[bucket] !== UNCOMPARED,
  );
  assert.ok(removed > 10 && sums.length > 4 * removed, `${removed} removed, ${sums.length} buckets`);
  assert.deepEqual(differing, []);
});
