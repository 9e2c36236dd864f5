/** Which snapshot of a member is asked for, where it has signed several. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PEERING_LIMITS } from "../../../daemon/peers/peering-limits.js";
import type { TimelineFace } from "../../../daemon/peers/peering-parts.js";
import { SnapshotChoice } from "../../../daemon/peers/snapshot-choice.js";
import type { CutVote } from "../../../protocol/cut-votes.js";
import { DigestIndex } from "../../../timeline/digest-index.js";
import { EPOCH, sha256 } from "./entries.js";

const [FIRST, SECOND, THIRD] = [EPOCH - 3000, EPOCH - 2000, EPOCH - 1000] as const;
const voteOf = (at: number): CutVote => ({ at, bytes: 1, seal: sha256(`${at}`), spki: "", signature: "" });

/** @param agreed  dates of which most others have signed the same @param missing  of what the member had no more */
function chosen(agreed: readonly number[], missing: number, order: string | null = null): number | undefined {
  const choice = new SnapshotChoice({
    peering: {
      timeline: { prunedTo: -1, handover: {}, index: new DigestIndex() } as unknown as TimelineFace,
      ...{ clock: () => EPOCH, limits: PEERING_LIMITS, order: () => order },
    },
    gaps: { isOpen: () => true, isStuck: () => true },
    voting: {
      from: (_, needed) => [FIRST, SECOND, THIRD].filter((at) => at >= needed).map(voteOf),
      agreedOn: (at) => (agreed.includes(at) ? voteOf(at) : null),
      haveSigned: () => false,
    },
    electorate: () => ({ ids: new Set(["b", "c"]), others: 2 }),
    ...{ state: () => "catching-up", beganEmpty: () => false, isEverybodyHere: () => true },
    missingOf: () => missing,
    notices: { warn: () => {} },
  });
  const connection = { remote: "b", send: () => {} };
  const status = { pruned: FIRST, state: "live" } as const;
  return choice.choices(0, [{ id: "b", connection, status, compared: "live" }])[0]?.agreed.at;
}

test("behind a snapshot that a member has signed and has no more comes the next that is agreed on, then the first again", () => {
  assert.equal(chosen([FIRST, SECOND, THIRD], -1), FIRST);
  assert.equal(chosen([FIRST, SECOND, THIRD], FIRST), SECOND);
  assert.equal(chosen([FIRST, THIRD], FIRST), THIRD);
  assert.equal(chosen([FIRST, SECOND], SECOND), FIRST);
  assert.equal(chosen([], FIRST), undefined);
  assert.equal(chosen([], FIRST, "b"), SECOND, "an order is to be carried out as well");
});
