/**
 * Tests that a member's snapshot is adopted only if it is the agreed one and still requested, and that the replaced
 * data is put aside.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalState } from "../../../../daemon/store/canonical-state.js";
import type { MarkName } from "../../../../daemon/timeline/entries/storage.js";
import { MemoryStorage } from "../../../../daemon/timeline/memory-storage.js";
import type { AdoptionHandlers } from "../../../../daemon/timeline/snapshot-transfer.js";
import type {
  OpenReplacedData,
  ReplacedDataFolder,
} from "../../../../daemon/timeline/snapshots/replaced-data.js";
import type { RefuseRingEntry } from "../../../../daemon/timeline/snapshots/ring-entries.js";
import {
  MemorySnapshots,
  type SnapshotSeal,
  type StagedSnapshot,
} from "../../../../daemon/timeline/snapshots/snapshot-stores.js";
import { until } from "../../../support/until.js";
import { KEY_IDS, SPKIS } from "../support/random-timeline.js";
import { bulk, entryAt, MEMBER, type SubjectOptions, TimelineSubject } from "../support/timeline-subject.js";

const OPTIONS: SubjectOptions = { every: 50, limits: { retainMs: 300_000 } };
const MARKS: readonly MarkName[] = ["watermark", "pruned", "snapshots", "genesis"];
const KEY_TEXT = Buffer.from(SPKIS[3] as string, "latin1").toString("base64");

/** A fake folder for replaced data that records what happens to it. */
class FakeAside implements ReplacedDataFolder {
  readonly name = "replaced/here";
  readonly storage = new MemoryStorage();
  readonly snapshots = new MemorySnapshots();
  readonly notifications: string[] = [];
  cutAt: number | null = null;
  /** Called when the folder is opened. */
  opened: () => void = () => {};
  committed: () => void = () => {};

  readonly open: OpenReplacedData = async (cutAt) => {
    this.cutAt = cutAt;
    this.opened();
    return this;
  };

  async commit(): Promise<void> {
    this.committed();
    this.notifications.push("commit");
  }

  async discard(): Promise<void> {
    this.notifications.push("discard");
  }
}

/** Creates a daemon that has pruned its first writes, with a key added by an administrator. */
async function makeSource(name = "theirs"): Promise<TimelineSubject> {
  const source = await new TimelineSubject(OPTIONS).open();
  await source.writes(20, 2000, (i) => `SET k${i} ${name}`);
  const added = entryAt(source.now, `KEY ADD ${KEY_TEXT} LABEL added`, KEY_IDS[1]);
  assert.equal(source.timeline.accept(added).kind, "accepted");
  await source.writes(380, 2000, (i) => `SET k${i % 40} ${name}${i}`);
  assert.ok(source.timeline.prunedTo > 0);
  return source;
}

/** Creates a daemon with its own history, some of it pruned. */
async function makeTarget(options: SubjectOptions = {}): Promise<TimelineSubject> {
  const target = await new TimelineSubject({ ...OPTIONS, ...options }).open();
  await target.writes(400, 2000, (i) => `SET own${i % 30} mine${i}`);
  assert.ok(target.timeline.prunedTo > 0 && target.snapshots.list().length > 1);
  return target;
}

function stageFrom(source: TimelineSubject, target: TimelineSubject): StagedSnapshot {
  const snapshot = source.timeline.handover.sendable(source.timeline.prunedTo) ?? assert.fail();
  const staged = target.timeline.handover.stage(snapshot.cutAt);
  for (const chunk of snapshot.chunks) staged.write(chunk);
  return staged;
}

interface Adoption {
  readonly staged: StagedSnapshot;
  readonly agreed?: SnapshotSeal;
  readonly isWanted?: () => boolean;
}

/** Returns the owner's notifications, in order. @throws Error  the failure that the owner received */
async function adopt(target: TimelineSubject, adoption: Adoption): Promise<string[]> {
  const { staged, agreed = staged.seal, isWanted = () => true } = adoption;
  const notifications: string[] = [];
  let failure: Error | null = null;
  let isOver = false;
  const owner: AdoptionHandlers = {
    isWanted,
    onAside: (name) => void notifications.push(`aside ${name}`),
    onOrphaned: () => void notifications.push("orphaned"),
    onAdopted: () => void (isOver = notifications.push("adopted") > 0),
    onFailed: (problem) => {
      failure = problem;
      isOver = true;
    },
  };
  target.timeline.handover.adopt(staged, agreed, owner);
  await until("the handover ends", () => isOver, { pause: () => target.turns(1) });
  if (failure !== null) throw failure;
  return notifications;
}

