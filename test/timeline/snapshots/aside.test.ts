/**
 * Tests that a member's snapshot is taken only if it is the agreed one and still requested, and that the replaced data
 * is put aside.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalState } from "../../../store/digest.js";
import type { MarkName } from "../../../timeline/entries/storage.js";
import type { AdoptionHandlers } from "../../../timeline/handover.js";
import { MemoryStorage } from "../../../timeline/memory-storage.js";
import type { AsideFolder, OpenAside } from "../../../timeline/snapshots/aside.js";
import { MemorySnapshots } from "../../../timeline/snapshots/memory-snapshots.js";
import type { RefuseRingEntry } from "../../../timeline/snapshots/ring-entries.js";
import type { SnapshotSeal, StagedSnapshot } from "../../../timeline/snapshots/snapshot-files.js";
import { KEY_IDS, SPKIS } from "../support/random-timeline.js";
import { bulk, entryAt, MEMBER, type SubjectOptions, TimelineSubject } from "../support/timeline-subject.js";

const OPTIONS: SubjectOptions = { every: 50, limits: { retainMs: 300_000 } };
const MARKS: readonly MarkName[] = ["watermark", "pruned", "snapshots", "genesis"];
const KEY_TEXT = Buffer.from(SPKIS[3] as string, "latin1").toString("base64");

/** A fake folder for replaced data that records what happens to it. */
class FakeAside implements AsideFolder {
  readonly name = "replaced/here";
  readonly storage = new MemoryStorage();
  readonly snapshots = new MemorySnapshots();
  readonly told: string[] = [];
  cutAt: number | null = null;
  /** Called when it is opened. */
  opened: () => void = () => {};
  committed: () => void = () => {};

  readonly open: OpenAside = async (cutAt) => {
    this.cutAt = cutAt;
    this.opened();
    return this;
  };

  async commit(): Promise<void> {
    this.committed();
    this.told.push("commit");
  }

  async discard(): Promise<void> {
    this.told.push("discard");
  }
}

/** Creates a daemon that has forgotten its first writes, with a key added by an administrator. */
async function makeGiver(name = "theirs"): Promise<TimelineSubject> {
  const giver = await new TimelineSubject(OPTIONS).open();
  await giver.writes(20, 2000, (i) => `SET k${i} ${name}`);
  const added = entryAt(giver.now, `KEY ADD ${KEY_TEXT} LABEL added`, KEY_IDS[1]);
  assert.equal(giver.timeline.take(added).kind, "taken");
  await giver.writes(380, 2000, (i) => `SET k${i % 40} ${name}${i}`);
  assert.ok(giver.timeline.prunedTo > 0);
  return giver;
}

/** Creates a daemon with a history of its own, some of it forgotten. */
async function makeTaker(options: SubjectOptions = {}): Promise<TimelineSubject> {
  const taker = await new TimelineSubject({ ...OPTIONS, ...options }).open();
  await taker.writes(400, 2000, (i) => `SET own${i % 30} mine${i}`);
  assert.ok(taker.timeline.prunedTo > 0 && taker.snapshots.list().length > 1);
  return taker;
}

function stageFrom(giver: TimelineSubject, taker: TimelineSubject): StagedSnapshot {
  const given = giver.timeline.handover.sendable(giver.timeline.prunedTo) ?? assert.fail();
  const staged = taker.timeline.handover.stage(given.cutAt);
  for (const chunk of given.chunks) staged.write(chunk);
  return staged;
}

interface Adoption {
  readonly staged: StagedSnapshot;
  readonly agreed?: SnapshotSeal;
  readonly isWanted?: () => boolean;
}

