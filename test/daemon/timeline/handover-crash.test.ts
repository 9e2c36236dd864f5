/**
 * Tests that a crash while a member's snapshot replaces the daemon's own leaves everything as it was, including dead
 * letters.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { DeadLetterFolder } from "../../../daemon/cluster/dead-letters/dead-letter-folder.js";
import { DeadLetterStore } from "../../../daemon/cluster/dead-letters/dead-letter-store.js";
import type { Mark } from "../../../daemon/timeline/entries/storage.js";
import type { FoundOrphans } from "../../../daemon/timeline/lost-entries.js";
import { MemoryStorage } from "../../../daemon/timeline/memory-storage.js";
import { SnapshotFiles } from "../../../daemon/timeline/snapshots/snapshot-stores.js";
import { until } from "../../support/until.js";
import { KEY_IDS, SPKIS } from "./support/random-timeline.js";
import { bulk, entryAt, MEMBER, type SubjectOptions, TimelineSubject } from "./support/timeline-subject.js";

const OPTIONS: SubjectOptions = { every: 50, limits: { retainMs: 300_000 } };
const ADDED = 3;
const ENTRIES = 400;

/** A disk that fails when the process records which snapshot is valid. */
class DyingStorage extends MemoryStorage {
  isDying = false;
  #isDead = false;

