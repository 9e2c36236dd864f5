/** Tests what a daemon still knows about its votes after a start. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DecisionMaking } from "../../../daemon/cluster/peers/decisions/decision-making.js";
import type { ClusterState } from "../../../daemon/cluster/peers/shared/cluster-state.js";
import { DecidedUnits } from "../../../daemon/timeline/decided-units.js";
import { MemoryStorage } from "../../../daemon/timeline/memory-storage.js";
import type { TimelineParts } from "../../../daemon/timeline/timeline-environment.js";
import { NO_PROMISES, writeStoredPromises } from "../../../protocol/members/decision-messages.js";
import { writeDecision } from "../../../protocol/version-2/decision-body.js";

const AT = 1_700_000_000_000;
const ballot = { list: 1, listHash: "l".repeat(32), round: 1, member: "m".repeat(32), attempt: 0 };
const body = writeDecision({ slot: 1, previous: null, at: AT, seq: 0, outcome: "unmet", unit: null });
const signed = { spki: "spki", signature: "signature" };
const vote = { ...signed, ballot, slot: 1, decision: "d".repeat(32) };
const PROMISES = writeStoredPromises({
  ...NO_PROMISES,
  promised: ballot,
  accepted: { body, evidence: { vote, proposal: signed } },
});

class Scene {
  readonly storage = new MemoryStorage();

  start(mayHaveForgotten: boolean): DecidedUnits {
    Object.assign(this.storage, { mayHaveForgotten });
    const parts = { storage: this.storage, hash: () => "i".repeat(32) };
    return new DecidedUnits(parts as unknown as TimelineParts);
  }
}

for (const stored of [PROMISES, null])
  test(`a daemon that may have lost ${stored === null ? "all" : "some"} promises knows it after further starts, until they are stored again`, () => {
    const scene = new Scene();
    if (stored !== null) scene.storage.put([], [["decisions", stored]]);
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

test("nothing from an open vote's date on becomes final before this daemon takes part in decisions again", () => {
  const scene = new Scene();
  scene.storage.put([], [["decisions", PROMISES]]);
  for (const mayHaveForgotten of [false, true, false]) {
    const decided = scene.start(mayHaveForgotten);
    assert.equal(decided.openDate, AT);
    let hasFolded = false;
    const timeline = { decided, published: AT - 1, hasFolded: () => hasFolded };
    const decisions = new DecisionMaking({ timeline, lists: null } as unknown as ClusterState);
    decisions.tick();
    assert.equal(decided.openDate, AT);
    hasFolded = true;
    decisions.tick();
    assert.equal(decided.openDate, Number.POSITIVE_INFINITY);
  }
});
