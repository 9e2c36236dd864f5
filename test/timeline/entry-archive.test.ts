/** Tests the archive: it announces entries once they are on the disk, and requests damaged entries again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure } from "../../timeline/disk-failure.js";
import { type Entry, type OrderKey, orderKeyOf, writeOrderKey } from "../../timeline/entries/entry.js";
import { Archive } from "../../timeline/entry-archive.js";
import { MemoryStorage } from "../../timeline/memory-storage.js";
import type { TimelineParts } from "../../timeline/timeline-environment.js";
import { double } from "../support/double.js";
import { bytesInUse } from "../support/garbage.js";
import { entryOf } from "./support/random-timeline.js";
import { entryAt, HeldStorage, hash, MEMBER, START } from "./support/timeline-subject.js";

function archiveOn(storage: MemoryStorage) {
  const announced: OrderKey[] = [];
  const failures: string[] = [];
  const parts = double<TimelineParts>({
    storage,
    hash,
    snapshots: null,
    log: { info: () => {}, warn: () => {}, error: () => {} },
    owner: {
      flushed: (entries) => void announced.push(...entries),
      failed: (detail) => void failures.push(detail),
    },
  });
  const archive = new Archive(parts, new Failure(parts));
  return { archive, announced, failures };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const orderKeys = ({ index }: Archive) => [...index.orderKeys("data", null, null)];

test("an entry that is written but not synced counts as stored, and is not announced to members", async () => {
  const storage = new HeldStorage();
  const { archive, announced } = archiveOn(storage);
  const entry = entryAt(START, "SET a 1");
  await archive.add([entry], null);
  await turn();
  assert.ok(archive.holds(orderKeyOf(entry)));
  assert.equal(archive.read(orderKeyOf(entry)), null);
  assert.deepEqual(
    [archive.index.total("data").count, orderKeys(archive).length, announced.length],
    [0, 0, 0],
  );
  storage.sync();
  await turn();
  assert.deepEqual(archive.read(orderKeyOf(entry))?.body, entry.body);
  assert.deepEqual(
    [archive.index.total("data").count, orderKeys(archive).length, announced.length],
    [1, 1, 1],
  );
});

test("an entry that waits for the disk is retained as bytes, not as a parsed envelope", async () => {
  const storage = new HeldStorage();
  const { archive } = archiveOn(storage);
  const commands = Array.from({ length: 1000 }, (_, i) => ["SET", `key:${i}`, "v"]);
  const add = (i: number) => {
    const body = Buffer.alloc(100);
    const id = hash(Buffer.from(String(i)));
    const entry = { ...entryOf({ at: START + i, commands: structuredClone(commands) }, id), body };
    void archive.add([entry], null);
  };
  // During the first calls, the engine also allocates memory for compiled code.
  for (let i = 0; i < 100; i++) add(i);
  const before = bytesInUse();
  for (let i = 100; i < 500; i++) add(i);
  const each = (bytesInUse() - before) / 400;
  assert.ok(each < 10 * commands.length, `${each} bytes for an entry of ${commands.length} commands`);
  storage.sync();
  await turn();
  assert.equal(archive.index.total("data").count, 500);
});

test("after a failed sync the archive reports the failure and announces no entry", async () => {
  const storage = new HeldStorage();
  const { archive, announced, failures } = archiveOn(storage);
  const entry = entryAt(START, "SET a 1");
  await archive.add([entry], MEMBER);
  storage.fail();
  await turn();
  assert.equal(archive.read(orderKeyOf(entry)), null);
  assert.deepEqual(
    [archive.index.total("data").count, orderKeys(archive).length, announced.length],
    [0, 0, 0],
  );
  assert.deepEqual(failures, ["the disk is broken"]);
});

test("a damaged entry is neither stored, counted nor listed until it is received again", async () => {
  const { archive } = archiveOn(new MemoryStorage());
  const entries = [1, 2, 3].map((i) => entryAt(START + i, `SET k${i} v`));
  await archive.add(entries, null);
  await turn();
  const damaged = entries[1] as Entry;
  const { storage, archive: again } = await damagedOf(entries, damaged);
  assert.equal(again.read(orderKeyOf(damaged)), null);
  assert.ok(!again.holds(orderKeyOf(damaged)) && again.isFolded(damaged.id));
  assert.deepEqual([again.index.total("data").count, orderKeys(again).length], [2, 2]);
  assert.equal(again.read(orderKeyOf(damaged)), null);
  assert.equal(again.index.total("data").count, 2, "the entry is not subtracted twice");
  await again.add([damaged], MEMBER);
  await turn();
  assert.ok(again.holds(orderKeyOf(damaged)) && !again.isFolded(damaged.id));
  assert.deepEqual([again.index.total("data").count, orderKeys(again).length], [3, 3]);
  assert.equal([...storage.orderKeys(null, null)].length, 3);
  assert.deepEqual(again.index.total("data"), archive.index.total("data"));
});

test("an entry that a new state does not include is not counted as folded", async () => {
  const entries = [1, 2].map((i) => entryAt(START + i, `SET k${i} v`));
  const damaged = entries[0] as Entry;
  const { archive } = await damagedOf(entries, damaged);
  archive.read(orderKeyOf(damaged));
  archive.refolded(new Set([damaged.id]), START + 2);
  assert.ok(!archive.isFolded(damaged.id) && !archive.holds(orderKeyOf(damaged)));
  archive.refolded(new Set(), START);
  assert.ok(!archive.isFolded(damaged.id), "the new state ends before it");
  archive.refolded(new Set(), START + 2);
  assert.ok(archive.isFolded(damaged.id) && !archive.holds(orderKeyOf(damaged)));
});

test("a pruned entry counts as stored, and the index continues to count it", async () => {
  const storage = new MemoryStorage();
  const { archive } = archiveOn(storage);
  const entries = [1, 2, 3].map((i) => entryAt(START + i, `SET k${i} v`));
  await archive.add(entries, null);
  await turn();
  archive.prune(START + 2);
  assert.equal(archive.removePruned(1), true);
  await turn();
  assert.equal(archive.removePruned(5), false);
  assert.equal([...storage.orderKeys(null, null)].length, 1);
  assert.equal(archive.index.total("data").count, 3);
  assert.ok(archive.holds(orderKeyOf(entryAt(START + 2, "SET unknown v"))));
  assert.ok(!archive.holds(orderKeyOf(entryAt(START + 3, "SET unknown v"))));
  assert.equal(archiveOn(storage).archive.prunedTo, START + 2);
});

test("the index counts a pruned entry even if it is damaged, whenever the damage is found", async () => {
  const entries = [1, 2, 3].map((i) => entryAt(START + i, `SET k${i} v`));
  const damaged = entries[1] as Entry;
  for (const isReadBefore of [true, false]) {
    const { archive } = await damagedOf(entries, damaged);
    const before = archive.index.total("data");
    if (isReadBefore) archive.read(orderKeyOf(damaged));
    archive.prune(START + 2);
    assert.equal(archive.read(orderKeyOf(damaged)), null);
    assert.deepEqual(archive.index.total("data"), before, `${isReadBefore}`);
    assert.equal(archive.lastDamagedUpTo(START + 3), null, "the entry is no longer requested");
    assert.ok(archive.holds(orderKeyOf(damaged)));
  }
});

/** Creates an archive of entries, one of which has rotten bytes. */
async function damagedOf(entries: readonly Entry[], damaged: Entry) {
  const storage = new MemoryStorage();
  const { archive } = archiveOn(storage);
  await archive.add(entries, null);
  await turn();
  storage.put([[writeOrderKey(orderKeyOf(damaged)), Buffer.from("rotten")]]);
  return { storage, archive };
}

test("entries to be removed are passed to a slow disk only once", async () => {
  let isDone = () => {};
  const slow = new (class extends MemoryStorage {
    removed = 0;
    override remove(orderKeys: readonly Buffer[]): void {
      this.removed += orderKeys.length;
    }
    override flushed(): Promise<void> {
      return new Promise((resolve) => {
        isDone = resolve;
      });
    }
  })();
  const { archive } = archiveOn(slow);
  for (let i = 0; i < 20; i++) void archive.add([entryAt(START + i, `SET k ${i}`)], null);
  archive.prune(START + 100);
  for (let tick = 0; tick < 5; tick++) assert.equal(archive.removePruned(10), true);
  assert.equal(slow.removed, 10);
  isDone();
  await turn();
  archive.removePruned(10);
  assert.equal(slow.removed, 20);
});