/** Returns the owner's notifications, in order. @throws Error  the failure that the owner received */
async function adopt(taker: TimelineSubject, adoption: Adoption): Promise<string[]> {
  const { staged, agreed = staged.seal, isWanted = () => true } = adoption;
  const told: string[] = [];
  let failure: Error | null = null;
  let isOver = false;
  const owner: AdoptionHandlers = {
    isWanted,
    onAside: (name) => void told.push(`aside ${name}`),
    onOrphaned: () => void told.push("strays"),
    onAdopted: () => void (isOver = told.push("adopted") > 0),
    onFailed: (problem) => {
      failure = problem;
      isOver = true;
    },
  };
  taker.timeline.handover.adopt(staged, agreed, owner);
  while (!isOver) await taker.turns(1);
  if (failure !== null) throw failure;
  return told;
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

async function assertUnchanged(taker: TimelineSubject, change: () => Promise<void>): Promise<void> {
  const { timeline } = taker;
  const all = () => [
    diskOf(taker),
    canonicalState(timeline.database),
    [timeline.prunedTo, timeline.handover.adoptions, timeline.failure, timeline.state],
    [timeline.index.total("data"), timeline.index.total("ring"), [...timeline.ring.all()].length],
  ];
  const before = all();
  await change();
  assert.deepEqual(all(), before);
  // It continues as before.
  taker.write("SET after 1");
  await taker.pass(1000);
  assert.deepEqual(taker.get("after"), bulk("1"));
  assert.equal((await taker.restarted().open()).timeline.prunedTo, timeline.prunedTo);
}

test("other bytes than those agreed on are refused and change nothing, be they a right snapshot", async () => {
  const [giver, liar, taker] = [await makeGiver(), await makeGiver("lies"), await makeTaker()];
  const staged = stageFrom(giver, taker);
  const { bytes, seal } = staged.seal;
  const lied = stageFrom(liar, taker);
  assert.equal(lied.cutAt, staged.cutAt);
  await assertUnchanged(taker, async () => {
    for (const adoption of [
      { staged: lied, agreed: { bytes, seal } },
      { staged, agreed: { bytes: bytes + 1, seal } },
      { staged, agreed: { bytes, seal: `${seal.slice(0, -1)}${seal.endsWith("x") ? "y" : "x"}` } },
    ])
      await assert.rejects(adopt(taker, adoption), {
        name: "DamagedSnapshot",
        message: "it is not the one that members have signed",
      });
  });
  assert.equal((await adopt(taker, { staged })).at(-1), "adopted", "the right one is taken all the same");
});

test("an entry of its key ring that is refused ends it, and changes nothing", async () => {
  const asked: string[] = [];
  const refusesRing: RefuseRingEntry = ({ envelope: { commands } }) => {
    asked.push(commands[0]?.slice(0, 2).join(" ") ?? "");
    return "bad-signature";
  };
  const [giver, taker] = [await makeGiver(), await makeTaker({ refusesRing })];
  await assertUnchanged(taker, () =>
    assert.rejects(adopt(taker, { staged: stageFrom(giver, taker) }), {
      name: "DamagedSnapshot",
      message: /refused: bad-signature/,
    }),
  );
  assert.deepEqual(asked, ["KEY ADD"]);
});

test("one that is not wanted any more when it has come and been checked is refused, and changes nothing", async () => {
  const aside = new FakeAside();
  const [giver, taker] = [await makeGiver(), await makeTaker({ openAside: aside.open })];
  let asked = 0;
  const isWanted = () => asked++ > 0;
  await assertUnchanged(taker, () =>
    assert.rejects(adopt(taker, { staged: stageFrom(giver, taker), isWanted }), /not needed/),
  );
  assert.deepEqual([asked, aside.cutAt], [1, null]);
});

test("what is replaced is kept aside, whole: it can be begun with", async () => {
  const aside = new FakeAside();
  const [giver, taker] = [await makeGiver(), await makeTaker({ openAside: aside.open })];
  taker.storage.put([], [["genesis", Buffer.from("whose it is")]]);
  const ring = entryAt(taker.now - 90_000, `KEY ADD ${KEY_TEXT} LABEL mine`, KEY_IDS[1]);
  taker.timeline.receive([ring], MEMBER);
  await taker.pass(1000);
  const [disk, state] = [diskOf(taker), canonicalState(taker.timeline.database)];
  assert.ok(disk.entries.length > 0 && disk.marks.every(([, value]) => value !== undefined));
  const staged = stageFrom(giver, taker);
  assert.deepEqual(await adopt(taker, { staged }), ["aside replaced/here", "strays", "adopted"]);
  assert.deepEqual([aside.told, aside.cutAt], [["commit"], staged.cutAt]);
  assert.notDeepEqual(canonicalState(taker.timeline.database), state);
  assert.deepEqual(contentsOf(aside.storage, aside.snapshots), disk);
  const { storage, snapshots } = aside;
  const kept = await taker.restarted({ storage, snapshots }).open();
  assert.deepEqual(canonicalState(kept.timeline.database), state);
  assert.deepEqual(kept.get("own1"), bulk("mine391"));
});

test("so is a past of many entries without a snapshot", async () => {
  const aside = new FakeAside();
  const giver = await makeGiver();
  const taker = await new TimelineSubject({ now: giver.now, openAside: aside.open }).open();
  taker.timeline.receive(
    Array.from({ length: 1100 }, (_, i) => entryAt(giver.now - 700_000 + 500 * i, `SET k${i} v`)),
    MEMBER,
  );
  await taker.pass(1000);
  const disk = diskOf(taker);
  assert.equal(disk.entries.length, 1100);
  await adopt(taker, { staged: stageFrom(giver, taker) });
  assert.deepEqual(contentsOf(aside.storage, aside.snapshots), disk);
});

test("a daemon that has nothing keeps nothing aside, and one without a disk says that it cannot", async () => {
  const giver = await makeGiver();
  const aside = new FakeAside();
  const empty = await new TimelineSubject({ ...OPTIONS, now: giver.now, openAside: aside.open }).open();
  assert.deepEqual(await adopt(empty, { staged: stageFrom(giver, empty) }), ["strays", "adopted"]);
  assert.equal(aside.cutAt, null);
  const taker = await makeTaker();
  const told = await adopt(taker, { staged: stageFrom(giver, taker) });
  assert.deepEqual(told, ["aside null", "strays", "adopted"]);
});

for (const [what, fail] of [
  ["no folder can be made", (aside: FakeAside) => void (aside.opened = noRoom)],
  ["an entry has no room", (aside: FakeAside) => void (aside.storage.put = noRoom)],
  ["a snapshot has no room", (aside: FakeAside) => void (aside.snapshots.write = noRoom)],
  ["it cannot be synced", (aside: FakeAside) => void (aside.storage.synced = async () => noRoom())],
  ["it cannot be closed", (aside: FakeAside) => void (aside.committed = noRoom)],
] as const) {
  test(`where ${what} nothing is replaced, and nothing of it is left aside`, async () => {
    const aside = new FakeAside();
    fail(aside);
    const [giver, taker] = [await makeGiver(), await makeTaker({ openAside: aside.open })];
    await assertUnchanged(taker, () =>
      assert.rejects(adopt(taker, { staged: stageFrom(giver, taker) }), { message: "no room" }),
    );
    assert.deepEqual(aside.told, what.includes("folder") ? [] : ["discard"]);
  });
}

function noRoom(): never {
  throw new Error("no room");
}

test("what comes while it is kept aside is not taken, or is kept aside as well", async () => {
  const aside = new FakeAside();
  const [giver, taker] = [await makeGiver(), await makeTaker({ openAside: aside.open })];
  const { prunedTo } = taker.timeline;
  await giver.writes(100, 2000, (i) => `SET k${i} v`);
  const staged = stageFrom(giver, taker);
  assert.ok(staged.cutAt > prunedTo + 1);
  const stray = entryAt(prunedTo + 1, "SET stray 1");
  let taken: readonly unknown[] = [];
  // When all entries have been copied.
  aside.committed = () => {
    taken = taker.timeline.receive([stray], MEMBER);
  };
  await adopt(taker, { staged });
  const kept = [...aside.storage.places(null, null)].map((place) => place.subarray(-32).toString("latin1"));
  assert.ok(taken.length === 0 || kept.includes(stray.id), "it is nowhere any more");
});