/** Returns everything on a disk, and the state. */
function contentsOf(storage: MemoryStorage, snapshots: Pick<MemorySnapshots, "list" | "read">) {
  return {
    entries: [...storage.entries(null, null)].map((pair) => pair.map((bytes) => bytes.toString("latin1"))),
    marks: MARKS.map((name) => [name, storage.mark(name)?.toString()]),
    snapshots: snapshots
      .list()
      .map((date) => [
        date,
        Buffer.concat([...(snapshots.read(date) as Iterable<Buffer>)]).toString("latin1"),
      ]),
  };
}

const diskOf = ({ storage, snapshots }: TimelineSubject) => contentsOf(storage, snapshots);

async function assertUnchanged(target: TimelineSubject, change: () => Promise<void>): Promise<void> {
  const { timeline } = target;
  const all = () => [
    diskOf(target),
    canonicalState(timeline.database),
    [timeline.prunedTo, timeline.handover.adoptions, timeline.failure, timeline.state],
    [timeline.index.total("data"), timeline.index.total("ring"), [...timeline.ring.all()].length],
  ];
  const before = all();
  await change();
  assert.deepEqual(all(), before);
  // The daemon continues as before.
  target.write("SET after 1");
  await target.pass(1000);
  assert.deepEqual(target.get("after"), bulk("1"));
  assert.equal((await target.restarted().open()).timeline.prunedTo, timeline.prunedTo);
}

test("bytes other than the agreed snapshot are refused and change nothing, even if they are a valid snapshot", async () => {
  const [source, liar, target] = [await makeSource(), await makeSource("lies"), await makeTarget()];
  const staged = stageFrom(source, target);
  const { bytes, seal } = staged.seal;
  const forged = stageFrom(liar, target);
  assert.equal(forged.cutAt, staged.cutAt);
  await assertUnchanged(target, async () => {
    for (const adoption of [
      { staged: forged, agreed: { bytes, seal } },
      { staged, agreed: { bytes: bytes + 1, seal } },
      { staged, agreed: { bytes, seal: `${seal.slice(0, -1)}${seal.endsWith("x") ? "y" : "x"}` } },
    ])
      await assert.rejects(adopt(target, adoption), {
        name: "DamagedSnapshot",
        message: "it is not the one that members have signed",
      });
  });
  assert.equal((await adopt(target, { staged })).at(-1), "adopted", "the agreed bytes are adopted");
});

test("a refused entry of the snapshot's key ring ends the adoption, and changes nothing", async () => {
  const checks: string[] = [];
  const refusesRing: RefuseRingEntry = ({ envelope: { commands } }) => {
    checks.push(commands[0]?.slice(0, 2).join(" ") ?? "");
    return "bad-signature";
  };
  const [source, target] = [await makeSource(), await makeTarget({ refusesRing })];
  await assertUnchanged(target, () =>
    assert.rejects(adopt(target, { staged: stageFrom(source, target) }), {
      name: "DamagedSnapshot",
      message: /refused: bad-signature/,
    }),
  );
  assert.deepEqual(checks, ["KEY ADD"]);
});

test("a daemon refuses a snapshot that it no longer needs when it has arrived and been checked, and changes nothing", async () => {
  const aside = new FakeAside();
  const [source, target] = [await makeSource(), await makeTarget({ openReplacedData: aside.open })];
  let checks = 0;
  const isWanted = () => checks++ > 0;
  await assertUnchanged(target, () =>
    assert.rejects(adopt(target, { staged: stageFrom(source, target), isWanted }), /no longer needed/),
  );
  assert.deepEqual([checks, aside.cutAt], [1, null]);
});

