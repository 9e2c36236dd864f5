/** What a daemon tells of its timeline that is as it should be. */
import type { MemberStatus, TimelineStatus } from "../../../../client/cli/status/timeline-status.js";

export const NOW = 1_790_000_000_000;

export const MEMBER: MemberStatus = {
  ...{
    address: "10.0.0.2:1111",
    id: "ab",
    listed: null,
    connection: "connected",
    trouble: null,
    state: "live",
    skewed: false,
  },
  ...{ skew: 3, roundTrip: 1, watermark: NOW - 30_000, entries: 5, equal: true, lag: 0, behind: 0 },
  ...{ lastHeard: 10, refusals: 0, prunedTo: 0, lacking: false },
};

export const WELL: TimelineStatus = {
  ...{
    failure: null,
    standstill: null,
    revoked: null,
    unlisted: null,
    authorize: null,
    started: NOW - 3_600_000,
    lists: [],
    joining: false,
    skewed: false,
    durable: true,
    watermark: NOW - 30_000,
    published: NOW - 30_000,
  },
  ...{ newest: NOW - 1000, stable: NOW - 35_000, entries: 5, fingerprint: "f", settledFingerprint: "s" },
  ...{ tailUnits: 1, tailBytes: 1, redone: 0, waiting: 0, bytes: 1, quarantined: 0, dropped: 0 },
  ...{
    strays: 0,
    deadLetters: 0,
    lostGroups: 0,
    taking: null,
    order: null,
    differing: [],
    compared: 0,
    mirror: null,
  },
  members: [MEMBER],
};
