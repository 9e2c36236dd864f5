/** Tests up to which decision all are part of the state. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DecisionChain } from "../../../../../daemon/cluster/peers/decisions/decision-chain.js";
import type { FoldedDecision } from "../../../../../daemon/cluster/peers/decisions/decision-types.js";
import type { OrderKey } from "../../../../../daemon/timeline/entries/entry.js";
import type { LastDecision } from "../../../../../protocol/members/decision-messages.js";
import { NO_PROMISES } from "../../../../../protocol/members/decision-messages.js";
import { seed } from "../../../../support/seed.js";
import { SeededRandom } from "../../../../support/seeded-random.js";

/** The position of a slot's decision. */
const keyOf = (slot: number): OrderKey => ({ at: slot * 10, seq: 0, id: `decision ${slot}` });
const listOf = (slot: number): number => Math.ceil(slot / 10);
const lastOf = (slot: number): LastDecision => ({ slot, orderKey: keyOf(slot), list: listOf(slot) });
const decisionOf = (slot: number, endSlot = slot): FoldedDecision => ({
  slot,
  endSlot,
  previous: slot === 1 ? null : keyOf(slot - 1),
  list: listOf(slot),
});

/** A daemon with the decisions of some slots in its state. */
class Subject {
  reads = 0;
  prunedTo = -1;
  last: LastDecision = NO_PROMISES.last;
  readonly slots = new Set<number>();
  /** The slots of decisions that others follow in their proposal. */
  readonly inner = new Set<number>();
  readonly #chain = new DecisionChain({
    findDecision: (orderKey) => {
      this.reads++;
      const slot = orderKey.at / 10;
      return orderKey.at > this.prunedTo && this.slots.has(slot) && orderKey.id === keyOf(slot).id
        ? decisionOf(slot, this.#endOf(slot))
        : null;
    },
    prunedTo: () => this.prunedTo,
  });

  /** Makes decisions part of the state. @param isNoted  whether this happens while the daemon runs */
  fold(first: number, to: number, isNoted = true): void {
    for (let slot = first; slot <= to; slot++) {
      this.slots.add(slot);
      if (isNoted && slot > this.last.slot) this.#chain.add(decisionOf(slot, this.#endOf(slot)), keyOf(slot));
    }
  }

  /** Returns the last slot of the proposal of a slot. */
  #endOf(slot: number): number {
    let end = slot;
    while (this.inner.has(end)) end++;
    return end;
  }

  /** Whether decisions are missing before later ones, so that no other proposal may be made. */
  get isIncomplete(): boolean {
    return this.#chain.isIncomplete;
  }

  /** Gives up the missing decision. */
  skip(): void {
    this.last = this.#chain.skip(this.last);
  }

  /** Returns the last slot up to which all decisions are known to be here. */
  advance(known: LastDecision | null = null): number {
    this.last = this.#chain.advance(this.last, known);
    return this.last.slot;
  }

  /** Advances until nothing changes, in several calls. @returns the number of calls */
  settle(): number {
    for (let calls = 1; ; calls++) {
      const [slot, reads] = [this.last.slot, this.reads];
      if (this.advance() === slot && this.reads - reads <= 1) return calls;
    }
  }
}

test("a decision continues the last one if each one between them is part of the state", () => {
  const chain = new DecisionChain({ findDecision: () => null, prunedTo: () => -1 });
  for (const slot of [4, 5, 7]) chain.add(decisionOf(slot, 9), keyOf(slot));
  assert.deepEqual(
    [3, 4, 5, 6, 7].map((slot) => chain.continues(lastOf(3), slot)),
    [true, true, true, false, false],
  );
  assert.ok(!chain.continues(lastOf(2), 4));
  chain.add(decisionOf(6, 9), keyOf(6));
  assert.ok(chain.continues(lastOf(3), 7) && !chain.continues(lastOf(3), 8));
});

test("a later decision does not cover one that is missing", () => {
  const subject = new Subject();
  subject.fold(1, 4);
  assert.equal(subject.advance(), 4);
  subject.fold(6, 7);
  assert.equal(subject.advance(), 4);
  assert.equal(subject.advance(lastOf(7)), 4, "although another member names one that is here");
  assert.equal(subject.advance(lastOf(6)), 4);
  subject.fold(5, 5);
  assert.equal(subject.advance(), 7);
  assert.deepEqual(subject.last, lastOf(7));
});

test("what was folded before the start is found by the positions of the previous decisions", () => {
  const subject = new Subject();
  subject.fold(1, 50, false);
  assert.equal(subject.advance(), 0, "no decision is known");
  assert.equal(subject.advance(lastOf(50)), 50);
  assert.deepEqual(subject.last, lastOf(50), "the list is that of the entry");
});

test("a gap of before the start is found, and the decisions before it can be followed", () => {
  const subject = new Subject();
  subject.fold(1, 29, false);
  subject.fold(31, 60, false);
  assert.equal(subject.advance(lastOf(60)), 0);
  assert.equal(subject.advance(lastOf(29)), 29, "the next decision may have to be made again");
  subject.fold(30, 30);
  assert.equal(subject.advance(), 60);
});

