/** Tests the entry store: it announces entries once they are on the disk, and requests damaged entries again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DiskFailure } from "../../../daemon/timeline/disk-failure.js";
import {
  type Entry,
  type OrderKey,
  orderKeyOf,
  writeOrderKey,
} from "../../../daemon/timeline/entries/entry.js";
import { EntryStore } from "../../../daemon/timeline/entry-store.js";
import { MemoryStorage } from "../../../daemon/timeline/memory-storage.js";
import type { TimelineParts } from "../../../daemon/timeline/timeline-environment.js";
import { double } from "../../support/double.js";
import { bytesInUse } from "../../support/garbage.js";
import { nextTurn } from "../../support/until.js";
import { entryOf } from "./support/random-timeline.js";
import { entryAt, hash, MEMBER, START, UnsyncedStorage } from "./support/timeline-subject.js";

function entryStoreOn(storage: MemoryStorage) {
  const announced: OrderKey[] = [];
  const failures: string[] = [];
  const parts = double<TimelineParts>({
    storage,
    hash,
    snapshots: null,
    log: { info: () => {}, warn: () => {}, error: () => {} },
    handlers: {
      storing: () => [],
      flushed: (entries) => void announced.push(...entries),
      failed: (detail) => void failures.push(detail),
    },
  });
  const entryStore = new EntryStore(parts, new DiskFailure(parts));
  return { entryStore, announced, failures };
}

const orderKeys = ({ index }: EntryStore) => [...index.orderKeys("data", null, null)];

test("an entry that is written but not synced counts as stored, and is not announced to members", async () => {
  const storage = new UnsyncedStorage();
  const { entryStore, announced } = entryStoreOn(storage);
  const entry = entryAt(START, "SET a 1");
  await entryStore.add([entry], null);
  await nextTurn();

  assert.ok(entryStore.holds(orderKeyOf(entry)));
  assert.equal(entryStore.read(orderKeyOf(entry)), null);
  assert.deepEqual(
    [entryStore.index.total("data").count, orderKeys(entryStore).length, announced.length],
    [0, 0, 0],
  );

  storage.sync();
  await nextTurn();
  assert.deepEqual(entryStore.read(orderKeyOf(entry))?.body, entry.body);
  assert.deepEqual(
    [entryStore.index.total("data").count, orderKeys(entryStore).length, announced.length],
    [1, 1, 1],
  );
});

test("an entry that waits for the disk is retained as bytes, not as a parsed envelope", async () => {
  const storage = new UnsyncedStorage();
  const { entryStore } = entryStoreOn(storage);
  const commands = Array.from({ length: 1000 }, (_, i) => ["SET", `key:${i}`, "v"]);
  const add = (i: number) => {
    const body = Buffer.alloc(100);
    const id = hash(Buffer.from(String(i)));
    const entry = { ...entryOf({ at: START + i, commands: structuredClone(commands) }, id), body };
    void entryStore.add([entry], null);
  };

  // During the first calls, the engine also allocates memory for compiled code.
  for (let i = 0; i < 100; i++) add(i);
  const before = bytesInUse();
  for (let i = 100; i < 500; i++) add(i);
  const each = (bytesInUse() - before) / 400;
  assert.ok(each < 10 * commands.length, `${each} bytes for an entry of ${commands.length} commands`);

  storage.sync();
  await nextTurn();
  assert.equal(entryStore.index.total("data").count, 500);
});

test("after a failed sync the entry store reports the failure and announces no entry", async () => {
  const storage = new UnsyncedStorage();
  const { entryStore, announced, failures } = entryStoreOn(storage);
  const entry = entryAt(START, "SET a 1");
  await entryStore.add([entry], MEMBER);
  storage.fail();
  await nextTurn();
  assert.equal(entryStore.read(orderKeyOf(entry)), null);
  assert.deepEqual(
    [entryStore.index.total("data").count, orderKeys(entryStore).length, announced.length],
    [0, 0, 0],
  );
  assert.deepEqual(failures, ["the disk is broken"]);
});

test("a damaged entry is neither stored, counted nor listed until it is received again", async () => {
  const { entryStore } = entryStoreOn(new MemoryStorage());
  const entries = [1, 2, 3].map((i) => entryAt(START + i, `SET k${i} v`));
  await entryStore.add(entries, null);
  await nextTurn();

  const damaged = entries[1] as Entry;
  const { storage, entryStore: again } = await damagedOf(entries, damaged);
  assert.equal(again.read(orderKeyOf(damaged)), null);
  assert.ok(!again.holds(orderKeyOf(damaged)) && again.isFolded(damaged.id));
  assert.deepEqual([again.index.total("data").count, orderKeys(again).length], [2, 2]);
  assert.equal(again.read(orderKeyOf(damaged)), null);
  assert.equal(again.index.total("data").count, 2, "the entry is not subtracted twice");

  await again.add([damaged], MEMBER);
  await nextTurn();
  assert.ok(again.holds(orderKeyOf(damaged)) && !again.isFolded(damaged.id));
  assert.deepEqual([again.index.total("data").count, orderKeys(again).length], [3, 3]);
  assert.equal([...storage.orderKeys(null, null)].length, 3);
  assert.deepEqual(again.index.total("data"), entryStore.index.total("data"));
});

test("an entry that a new state does not include is not counted as folded", async () => {
  const entries = [1, 2].map((i) => entryAt(START + i, `SET k${i} v`));
  const damaged = entries[0] as Entry;
  const { entryStore } = await damagedOf(entries, damaged);
  entryStore.read(orderKeyOf(damaged));
  entryStore.refolded(new Set([damaged.id]), START + 2);
  assert.ok(!entryStore.isFolded(damaged.id) && !entryStore.holds(orderKeyOf(damaged)));
  entryStore.refolded(new Set(), START);
  assert.ok(!entryStore.isFolded(damaged.id), "the new state ends before it");
  entryStore.refolded(new Set(), START + 2);
  assert.ok(entryStore.isFolded(damaged.id) && !entryStore.holds(orderKeyOf(damaged)));
});

test("a pruned entry counts as stored, and the index continues to count it", async () => {
  const storage = new MemoryStorage();
  const { entryStore } = entryStoreOn(storage);
  const entries = [1, 2, 3].map((i) => entryAt(START + i, `SET k${i} v`));
  await entryStore.add(entries, null);
  await nextTurn();
  entryStore.prune(START + 2);
  assert.equal(entryStore.removePruned(1), true);
  await nextTurn();
  assert.equal(entryStore.removePruned(5), false);
  assert.equal([...storage.orderKeys(null, null)].length, 1);
  assert.equal(entryStore.index.total("data").count, 3);
  assert.ok(entryStore.holds(orderKeyOf(entryAt(START + 2, "SET unknown v"))));
  assert.ok(!entryStore.holds(orderKeyOf(entryAt(START + 3, "SET unknown v"))));
  assert.equal(entryStoreOn(storage).entryStore.prunedTo, START + 2);
});

test("the index counts a pruned entry even if it is damaged, whenever the damage is found", async () => {
  const entries = [1, 2, 3].map((i) => entryAt(START + i, `SET k${i} v`));
  const damaged = entries[1] as Entry;
  for (const isReadBefore of [true, false]) {
    const { entryStore } = await damagedOf(entries, damaged);
    const before = entryStore.index.total("data");
    if (isReadBefore) entryStore.read(orderKeyOf(damaged));
    entryStore.prune(START + 2);
    assert.equal(entryStore.read(orderKeyOf(damaged)), null);
    assert.deepEqual(entryStore.index.total("data"), before, `${isReadBefore}`);
    assert.equal(entryStore.lastDamagedUpTo(START + 3), null, "the entry is no longer requested");
    assert.ok(entryStore.holds(orderKeyOf(damaged)));
  }
});

/** Creates a store of entries, one of which has rotten bytes. */
async function damagedOf(entries: readonly Entry[], damaged: Entry) {
  const storage = new MemoryStorage();
  const { entryStore } = entryStoreOn(storage);
  await entryStore.add(entries, null);
  await nextTurn();
  storage.put([[writeOrderKey(orderKeyOf(damaged)), Buffer.from("rotten")]]);
  return { storage, entryStore };
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

  const { entryStore } = entryStoreOn(slow);
  for (let i = 0; i < 20; i++) void entryStore.add([entryAt(START + i, `SET k ${i}`)], null);
  entryStore.prune(START + 100);
  for (let tick = 0; tick < 5; tick++) assert.equal(entryStore.removePruned(10), true);
  assert.equal(slow.removed, 10);

  isDone();
  await nextTurn();
  entryStore.removePruned(10);
  assert.equal(slow.removed, 20);
});
