/** A healthy daemon's report about its timeline. */
import type { MemberReport } from "../../../../protocol/figures/timeline-figures.js";
import { type TimelineStatus, timelineOf } from "../../../../tools/cli/status/daemon-figures.js";

export const NOW = 1_790_000_000_000;

export const MEMBER: MemberReport = {
  ...timelineOf(["members", [[]]], "").members[0]!,
  address: "10.0.0.2:1111",
  id: "ab",
  connection: "connected",
  state: "live",
  skew: 3,
  roundTrip: 1,
  watermark: NOW - 30_000,
  entries: 5,
  equal: true,
  lastHeard: 10,
  prunedTo: 0,
};

export const WELL: TimelineStatus = {
  ...timelineOf([], ""),
  started: NOW - 3_600_000,
  durable: true,
  watermark: NOW - 30_000,
  published: NOW - 30_000,
  newest: NOW - 1000,
  stable: NOW - 35_000,
  entries: 5,
  fingerprint: "f",
  settledFingerprint: "s",
  settledUpto: NOW - 31_000,
  tailUnits: 1,
  tailBytes: 1,
  bytes: 1,
  members: [MEMBER],
};
