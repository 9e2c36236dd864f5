/** Tests that members' entries are recorded only if the facts on which their verification relied are still true. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  EntryIntake,
  type IncomingBatch,
  type Sender,
} from "../../../../../daemon/cluster/peers/exchange/entry-intake.js";
import { ReplicationStates } from "../../../../../daemon/cluster/peers/exchange/replication-states.js";
import type {
  ClusterState,
  SignatureThreads,
} from "../../../../../daemon/cluster/peers/shared/cluster-state.js";
import { PEERING_LIMITS } from "../../../../../daemon/cluster/peers/shared/peering-limits.js";
import { BackgroundWork, type Work } from "../../../../../daemon/net/process/background-work.js";
import type { Entry } from "../../../../../daemon/timeline/entries/entry.js";
import { writeEntries } from "../../../../../protocol/members/member-elements.js";
import { sha256 } from "../../../../simulation/signatures.js";
import { double } from "../../../../support/double.js";
import { nextTurn, until } from "../../../../support/until.js";
import { EPOCH, entryOf } from "../entries.js";
import { FakeTimeline } from "../fake-timeline.js";

/** The number of entries in a push that takes several steps to verify. */
const ENTRIES = 20;
/** The number of entries in a push that takes several steps to record. */
const MANY = 100;

const sender: Sender = {
  id: "sender",
  bit: 1,
  onEntries: () => {},
  acknowledge: () => {},
  unknown: () => {},
  heldBack: () => {},
  missed: () => {},
  refused: assert.fail,
  malformed: assert.fail,
  failed: assert.fail,
};

interface Pushed {
  /** Returns the number of recorded entries. */
  readonly recorded: () => number;
  readonly handover: { adoptions: number };
  readonly timeline: { state: string };
  /** Returns how often entries may have been missed. */
  readonly missed: () => number;
  readonly batch: IncomingBatch;
  readonly work: Work;
}

/**
 * Pushes entries.
 * @param signatureThreads  the threads that check signatures, or null if there are none
 * @param value  what each entry writes
 */
function push(count: number, signatureThreads: SignatureThreads | null = null, value = "v"): Pushed {
  const soon = (step: () => void) => step();
  const timeline = new FakeTimeline(soon, () => {});
  const handover = { adoptions: 0 };
  timeline.handover = handover as FakeTimeline["handover"] & object;
  const entries = Array.from({ length: count }, (_, i) => entryOf(i, ["SET", "k", value]));
  const byBody = new Map(entries.map((entry) => [entry.body.toString("latin1"), entry]));

  const clocks = { clock: () => EPOCH, uptime: () => 0 };
  const cluster = double<ClusterState>({
    timeline: timeline.real,
    hash: sha256,
    limits: PEERING_LIMITS,
    signatureThreads,
    ...clocks,
    checkEntry: (body) => byBody.get(body.toString("latin1")) as Entry,
    slices: new BackgroundWork({ ...clocks, defer: soon, milliseconds: 1 }),
  });
  const intake = new EntryIntake(cluster, new ReplicationStates(PEERING_LIMITS, () => false));
  const batch: IncomingBatch = { pending: 0, isRead: false, changed: () => {} };

  const packed = writeEntries(entries);
  let missed = 0;
  const message = {
    kind: "push",
    number: 1,
    bytes: packed.length,
    isDeflated: false,
    entries: packed,
  } as const;
  const work = intake.push(message, { ...sender, missed: () => void missed++ }, batch);

  return {
    work,
    batch,
    handover,
    timeline,
    missed: () => missed,
    recorded: () => [...timeline.storage.orderKeys(null, null)].length,
  };
}

/**
 * Changes something while entries are verified.
 * @param between  called during the verification
 * @returns the number of recorded entries
 */
function takenBeside(between: (handover: { adoptions: number }) => void): number {
  const { work, batch, handover, recorded } = push(ENTRIES);
  assert.equal(work.next().done, false);
  between(handover);
  while (work.next().done !== true);
  assert.ok(batch.isRead, "the member is notified that it is processed");
  return recorded();
}

test("entries that were verified before the adoption of a snapshot are not recorded after it", () => {
  assert.equal(
    takenBeside(() => {}),
    ENTRIES,
  );
  assert.equal(
    takenBeside((handover) => handover.adoptions++),
    0,
  );
});

test("entries that are dropped because of the adoption of a snapshot are reported as missed", () => {
  for (const change of [
    () => {},
    ({ handover }: Pushed) => void handover.adoptions++,
    ({ timeline }: Pushed) => void (timeline.state = "catching-up"),
  ]) {
    const pushed = push(ENTRIES);
    assert.equal(pushed.work.next().done, false);
    change(pushed);
    while (pushed.work.next().done !== true);
    assert.equal(pushed.missed() > 0, pushed.recorded() === 0);
  }
});

test("the entries of a push are recorded in small groups, between which other work runs", () => {
  const { work, recorded, batch } = push(MANY);
  const steps: number[] = [];
  for (let before = 0; work.next().done !== true; before = recorded()) steps.push(recorded() - before);
  assert.ok(Math.max(...steps) <= 32, steps.join(" "));
  assert.equal(recorded(), MANY);
  assert.ok(batch.isRead);
});

/** Returns simulated signature threads, and functions by which the test releases their answers one by one. */
function threadsOf() {
  const answers: (() => void)[] = [];
  const threads: SignatureThreads = {
    prove: (entries) =>
      new Promise((resolve) => {
        answers.push(() => resolve(entries.map(() => null)));
      }),
    stop: () => {},
  };
  return { threads, answers };
}

test("a long push waits for the threads that check its signatures, and its entries are recorded in order", async () => {
  const { threads, answers } = threadsOf();
  const { work, recorded } = push(MANY, threads);
  const soon = (step: () => void) => void setImmediate(step);
  const slices = new BackgroundWork({ uptime: () => 0, defer: soon, milliseconds: 1 });
  slices.add(work);
  await nextTurn();
  assert.equal(answers.length, 4, "all parts are requested at the same time");
  answers.pop()?.();
  for (let i = 0; i < 5; i++) await nextTurn();
  assert.equal(recorded(), 0, "the last part waits for the first");
  for (const answer of answers) answer();
  await until("all entries are recorded", () => recorded() >= MANY, { pause: nextTurn });
});

test("cleared work does not continue when the threads answer", async () => {
  const { threads, answers } = threadsOf();
  const { work, recorded } = push(MANY, threads);
  const slices = new BackgroundWork({ uptime: () => 0, defer: (step) => step(), milliseconds: 1 });
  slices.add(work);
  slices.clear();
  for (const answer of answers) answer();
  await nextTurn();
  assert.equal(recorded(), 0);
});

test("results that threads return after the adoption of a snapshot are not used", async () => {
  const { threads, answers } = threadsOf();
  const { work, recorded, handover, batch } = push(MANY, threads);
  const waits = work.next().value;
  handover.adoptions++;
  for (const answer of answers) answer();
  await waits;
  while (work.next().done !== true);
  assert.equal(recorded(), 0);
  assert.ok(batch.isRead);
});

test("a short push is checked immediately", () => {
  const { threads, answers } = threadsOf();
  const { work, recorded } = push(ENTRIES, threads);
  while (work.next().done !== true);
  assert.equal(recorded(), ENTRIES);
  assert.equal(answers.length, 0);
});

test("a push of more than one MiB is not passed to threads", () => {
  const { threads, answers } = threadsOf();
  const { work, recorded } = push(MANY, threads, "v".repeat(16 * 1024));
  while (work.next().done !== true);
  assert.equal(recorded(), MANY);
  assert.equal(answers.length, 0);
});
