/** Tests what a daemon without members does with its timeline, and that its waits pass to the members that it gets. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Members } from "../../../../daemon/cluster/peers/members-interface.js";
import { NoMembers } from "../../../../daemon/cluster/peers/no-members.js";
import { PEERING_LIMITS } from "../../../../daemon/cluster/peers/shared/peering-limits.js";
import type { AddedEntry, Entry, OrderKey } from "../../../../daemon/timeline/entries/entry.js";
import type { Timeline } from "../../../../daemon/timeline/timeline.js";
import type { Envelope } from "../../../../protocol/version-2/envelope.js";
import { double } from "../../../support/double.js";
import { nextTurn } from "../../../support/until.js";

const { reportEveryMs, catchUpStuckMs, waitMaxMs } = PEERING_LIMITS;
const KEY: OrderKey = { at: 7, seq: 0, id: "i".repeat(32) };

/** Starts a daemon without members, with a timeline that the test changes. */
function start({ isFolded = true } = {}) {
  let now = 0;
  const waiting = { size: 3, areMarkedFolded: isFolded, mark: () => {} };
  const certified: number[] = [];
  const handover = {
    cuts: [{ at: 10 }, { at: 20 }],
    certify: (at: number) => certified.push(at),
    retained: 0,
    retainFrom: (at: number) => void (handover.retained = at),
  };
  const damagedEntries = { lastAt: null as number | null, dropped: 0, drop: () => damagedEntries.dropped++ };
  const stored = new Set<OrderKey>();

  const timeline = {
    ...{ state: "live", published: 0, prunedTo: -1, newest: { at: 5, seq: 0 } },
    ...{ waiting, handover, damagedEntries, count: 0 },
    index: { total: () => ({ count: timeline.count }) },
    read: (orderKey: OrderKey) => (stored.has(orderKey) ? {} : null),
  };

  const members = new NoMembers({
    timeline: timeline as unknown as Timeline,
    uptime: () => now,
    limits: PEERING_LIMITS,
    admitted: null,
    named: null,
  });
  members.start();

  const pass = (milliseconds: number) => {
    now += milliseconds;
    members.tick();
  };
  return { members, timeline, waiting, handover, certified, damagedEntries, stored, pass };
}

/** Returns a function that shows whether a promise is resolved. */
async function watch(promise: Promise<void>): Promise<() => Promise<boolean>> {
  let isOver = false;
  void promise.then(() => (isOver = true));
  return async () => {
    await nextTurn();
    return isOver;
  };
}

test("it is live once the entries of its folder are part of the state, and reports what it waits for", () => {
  const { members, waiting, pass } = start({ isFolded: false });
  pass(400_000);
  assert.equal(members.state, "catching-up");
  assert.deepEqual(members.finalityDelay, {
    ...{ cause: "own-state", members: [], milliseconds: 400_000, isOverdue: true },
  });

  waiting.size = 2;
  pass(100);
  assert.equal(members.finalityDelay?.isOverdue, false, "an entry less waits");
  waiting.areMarkedFolded = true;
  pass(100);
  assert.equal(members.state, "live");
  assert.equal(members.finalityDelay, null);

  waiting.areMarkedFolded = false;
  pass(100);
  assert.equal(members.state, "live", "later entries change nothing");
});

test("its own watermark makes dates final, and its own snapshots permit it to prune", () => {
  const { members, timeline, waiting, handover, certified, pass } = start({ isFolded: false });
  timeline.published = 15;
  pass(reportEveryMs);
  assert.deepEqual(certified, [], "a state that is not complete is not certified");
  waiting.areMarkedFolded = true;
  pass(reportEveryMs);
  assert.deepEqual(certified, [10]);
  assert.equal(handover.retained, 16);
  assert.equal(members.stablePoint, 16);
  timeline.published = 20;
  pass(reportEveryMs);
  assert.deepEqual(certified, [10, 10, 20]);
});

test("it is admitted as alone once it has recorded a write", () => {
  const { members, pass } = start();
  pass(100);
  assert.equal(members.admission.admitted, null);
  const write = (...argv: string[]) =>
    members.admission.noteWrite([double<Entry>({ envelope: double<Envelope>({ commands: [argv] }) })]);
  write("CLUSTER", "ADD", "key");
  assert.equal(members.admission.admitted, null, "the key ring is no data");
  write("SET", "k", "v");
  assert.equal(members.admission.admitted, "alone");
});

test("it is admitted as alone if its folder contains a write", () => {
  const { members, timeline, pass } = start();
  timeline.count = 1;
  pass(100);
  assert.equal(members.admission.admitted, "alone");
});

test("a damaged entry is dropped after the time in which a member could send it", () => {
  const { damagedEntries, pass } = start();
  damagedEntries.lastAt = 3;
  pass(reportEveryMs);
  pass(catchUpStuckMs - 1);
  damagedEntries.lastAt = null;
  pass(reportEveryMs);
  damagedEntries.lastAt = 3;
  pass(reportEveryMs);
  pass(catchUpStuckMs);
  assert.equal(damagedEntries.dropped, 0, "it was readable in the meantime");
  pass(reportEveryMs);
  assert.equal(damagedEntries.dropped, 1);
});

test("a wait ends when the date is final, or the entry is on the disk", async () => {
  const { members, timeline, stored, pass } = start();
  const [final, own] = [await watch(members.stable(5)), await watch(members.replicated(KEY, 1))];
  pass(reportEveryMs);
  assert.equal(await final(), false);
  timeline.published = 5;
  pass(reportEveryMs);
  assert.equal(await final(), true);
  assert.equal(await own(), false);
  members.flushed([{ ...KEY, id: "j".repeat(32) }] as unknown as AddedEntry[]);
  assert.equal(await own(), false);
  members.flushed([KEY] as unknown as AddedEntry[]);
  assert.equal(await own(), true);
  stored.add(KEY);
  assert.equal(await (await watch(members.replicated(KEY, 1)))(), true);
});

test("the members that it gets continue its waits, but not those that are dropped", async () => {
  const { members, pass } = start();
  const dropped = await watch(members.stable(6));
  pass(waitMaxMs + 1);
  const [final, two] = [await watch(members.stable(8)), await watch(members.replicated(KEY, 2))];
  members.flushed([KEY] as unknown as AddedEntry[]);
  const requests: unknown[] = [];
  const next = double<Members>({
    stable: (at) => Promise.resolve(void requests.push(at)),
    replicated: (orderKey, daemons) => Promise.resolve(void requests.push([orderKey, daemons])),
  });
  members.passWaits(next);
  assert.deepEqual(requests, [8, [KEY, 2]]);
  assert.equal(await final(), true);
  assert.equal(await two(), true);
  assert.equal(await dropped(), false);
});

test("clients that follow streams wait for no other daemon", async () => {
  const { closing } = start().members;
  assert.equal(closing.newest, 5);
  assert.equal(closing.closedTo(), Number.POSITIVE_INFINITY);
  await new Promise<void>((resolve) => closing.close(Number.MAX_SAFE_INTEGER, resolve));
});
