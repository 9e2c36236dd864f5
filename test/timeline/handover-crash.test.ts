/** A crash while a member's snapshot takes an own one's place leaves all as it was. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Mark } from "../../timeline/entries/storage.js";
import type { FoundStrays } from "../../timeline/handover.js";
import { MemoryStorage } from "../../timeline/memory-storage.js";
import { SnapshotFiles } from "../../timeline/snapshots/snapshot-files.js";
import { KEY_IDS, SPKIS } from "./support/random-timeline.js";
import { bulk, entryAt, MEMBER, type SubjectOptions, TimelineSubject } from "./support/timeline-subject.js";

const OPTIONS: SubjectOptions = { every: 50, limits: { retainMs: 300_000 } };
const ADDED = 3;
const ENTRIES = 400;

/** A disk that the process does not get to any more once it has to note whose snapshot holds. */
class DyingStorage extends MemoryStorage {
  isDying = false;
  #isDead = false;

  override remove(places: readonly Buffer[], marks: readonly Mark[] = []): void {
    this.#isDead = this.isDying && marks.length > 0;
    if (!this.#isDead) super.remove(places, marks);
  }

  override synced(): Promise<void> {
    return this.#isDead ? new Promise(() => {}) : super.synced();
  }

  revive(): void {
    this.isDying = this.#isDead = false;
  }
}

/** Writes at the same times on each, so that all forget up to the same; the first adds a key, which the last is signed with. */
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
    assert.equal(subject.timeline.take(entryAt(subject.now, command, signer)).kind, "taken");
    subject.tick();
    await subject.settle();
  }
  assert.ok(subject.timeline.prunedTo > 0);
  return subject;
}

/** Takes the giver's snapshot over. @returns what was told to be lost; null: it came to rest before */
async function adopt(taker: TimelineSubject, giver: TimelineSubject): Promise<FoundStrays | null> {
  const given = giver.timeline.handover.givable(giver.timeline.prunedTo) ?? assert.fail();
  const staged = taker.timeline.handover.stage(given.cutAt);
  for (const chunk of given.chunks) staged.write(chunk);
  const told: FoundStrays[] = [];
  let isAdopted = false;
  taker.timeline.handover.adopt(staged, staged.seal, {
    ...{ isWanted: () => true, aside: () => {} },
    strays: (strays) => void told.push(strays),
    adopted: () => void (isAdopted = true),
    failed: assert.fail,
  });
  while (told.length === 0) await taker.turns(1);
  await taker.settle();
  return isAdopted ? (told[0] as FoundStrays) : null;
}

test("a crash before its own marks are on the disk loses nothing that was not told, whosesoever snapshot is of the same date", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-handover-"));
  try {
    const giver = await written({}, "theirs");
    const storage = new DyingStorage();
    const taker = await written({ storage, snapshots: new SnapshotFiles(folder) }, "mine");
    assert.equal(taker.timeline.prunedTo, giver.timeline.prunedTo);
    // Its later snapshots are made of too little now.
    taker.timeline.receive([entryAt(taker.timeline.prunedTo + 1, "SET late 1")], MEMBER);
    await taker.settle();
    assert.equal(taker.mark.snapshots.at(-1), taker.timeline.prunedTo);
    storage.isDying = true;
    assert.equal(await adopt(taker, giver), null);
    storage.revive();
    const again = await taker.restarted({ snapshots: new SnapshotFiles(folder) }).open();
    assert.deepEqual(again.get("early"), bulk("mine"));
    const { count, unverifiable } = (await adopt(again, giver)) ?? assert.fail();
    assert.ok(count > 100, `${count} strays`);
    assert.deepEqual([unverifiable.count, unverifiable.entries[0]?.envelope.key], [1, KEY_IDS[ADDED]]);
    assert.deepEqual(again.get("early"), bulk("theirs"));
    const last = await again.restarted({ snapshots: new SnapshotFiles(folder) }).open();
    assert.deepEqual(last.get("early"), bulk("theirs"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
