/**
 * Tests that an entry that arrives during a refold is in the state only once: if the refold finds it on the disk, the
 * timeline does not add it again.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BackgroundRefold } from "../../../daemon/timeline/background-refold.js";
import type { Entry } from "../../../daemon/timeline/entries/entry.js";
import type { EntryStore } from "../../../daemon/timeline/entry-store.js";
import { MemoryStorage } from "../../../daemon/timeline/memory-storage.js";
import type { TimelineParts } from "../../../daemon/timeline/timeline-environment.js";
import { double } from "../../support/double.js";
import { nextTurn, until } from "../../support/until.js";
import { genesisRing } from "./support/random-timeline.js";
import { bulk, entryAt, fiveMinutes, hash, MEMBER, START } from "./support/timeline-subject.js";

/** Turns after which entries arrive: before the refold reads its first entry, and while it reads. */
for (const turns of [0, 2, 4]) {
  test(`an entry that arrives ${turns} turns after a refold has begun is folded once`, async () => {
    const subject = await fiveMinutes();
    const { timeline } = subject;
    subject.isSlow = true;
    timeline.receive([entryAt(START + 1, "INCR below")], MEMBER);
    await subject.turns(turns);
    assert.ok(!timeline.isFolded(subject.now), "the refold runs");
    subject.write("INCR own");
    timeline.receive([entryAt(subject.now - 1, "INCR given")], MEMBER);
    assert.ok(!timeline.isFolded(subject.now), "the refold is still running");
    subject.isSlow = false;
    await subject.pass(6000);
    assert.ok(timeline.isFolded(subject.now), "the refold has ended");
    for (const key of ["below", "own", "given"]) assert.deepEqual(subject.get(key), bulk("1"), key);
  });
}

test("a refold may return more early entries than a function call can have arguments", async () => {
  const turns: (() => void)[] = [];
  const parts = double<TimelineParts>({
    storage: new MemoryStorage(),
    genesis: () => genesisRing({ hasRoots: true }),
    log: { info: () => {}, warn: () => {}, error: () => {} },
    hash,
    databases: 16,
    uptime: () => 0,
    soon: (step) => void turns.push(step),
  });
  const entryStore = double<EntryStore>({ isRemoved: () => false, making: null });
  const refolding = new BackgroundRefold(parts, entryStore, () => {});

  const many = 70_000;
  const one = entryAt(START - 1, "INCR k");
  const notifyMissed = () => refolding.missed(Array<Entry>(many).fill(one));
  const plan = { tailEnd: START, until: START, tailBytes: 1e9, index: null, found: () => {} };
  const fold = refolding.run(plan);
  notifyMissed();

  // A turn merges twice as many entries as arrived since the last turn.
  const oneTurn = async () => {
    await nextTurn();
    if (turns.length === 1) notifyMissed();
    turns.shift()?.();
    for (const step of turns.splice(0)) step();
  };

  await until("the refold ends", () => !refolding.isRunning, { pause: oneTurn });
  assert.equal((await fold).cutAt, START);
  assert.equal(refolding.takeBelow().length, 2 * many);
});