test("a daemon that is many decisions behind reads each once, a few in each call", () => {
  const subject = new Subject();
  const count = 20_000;
  subject.fold(1, count, false);
  subject.slots.delete(3);

  const known = lastOf(count);
  for (let before = 0, calls = 0; calls < count; calls++, before = subject.reads) {
    subject.advance(known);
    assert.ok(subject.reads - before < 200, "a call is short");
    if (subject.reads - before === 1 && calls > 1) break;
  }
  assert.ok(subject.reads < count + 300, `${subject.reads} reads`);

  const before = subject.reads;
  for (let calls = 0; calls < 100; calls++) subject.advance(known);
  assert.ok(subject.reads - before <= 100, "nothing is read again while an entry is missing");

  subject.fold(3, 3);
  subject.settle();
  assert.equal(subject.last.slot, count);
});

test("a decision that another member invents is not followed", () => {
  const subject = new Subject();
  subject.fold(1, 9);
  subject.advance();
  const { orderKey } = lastOf(9);
  for (const slot of [10, 100]) assert.equal(subject.advance({ slot, orderKey, list: 1 }), 9);
  assert.equal(subject.advance({ slot: 10, orderKey: { at: 100, seq: 0, id: "invented" }, list: 1 }), 9);
});

test("removed decisions are covered if the last known one was removed, too", () => {
  const subject = new Subject();
  subject.fold(1, 4);
  assert.equal(subject.advance(), 4);
  subject.fold(12, 12);
  assert.equal(subject.advance(), 4);
  // A snapshot contains the decisions up to slot 9: those of slots 10 and 11 are missing.
  subject.prunedTo = keyOf(9).at;
  assert.equal(subject.advance(), 4);
  assert.equal(subject.advance(lastOf(9)), 9);
  subject.fold(11, 11);
  assert.equal(subject.advance(), 9);
  subject.fold(10, 10);
  assert.equal(subject.advance(), 12);
});

test("a removed decision that another member invents is not followed from one that was not removed", () => {
  const subject = new Subject();
  subject.fold(1, 4);
  assert.equal(subject.advance(), 4);
  subject.prunedTo = keyOf(3).at;
  assert.equal(subject.advance({ slot: 9, orderKey: { at: 15, seq: 0, id: "invented" }, list: 1 }), 4);
});

test("the decision after removed ones covers them", () => {
  const subject = new Subject();
  subject.prunedTo = keyOf(9).at;
  subject.fold(10, 12, false);
  assert.equal(subject.advance(lastOf(12)), 12);
});

test("decisions count when all of their proposal are here", () => {
  const subject = new Subject();
  for (const slot of [1, 2, 4, 5]) subject.inner.add(slot);
  subject.fold(1, 2);
  assert.equal(subject.advance(), 0);
  subject.fold(4, 7);
  assert.equal(subject.advance(), 0);
  subject.fold(3, 3);
  assert.equal(subject.advance(), 7);
  subject.inner.add(8);
  subject.fold(8, 8);
  assert.equal(subject.advance(), 7);
  assert.equal(subject.advance(lastOf(8)), 7, "although another member names it");
  subject.fold(9, 9);
  assert.equal(subject.advance(), 9);
});

test("a proposal of which decisions are lost is given up with the missing ones", () => {
  for (const [held, last] of [
    [[3, 4, 5], 5],
    [[3, 4], 5],
    [[1, 2], 5],
    [[1, 3, 4, 5], 5],
    [[2, 5], 5],
  ] as const) {
    const subject = new Subject();
    for (const slot of [1, 2, 3, 4]) subject.inner.add(slot);
    for (const slot of held) subject.fold(slot, slot);
    assert.equal(subject.advance(), 0);
    assert.ok(subject.isIncomplete, `${held}`);
    for (let gaps = 0; gaps < held.length; gaps++) {
      subject.skip();
      subject.advance();
    }
    assert.equal(subject.last.slot, last, `${held}`);
    assert.ok(!subject.isIncomplete, `${held}`);
  }
});

test("the last decision is the one before the first gap, in whatever order the others arrive", () => {
  const random = new SeededRandom(seed(), 56);
  for (let run = 0; run < 300; run++) {
    const subject = new Subject();
    const count = 40;
    for (let slot = 1; slot < count; slot++) if (random.chance(0.5)) subject.inner.add(slot);
    const slots = random.shuffled(Array.from({ length: count }, (_, index) => index + 1));
    for (const slot of slots) {
      subject.fold(slot, slot, random.chance(0.7));
      const known = random.chance(0.3) ? lastOf(random.between(1, count)) : null;
      const last = subject.advance(known === null || subject.inner.has(known.slot) ? null : known);
      assert.ok(!subject.inner.has(last), `${last} is not the last one of its proposal`);
      for (let earlier = 1; earlier <= last; earlier++)
        assert.ok(subject.slots.has(earlier), `${earlier} is missing, but ${last} is covered`);
    }
    subject.advance(lastOf(count));
    subject.settle();
    assert.deepEqual(subject.last, lastOf(count));
  }
});
