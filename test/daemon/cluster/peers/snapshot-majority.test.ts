/** Tests which snapshots a daemon may adopt. The signature of a single other member is not sufficient. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CutVoting } from "../../../../daemon/cluster/peers/finality/cut-voting.js";
import type { MissingEntries } from "../../../../daemon/cluster/peers/finality/missing-entries.js";
import {
  SnapshotChoice,
  type SnapshotTaking,
} from "../../../../daemon/cluster/peers/finality/snapshot-taking.js";
import type { ClusterState, ConnectedMember } from "../../../../daemon/cluster/peers/shared/cluster-state.js";
import { PEERING_LIMITS } from "../../../../daemon/cluster/peers/shared/peering-limits.js";
import type { LogThrottle } from "../../../../daemon/net/process/log-throttle.js";
import type { Timeline } from "../../../../daemon/timeline/timeline.js";
import type { CutVote } from "../../../../protocol/members/cut-votes.js";
import { double } from "../../../support/double.js";
import { EPOCH, keyOf } from "./entries.js";
import { FakeTimeline } from "./fake-timeline.js";
import { addressesOf } from "./support.js";

const GIVER = keyOf("a");
const AT = EPOCH - 10_000;

/** A handover that always works, because these tests are only about the source of a snapshot. */
const HANDOVER = double<Timeline["handover"]>({
  adoptions: 0,
  cuts: [],
  votes: null,
  sendable: () => null,
  hasLost: () => false,
  hold() {},
  retainFrom() {},
  certify() {},
  want() {},
  storeVotes() {},
  adopt() {},
  stage: () => assert.fail("no snapshot is adopted"),
});

const voteOf = (seal: string): CutVote => ({
  at: AT,
  bytes: 100,
  seal: seal.repeat(32),
  spki: GIVER.spki,
  signature: "",
});

/**
 * Whether the sender's snapshot is adopted when there are two other members.
 * @param majority  the vote that most members have signed for the snapshot's date
 */
function isTaken(majority: CutVote | null, { haveSigned = false, order = false } = {}): boolean {
  const timeline = new FakeTimeline(
    () => {},
    () => {},
  );
  timeline.handover = HANDOVER;
  const warned: string[] = [];

  const cluster = double<ClusterState>({
    timeline: timeline.real,
    clock: () => EPOCH,
    limits: PEERING_LIMITS,
    order: order ? GIVER.id : null,
    addresses: addressesOf([GIVER.id, keyOf("b").id]),
    state: "catching-up",
    beganEmpty: true,
    // The time in which members could connect is over.
    members: new Map(),
    settledAt: Number.NEGATIVE_INFINITY,
    notices: double<LogThrottle>({ warn: (_kind, _facts, text) => warned.push(text) > 0 }),
  });

  const missing = double<MissingEntries>({ areMissing: () => true, areStuck: () => true });
  const voting = double<CutVoting>({
    agreedOn: () => majority,
    from: () => [voteOf("s")],
    haveSigned: () => haveSigned,
  });
  const taking = double<SnapshotTaking>({ missingOf: () => -1, wasTaken: () => false });

  const choice = new SnapshotChoice(cluster, { missing, voting, taking });
  const connection = { remote: "a:1", send: () => {} };
  const status = { pruned: AT, state: "live" } as const;
  const choices = choice.choices(0, [
    double<ConnectedMember>({ id: GIVER.id, connection, status, compared: null }),
  ]);
  assert.equal(choice.order === null, choices.length === 1, "an operator can order its adoption");
  assert.equal(warned.length, 1 - choices.length);
  return choices.length === 1;
}

test("a daemon adopts a snapshot if a majority or the daemon itself has signed it, or an operator orders it", () => {
  assert.equal(isTaken(voteOf("s")), true);
  assert.equal(isTaken(null), false, "most members have signed nothing for its date");
  assert.equal(isTaken(voteOf("t")), false, "most members have signed another snapshot");
  assert.equal(isTaken(null, { haveSigned: true }), true);
  assert.equal(isTaken(voteOf("t"), { order: true }), true);
});
