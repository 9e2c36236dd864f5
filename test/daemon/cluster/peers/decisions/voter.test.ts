/** Tests what a member stores about its promises and votes, and when. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type {
  DecisionPorts,
  VoterState,
} from "../../../../../daemon/cluster/peers/decisions/decision-types.js";
import { Timeouts } from "../../../../../daemon/cluster/peers/decisions/timeouts.js";
import { Voter } from "../../../../../daemon/cluster/peers/decisions/voter.js";
import { PEERING_LIMITS } from "../../../../../daemon/cluster/peers/shared/peering-limits.js";
import { NO_PROMISES } from "../../../../../protocol/members/decision-messages.js";

/** Starts a voter that follows the decisions of some slots. @returns the slots that it stores */
function storedSlots(state: VoterState | null, slots: readonly number[]): number[] {
  const stored: number[] = [];
  const ports = { save: ({ last }: VoterState) => void stored.push(last.slot) };
  const voter = new Voter(
    ports as Partial<DecisionPorts> as DecisionPorts,
    new Timeouts(() => 0, PEERING_LIMITS.majorityTimeoutMs),
    state,
  );
  for (const slot of slots)
    voter.follow({ slot, orderKey: { at: slot, seq: 0, id: "i".repeat(32) }, list: 1 });
  return stored;
}

test("a member that does not vote stores its last decision from time to time, to find few after a restart", () => {
  const state = { ...NO_PROMISES, accepted: null };
  assert.deepEqual(storedSlots(state, [1, 1_023, 1_024, 1_025, 2_047, 2_048]), [1_024, 2_048]);
  assert.deepEqual(
    storedSlots({ ...state, last: { slot: 5_000, orderKey: null, list: 1 } }, [5_001, 6_024]),
    [6_024],
  );
});

test("a member that may have lost its promises stores none, because the next start has to know it", () => {
  assert.deepEqual(storedSlots(null, [1, 5_000]), []);
});
