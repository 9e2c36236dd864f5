/** Tests what a daemon still knows about its votes after a start. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DecisionMaking } from "../../../daemon/cluster/peers/decisions/decision-making.js";
import type { ClusterState } from "../../../daemon/cluster/peers/shared/cluster-state.js";
import { DecidedPatterns } from "../../../daemon/store/rights/decided-patterns.js";
import { DecidedUnits } from "../../../daemon/timeline/decided-units.js";
import { writePromisesMark } from "../../../daemon/timeline/entries/stored-promises.js";
import type { TimelineLogger } from "../../../daemon/timeline/entries/timeline-logger.js";
import { MemoryStorage } from "../../../daemon/timeline/memory-storage.js";
import type { TimelineParts } from "../../../daemon/timeline/timeline-environment.js";
import { NO_PROMISES, writeStoredPromises } from "../../../protocol/members/decision-messages.js";
import { writeDecision } from "../../../protocol/version-2/decision-body.js";

const AT = 1_700_000_000_000;
const ballot = { list: 1, listHash: "l".repeat(32), round: 1, member: "m".repeat(32), attempt: 0 };
const body = writeDecision({
  slot: 1,
  index: 0,
  count: 1,
  previous: null,
  at: AT,
  seq: 0,
  outcomes: ["unmet"],
  unit: null,
});
const signed = { spki: "spki", signature: "signature" };
const vote = { ...signed, ballot, slot: 1, count: 1, root: "d".repeat(32) };
const PROMISES = writeStoredPromises({
  ...NO_PROMISES,
  promised: ballot,
  accepted: { bodies: [body], evidence: { vote, proposal: signed } },
});

const NO_DAMAGE = { error: () => assert.fail("nothing is damaged") } as Partial<TimelineLogger>;

class Scene {
  readonly storage = new MemoryStorage();
  log = NO_DAMAGE;

  start(mayHaveForgotten: boolean): DecidedUnits {
    Object.assign(this.storage, { mayHaveForgotten });
    const parts = { storage: this.storage, log: this.log, hash: () => "i".repeat(32) };
    return new DecidedUnits(parts as unknown as TimelineParts);
  }
}

for (const stored of [PROMISES, null])
  test(`a daemon that may have lost ${stored === null ? "all" : "some"} promises knows it after further starts, until they are stored again`, () => {
    const scene = new Scene();
    if (stored !== null) scene.storage.put([], [["decisions", writePromisesMark(stored)]]);
    assert.deepEqual(scene.start(false).promises, stored);
    assert.equal(scene.start(true).promises, null);
    assert.equal(scene.start(false).promises, null);
    assert.equal(scene.start(true).promises, null);
    const decided = scene.start(false);
    assert.equal(decided.promises, null);
    decided.storePromises(PROMISES, () => {});
    assert.deepEqual(decided.promises, PROMISES);
    assert.deepEqual(scene.start(false).promises, PROMISES);
  });

test("a daemon that a list names after its start has promised nothing", () => {
  const scene = new Scene();
  const decided = scene.start(false);
  assert.equal(decided.promises, null);
  const first = writeStoredPromises(NO_PROMISES);
  scene.storage.put([], [["decisions", writePromisesMark(first)]]);
  assert.deepEqual(decided.promises, first);
});

test("nothing from an open vote's date on becomes final before this daemon takes part in decisions again", () => {
  const scene = new Scene();
  scene.storage.put([], [["decisions", writePromisesMark(PROMISES)]]);
  for (const mayHaveForgotten of [false, true, false]) {
    const decided = scene.start(mayHaveForgotten);
    assert.equal(decided.openDate, AT);
    let hasFolded = false;
    const timeline = {
      decided,
      published: AT - 1,
      hasFolded: () => hasFolded,
      ring: { patterns: DecidedPatterns.NONE },
    };
    const members = {
      areLevel: () => false,
      commonClock: () => AT,
      stablePoint: () => 0,
      epoch: () => "",
      serial: () => 0,
      latestTaken: () => null,
      majorityHeardAt: () => 0,
    };
    const decisions = new DecisionMaking({ timeline, lists: null } as unknown as ClusterState, members);
    decisions.tick();
    assert.equal(decided.openDate, AT);
    hasFolded = true;
    decisions.tick();
    assert.equal(decided.openDate, Number.POSITIVE_INFINITY);
  }
});

/**
 * Starts with damaged promises. Expects that they are lost ones, until they are stored again, and that this is logged.
 */
function expectLost(mark: Buffer): void {
  const scene = new Scene();
  scene.storage.put([], [["decisions", mark]]);
  for (let starts = 1; starts <= 2; starts++) {
    const errors: unknown[] = [];
    scene.log = { error: (...args: unknown[]) => void errors.push(args) };
    const decided = scene.start(false);
    assert.deepEqual([decided.promises, decided.storedVote, errors.length], [null, [], 1]);
  }
  const decided = scene.start(false);
  decided.storePromises(PROMISES, () => {});
  scene.log = NO_DAMAGE;
  assert.deepEqual(scene.start(false).promises, PROMISES);
}

for (const isComplete of [true, false])
  test(`${isComplete ? "complete" : "incomplete"} promises of which a bit is flipped, or the end is missing, are lost ones`, () => {
    const mark = writePromisesMark(PROMISES, isComplete);
    for (let bit = 0; bit < 8 * mark.length; bit++) {
      const damaged = Buffer.from(mark);
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
      expectLost(damaged);
    }
    for (let length = 0; length < mark.length; length++) expectLost(mark.subarray(0, length));
  });

test("promises that are intact, but cannot be read, are lost ones", () => {
  const body = Buffer.from("no decision");
  const stored = {
    ...NO_PROMISES,
    promised: ballot,
    accepted: { bodies: [body], evidence: { vote, proposal: signed } },
  };
  for (const promises of [writeStoredPromises(stored), Buffer.from("*1\r\n$0\r\n\r\n"), Buffer.alloc(0)])
    expectLost(writePromisesMark(promises));
});