test("the replaced data is put aside completely, so a daemon can start with it", async () => {
  const aside = new FakeAside();
  const [source, target] = [await makeSource(), await makeTarget({ openReplacedData: aside.open })];
  target.storage.put([], [["genesis", Buffer.from("whose it is")]]);
  const ring = entryAt(target.now - 90_000, `KEY ADD ${KEY_TEXT} LABEL mine`, KEY_IDS[1]);
  target.timeline.receive([ring], MEMBER);
  await target.pass(1000);
  const [disk, state] = [diskOf(target), canonicalState(target.timeline.database)];
  assert.ok(disk.entries.length > 0 && disk.marks.every(([, value]) => value !== undefined));

  const staged = stageFrom(source, target);
  assert.deepEqual(await adopt(target, { staged }), ["aside replaced/here", "orphaned", "adopted"]);
  assert.deepEqual([aside.notifications, aside.cutAt], [["commit"], staged.cutAt]);
  assert.notDeepEqual(canonicalState(target.timeline.database), state);
  assert.deepEqual(contentsOf(aside.storage, aside.snapshots), disk);

  const { storage, snapshots } = aside;
  const kept = await target.restarted({ storage, snapshots }).open();
  assert.deepEqual(canonicalState(kept.timeline.database), state);
  assert.deepEqual(kept.get("own1"), bulk("mine391"));
});

test("a history of many entries without a snapshot is put aside completely", async () => {
  const aside = new FakeAside();
  const source = await makeSource();
  const target = await new TimelineSubject({ now: source.now, openReplacedData: aside.open }).open();
  target.timeline.receive(
    Array.from({ length: 1100 }, (_, i) => entryAt(source.now - 700_000 + 500 * i, `SET k${i} v`)),
    MEMBER,
  );
  await target.pass(1000);
  const disk = diskOf(target);
  assert.equal(disk.entries.length, 1100);
  await adopt(target, { staged: stageFrom(source, target) });
  assert.deepEqual(contentsOf(aside.storage, aside.snapshots), disk);
});

test("a daemon without data puts no data aside, and a daemon without a disk reports that it cannot do so", async () => {
  const source = await makeSource();
  const aside = new FakeAside();
  const empty = await new TimelineSubject({
    ...OPTIONS,
    now: source.now,
    openReplacedData: aside.open,
  }).open();
  assert.deepEqual(await adopt(empty, { staged: stageFrom(source, empty) }), ["orphaned", "adopted"]);
  assert.equal(aside.cutAt, null);
  const target = await makeTarget();
  const notifications = await adopt(target, { staged: stageFrom(source, target) });
  assert.deepEqual(notifications, ["aside null", "orphaned", "adopted"]);
});

for (const [what, fail] of [
  ["no folder can be created", (aside: FakeAside) => void (aside.opened = noRoom)],
  ["there is no space for an entry", (aside: FakeAside) => void (aside.storage.put = noRoom)],
  ["there is no space for a snapshot", (aside: FakeAside) => void (aside.snapshots.write = noRoom)],
  ["it cannot be synced", (aside: FakeAside) => void (aside.storage.synced = async () => noRoom())],
  ["it cannot be closed", (aside: FakeAside) => void (aside.committed = noRoom)],
] as const) {
  test(`if ${what}, no data is replaced, and no copy remains aside`, async () => {
    const aside = new FakeAside();
    fail(aside);
    const [source, target] = [await makeSource(), await makeTarget({ openReplacedData: aside.open })];
    await assertUnchanged(target, () =>
      assert.rejects(adopt(target, { staged: stageFrom(source, target) }), { message: "no room" }),
    );
    assert.deepEqual(aside.notifications, what.includes("folder") ? [] : ["discard"]);
  });
}

function noRoom(): never {
  throw new Error("no room");
}

test("entries that arrive while data is put aside are not accepted, or are put aside too", async () => {
  const aside = new FakeAside();
  const [source, target] = [await makeSource(), await makeTarget({ openReplacedData: aside.open })];
  const { prunedTo } = target.timeline;
  await source.writes(100, 2000, (i) => `SET k${i} v`);
  const staged = stageFrom(source, target);
  assert.ok(staged.cutAt > prunedTo + 1);

  const orphan = entryAt(prunedTo + 1, "SET stray 1");
  let accepted: readonly unknown[] = [];
  // This runs when all entries have been copied.
  aside.committed = () => {
    accepted = target.timeline.receive([orphan], MEMBER);
  };

  await adopt(target, { staged });
  const kept = [...aside.storage.orderKeys(null, null)].map((orderKey) =>
    orderKey.subarray(-32).toString("latin1"),
  );
  assert.ok(accepted.length === 0 || kept.includes(orphan.id), "the entry does not exist anywhere");
});
