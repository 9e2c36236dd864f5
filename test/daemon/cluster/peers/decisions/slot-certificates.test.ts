/** Tests which members are found to have voted for two decisions of one slot. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SlotCertificates } from "../../../../../daemon/cluster/peers/decisions/slot-certificates.js";
import type { Certificate } from "../../../../../protocol/members/decision-messages.js";

const ballotOf = (round: number) => ({ list: 0, listHash: "l".repeat(32), round, member: "k", attempt: 0 });

function certificateOf(round: number, voters: string): Certificate {
  const votes = [...voters].map((spki) => ({ spki, signature: "s" }));
  return { ballot: ballotOf(round), path: [], votes };
}

/**
 * Adds decisions, each with its slot, its id, its certificate, and its place in its proposal.
 * @returns the members that each one reveals
 */
function revealed(
  decisions: readonly (readonly [slot: number, id: string, Certificate, index?: number])[],
): (string | null)[] {
  const certificates = new SlotCertificates();
  return decisions.map(([slot, id, certificate, index = 0]) => {
    const voters = certificates.add(slot, index, id, certificate);
    return voters?.join("") ?? null;
  });
}

test("a member is found whose votes for two decisions of a slot and ballot are in their certificates", () => {
  const one = certificateOf(1, "ab");
  const other = certificateOf(1, "ac");
  assert.deepEqual(
    revealed([
      [1, "one", one],
      [1, "other", other],
    ]),
    [null, "a"],
  );
});

test("no member is found by the same decision again, or by another slot or ballot", () => {
  const one = certificateOf(1, "ab");
  assert.deepEqual(
    revealed([
      [1, "one", one],
      [1, "one", certificateOf(1, "abc")],
      [2, "next", one],
      [1, "later", certificateOf(2, "ab")],
    ]),
    [null, null, null, ""],
  );
});

test("each decision of a proposal is compared, and only with those of proposals from the same slot on", () => {
  const one = certificateOf(1, "ab");
  const other = certificateOf(1, "ac");
  // A member may vote for slots 1 and 2, learn that slot 1 was decided otherwise, and vote for slot 2 again.
  assert.deepEqual(
    revealed([
      [2, "one", one, 1],
      [2, "other", other, 1],
      [2, "alone", other, 0],
    ]),
    [null, "a", ""],
  );
});

test("the decisions of the last 1,024 slots are compared", () => {
  const one = certificateOf(1, "a");
  const all = Array.from({ length: 1_025 }, (_, slot) => [slot, `${slot}`, one] as const);
  const last = revealed([...all, [1, "other", one], [0, "other", one]]).slice(-2);
  assert.deepEqual(last, ["a", null]);
});
