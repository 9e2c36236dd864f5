/** Tests which of a member's signed snapshots a daemon requests. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CutVoting } from "../../../../../daemon/cluster/peers/finality/cut-voting.js";
import type { MissingEntries } from "../../../../../daemon/cluster/peers/finality/missing-entries.js";
import {
  SnapshotChoice,
  SnapshotTaking,
} from "../../../../../daemon/cluster/peers/finality/snapshot-taking.js";
import type {
  ClusterState,
  ConnectedMember,
} from "../../../../../daemon/cluster/peers/shared/cluster-state.js";
import { PEERING_LIMITS } from "../../../../../daemon/cluster/peers/shared/peering-limits.js";
import type { LogThrottle } from "../../../../../daemon/net/process/log-throttle.js";
import { DigestIndex } from "../../../../../daemon/timeline/compare/digest-index.js";
import type { AdoptionHandlers } from "../../../../../daemon/timeline/snapshot-transfer.js";
import type { Timeline } from "../../../../../daemon/timeline/timeline.js";
import type { CutVote } from "../../../../../protocol/members/cut-votes.js";
import { sha256 } from "../../../../simulation/signatures.js";
import { double } from "../../../../support/double.js";
import { EPOCH } from "../entries.js";
import { addressesOf } from "../support.js";

const [FIRST, SECOND, THIRD] = [EPOCH - 3000, EPOCH - 2000, EPOCH - 1000] as const;
const voteOf = (at: number): CutVote => ({ at, bytes: 1, seal: sha256(`${at}`), spki: "", signature: "" });

/**
 * Returns the chosen date.
 * @param agreed  dates for which most other members have signed the same snapshot
 * @param missing  the date of the last requested snapshot that the member could not send, or -1 if there is none
 * @param options.base  the snapshot that has replaced pruned entries of this daemon, or null
 * @param options.taken  dates of the snapshots that this daemon has adopted before
 */
function chosen(
  agreed: readonly number[],
  missing: number,
  {
    order = null,
    base = null,
    taken = [],
  }: {
    readonly order?: string | null;
    readonly base?: CutVote | null;
    readonly taken?: readonly number[];
  } = {},
): number | undefined {
  const handover = { cuts: base === null ? [] : [base] };
  const cluster = double<ClusterState>({
    timeline: {
      prunedTo: base?.at ?? -1,
      handover,
      index: new DigestIndex(),
    } as unknown as Timeline,
    clock: () => EPOCH,
    limits: PEERING_LIMITS,
    order,
    addresses: addressesOf(["b", "c"]),
    state: "catching-up",
    beganEmpty: false,
    // The time in which members could connect is over.
    members: new Map(),
    settledAt: Number.NEGATIVE_INFINITY,
    notices: double<LogThrottle>({ warn: () => true }),
  });

  const missingEntries = double<MissingEntries>({ areMissing: () => true, areStuck: () => true });
  const voting = double<CutVoting>({
    from: (_, needed) => [FIRST, SECOND, THIRD].filter((at) => at >= needed).map(voteOf),
    agreedOn: (at) => (agreed.includes(at) ? voteOf(at) : null),
    haveSigned: () => false,
  });
  const taking = double<SnapshotTaking>({
    missingOf: () => missing,
    wasTaken: ({ at }) => taken.includes(at),
  });

  const choice = new SnapshotChoice(cluster, { missing: missingEntries, voting, taking });
  const connection = { remote: "b", send: () => {} };
  const status = { pruned: FIRST, state: "live" } as const;
  return choice.choices(0, [double<ConnectedMember>({ id: "b", connection, status, compared: "live" })])[0]
    ?.agreed.at;
}

test("if a member cannot send an agreed snapshot, the daemon chooses the next one, then the first again", () => {
  assert.equal(chosen([FIRST, SECOND, THIRD], -1), FIRST);
  assert.equal(chosen([FIRST, SECOND, THIRD], FIRST), SECOND);
  assert.equal(chosen([FIRST, THIRD], FIRST), THIRD);
  assert.equal(chosen([FIRST, SECOND], SECOND), FIRST);
  assert.equal(chosen([], FIRST), undefined);
  assert.equal(chosen([], FIRST, { order: "b" }), SECOND, "an order needs no majority");
});

test("a daemon does not adopt the snapshot that already replaces its pruned entries again", () => {
  const base = voteOf(FIRST);
  assert.equal(chosen([FIRST], -1, { base }), undefined);
  assert.equal(chosen([FIRST, SECOND], -1, { base }), SECOND);
  assert.equal(chosen([FIRST, SECOND], -1, { base: { ...base, seal: sha256("another") } }), FIRST);
  assert.equal(chosen([FIRST], -1, { base, order: "b" }), SECOND, "an order selects a different snapshot");
});

test("a daemon that remains out of date adopts each of two agreed snapshots only once", () => {
  assert.equal(chosen([FIRST, SECOND], -1, { base: voteOf(FIRST), taken: [FIRST] }), SECOND);
  assert.equal(chosen([FIRST, SECOND], -1, { base: voteOf(SECOND), taken: [FIRST, SECOND] }), undefined);
});

/** Returns a transfer that has received a complete snapshot. @param adopt  called to adopt the snapshot */
function takingOf(adopt: (owner: AdoptionHandlers) => void, isServing: () => boolean): SnapshotTaking {
  const staged = { cutAt: FIRST, room: Number.POSITIVE_INFINITY, write: () => {}, discard: () => {} };
  const handover = {
    stage: () => staged,
    adopt: (_staged: object, _agreed: object, owner: AdoptionHandlers) => adopt(owner),
  };

  const cluster = double<ClusterState>({
    timeline: { handover } as unknown as Timeline,
    uptime: () => 0,
    limits: PEERING_LIMITS,
    log: { info: () => {}, warn: () => {}, error: () => {} },
    get state() {
      return isServing() ? "live" : "catching-up";
    },
  });

  const taking = new SnapshotTaking(cluster, () => {});
  const sender = { id: "b", connection: { remote: "b", send: () => {} } };
  taking.tick(0, [{ sender, agreed: voteOf(FIRST) }]);
  const part = { kind: "snapshot-part", at: FIRST, number: 0, total: 1, isLast: true } as const;
  taking.part(sender, { ...part, bytes: Buffer.alloc(1) });
  return taking;
}

test("a daemon remembers the adopted snapshot only until the daemon serves", () => {
  let isServing = false;
  const taking = takingOf(
    (owner) => owner.onAdopted(),
    () => isServing,
  );
  taking.tick(1, []);
  assert.ok(taking.wasTaken(voteOf(FIRST)) && !taking.wasTaken(voteOf(SECOND)));
  assert.equal(taking.missingOf("b"), -1);
  isServing = true;
  taking.tick(2, []);
  assert.ok(!taking.wasTaken(voteOf(FIRST)));
});

test("a daemon requests a later snapshot after a member has sent a different one of the same length", () => {
  const taking = takingOf(
    (owner) => owner.onFailed(new Error("it is not the one that members have signed")),
    () => false,
  );
  assert.equal(taking.missingOf("b"), FIRST);
  assert.ok(!taking.wasTaken(voteOf(FIRST)));
});