  override remove(orderKeys: readonly Buffer[], marks: readonly Mark[] = []): void {
    this.#isDead = this.isDying && marks.length > 0;
    if (!this.#isDead) super.remove(orderKeys, marks);
  }

  override synced(): Promise<void> {
    return this.#isDead ? new Promise(() => {}) : super.synced();
  }

  revive(): void {
    this.isDying = this.#isDead = false;
  }
}

/**
 * Writes entries at the same times on each daemon, so that both daemons prune up to the same date. On the daemon
 * "mine", the first entry adds a key that signs the last entry.
 */
async function written(options: SubjectOptions, name: string): Promise<TimelineSubject> {
  const subject = await new TimelineSubject({ ...OPTIONS, ...options }).open();
  const key = Buffer.from(SPKIS[ADDED] as string, "latin1").toString("base64");
  for (let i = 0; i < ENTRIES; i++) {
    subject.elapse(2000);
    const [command, signer] =
      i === 0 && name === "mine"
        ? [`KEY ADD ${key} LABEL added RULES +@all ~*`, KEY_IDS[1]]
        : [
            i === 1 ? `SET early ${name}` : `SET ${name}${i % 40} v${i}`,
            i === ENTRIES - 1 && name === "mine" ? KEY_IDS[ADDED] : undefined,
          ];
    assert.equal(subject.timeline.accept(entryAt(subject.now, command, signer)).kind, "accepted");
    subject.tick();
    await subject.settle();
  }
  assert.equal(subject.timeline.prunedTo > 0, options.limits === undefined);
  return subject;
}

/** Adopts the snapshot of `source`. @returns the entries reported as lost, or null if the adoption did not complete */
async function adopt(target: TimelineSubject, source: TimelineSubject): Promise<FoundOrphans | null> {
  const snapshot = source.timeline.handover.sendable(source.timeline.prunedTo) ?? assert.fail();
  const staged = target.timeline.handover.stage(snapshot.cutAt);
  for (const chunk of snapshot.chunks) staged.write(chunk);

  const reports: FoundOrphans[] = [];
  const failures: Error[] = [];
  let isAdopted = false;
  target.timeline.handover.adopt(staged, staged.seal, {
    isWanted: () => true,
    onAside: () => {},
    onOrphaned: (orphans) => void reports.push(orphans),
    onAdopted: () => void (isAdopted = true),
    onFailed: (problem) => void failures.push(problem),
  });

  await until("the handover ends", () => reports.length + failures.length > 0, {
    pause: () => target.turns(1),
  });
  await target.settle();
  for (const failure of failures) throw failure;
  return isAdopted ? (reports[0] as FoundOrphans) : null;
}

test("a crash before the marks are on the disk loses no entry silently", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-handover-"));
  try {
    const source = await written({}, "theirs");
    const storage = new DyingStorage();
    const target = await written({ storage, snapshots: new SnapshotFiles(folder) }, "mine");
    assert.equal(target.timeline.prunedTo, source.timeline.prunedTo);
    // Because of this entry, the target's later snapshots are incomplete.
    target.timeline.receive([entryAt(target.timeline.prunedTo + 1, "SET late 1")], MEMBER);
    await target.settle();
    assert.equal(target.mark.snapshots.at(-1), target.timeline.prunedTo);
    storage.isDying = true;
    assert.equal(await adopt(target, source), null);
    storage.revive();
    const again = await target.restarted({ snapshots: new SnapshotFiles(folder) }).open();
    assert.deepEqual(again.get("early"), bulk("mine"));
    const { count, unverifiable } = (await adopt(again, source)) ?? assert.fail();
    assert.ok(count > 100, `${count} orphaned entries`);
    assert.deepEqual([unverifiable.count, unverifiable.entries[0]?.envelope.key], [1, KEY_IDS[ADDED]]);
    assert.deepEqual(again.get("early"), bulk("theirs"));
    const last = await again.restarted({ snapshots: new SnapshotFiles(folder) }).open();
    assert.deepEqual(last.get("early"), bulk("theirs"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Returns the states and reasons of the dead letters in a folder, without duplicates. */
const deadLettersIn = (folder: string) => {
  const { deadLetters } = new DeadLetterFolder(folder).list();
  const kinds = new Set(deadLetters.map(({ state, reason }) => `${state} ${reason}`));
  return {
    count: deadLetters.length,
    kinds: [...kinds].sort(),
    ids: new Set(deadLetters.map(({ orderKey }) => orderKey.id)),
  };
};

test("after a crash, lost entries are dead letters only if the crash came after the decision", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-handover-"));
  try {
    const source = await written({}, "theirs");
    const storage = new DyingStorage();
    const deadLetterStore = () => new DeadLetterStore(folder, 1e6);
    const log = { info: assert.fail, warn: assert.fail, error: assert.fail };
    const options = () => ({
      snapshots: new SnapshotFiles(join(folder, "snapshots")),
      openDeadLetters: deadLetterStore().open,
      // Nothing is pruned.
      limits: {},
    });
    const target = await written({ storage, ...options() }, "mine");
    storage.isDying = true;
    assert.equal(await adopt(target, source), null);
    const { count } = deadLettersIn(folder);
    assert.ok(count > 100 && deadLettersIn(folder).kinds.every((kind) => kind.startsWith("undecided")));
    storage.revive();
    deadLetterStore().decide(storage, log);
    assert.equal(deadLettersIn(folder).count, 0);
    const again = await target.restarted(options()).open();
    const { count: missing, entries, possible, deadLetters } = (await adopt(again, source)) ?? assert.fail();
    const letters = deadLettersIn(folder);
    assert.deepEqual(letters.kinds, [
      ...["waiting missing", "waiting possible", "waiting unknown-key"].filter(
        (kind) => possible.count > 0 || !kind.endsWith("possible"),
      ),
    ]);
    assert.deepEqual([deadLetters?.stored, deadLetters?.notStored], [letters.count, 0]);
    assert.equal(letters.count, count);
    assert.ok(missing > 100 && entries.every(({ id }) => letters.ids.has(id)));
    // The next start finds nothing to decide.
    deadLetterStore().decide(storage, log);
    assert.equal(deadLettersIn(folder).count, count);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("if dead letters cannot be stored, the daemon adopts no snapshot and changes nothing", async () => {
  const source = await written({}, "theirs");
  let isFull = true;
  let discarded = 0;
  const target = await written(
    {
      openDeadLetters: () => ({
        store: () => {
          if (isFull) throw new Error("the disk is full");
        },
        commit: async () => null,
        settle: () => {},
        discard: () => void discarded++,
        figures: { file: null, stored: 0, notStored: 0 },
      }),
    },
    "mine",
  );

  const { counts, mark } = target;
  await assert.rejects(adopt(target, source), /the disk is full/);
  assert.deepEqual([target.counts, target.mark, discarded], [counts, mark, 1]);
  assert.deepEqual(
    [target.timeline.state, target.timeline.failure, target.get("early")],
    ["live", null, bulk("mine")],
  );

  isFull = false;
  assert.notEqual(await adopt(target, source), null);
  assert.deepEqual(target.get("early"), bulk("theirs"));
});
