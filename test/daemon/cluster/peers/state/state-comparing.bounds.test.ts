/** Tests that the work that members can cause by comparing states is bounded by a share of the daemon's time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterState } from "../../../../../daemon/cluster/peers/shared/cluster-state.js";
import { PEERING_LIMITS } from "../../../../../daemon/cluster/peers/shared/peering-limits.js";
import {
  type ComparedMember,
  StateComparing,
} from "../../../../../daemon/cluster/peers/state/state-comparing.js";
import type { OwnMessage } from "../../../../../protocol/members/member-messages.js";
import { double } from "../../../../support/double.js";

const KEYS = [{ db: 0, key: "k", digest: { high: 1, low: 1 } }];
const TOTALS = { ring: { count: 0, sum: "0" }, data: { count: 0, sum: "0" } };
const ASKED = { kind: "state-keys", at: 1000, salt: 1, isAnswer: false, ...TOTALS, keys: KEYS } as const;

test("requests for keys use at most a share of the time, however long each takes", () => {
  let now = 0;
  const sent: OwnMessage[] = [];
  const digests = () => {
    now += 30;
    return KEYS;
  };
  const timeline = { digests: { digests }, index: { digestUpTo: () => TOTALS.data }, published: 0 };
  const log = { info() {}, warn() {}, error() {} };
  const cluster = double<ClusterState>({
    timeline,
    log,
    limits: PEERING_LIMITS,
    uptime: () => now,
    random: () => 0,
    members: new Map(),
    addresses: [],
  });

  const comparing = new StateComparing(cluster, { value: 0 });
  const member = double<ComparedMember>({
    id: "m",
    status: null,
    malformed: () => assert.fail(),
    connection: { unsentBytes: 0, send: (message) => void sent.push(message) },
  });

  for (let i = 0; i < 10; i++) comparing.receive(member, ASKED);
  // The share is 5 % of a second, but a comparison in progress is completed.
  assert.equal(sent.length, 2);

  now += 1000;
  comparing.tick(now);
  comparing.receive(member, ASKED);
  assert.equal(sent.length, 3);
});
