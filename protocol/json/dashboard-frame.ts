/**
 * The report that --admin sends to its page once per second: the counts and states of /metrics. It contains no secrets:
 * no keys, no values and no names of signers. Durations are in milliseconds, dates in milliseconds since 1970. A value
 * is null if it is unknown or absent.
 */

import type { ClientTotals } from "../figures/figure.js";
import type { Problem, Severity } from "../figures/problem.js";
import type { MemberReport, TimelineReport } from "../figures/timeline-figures.js";

/** The range of dates, in milliseconds, that `arrivals` counts together. */
export const ARRIVAL_BIN_MS = 250;
/** The ranges, in milliseconds before and after the present, in which dates are counted in bins. */
export const ARRIVALS_PAST_MS = 60_000;
export const ARRIVALS_AHEAD_MS = 6_000;

/** The interval between two samples of the charts, and the number of stored samples, which cover one hour. */
export const SAMPLE_EVERY_MS = 5000;
export const SAMPLES_MAX = 720;

/**
 * The values of a sample, in this order, after its date. Rates are the mean per second since the previous sample. Times
 * are the median and the 99th percentile in milliseconds. Sizes are in bytes. `lag` is the number of envelopes between
 * this daemon and the member that is furthest behind. The values of the cluster are the sums of this daemon and of the
 * members that report; `daemons` is their number. They are null if this daemon has no members.
 */
export const SAMPLE_SERIES = [
  "units",
  "recorded",
  "refused",
  "verifyP50",
  "verifyP99",
  "delayP50",
  "delayP99",
  "memory",
  "connections",
  "clusterUnits",
  "clusterRefused",
  "clusterConnections",
  "daemons",
  "lag",
  "decidedSlots",
  "decidedUnits",
] as const;

export type SampleName = (typeof SAMPLE_SERIES)[number];
export type SampleValues = Readonly<Record<SampleName, number | null>>;

/** The answer of /history. */
export interface DashboardHistory {
  /** The samples; the oldest is first. */
  readonly samples: readonly (readonly (number | null)[])[];
  /** The arrivals of the last minute. */
  readonly arrivals: readonly Arrival[];
}

export interface DashboardFrame {
  /** The date by the daemon's clock. */
  readonly now: number;
  readonly startedAt: number;
  readonly version: string;
  readonly state: string;
  /** The severity of the state, so that the page needs no table of states; null: nothing is wrong. */
  readonly stateSeverity: Severity | null;
  /** Whether load balancers should send clients to this daemon. */
  readonly isHealthy: boolean;
  /** The problems, with the sentences of dbsync doctor. */
  readonly problems: readonly Problem[];
  /** The newest sample, or null if there is none yet. */
  readonly sample: readonly (number | null)[] | null;
  /** What this daemon did for its clients. */
  readonly totals: ClientTotals;
  readonly listeners: readonly FrameListener[];
  /** The refusals since the start. */
  readonly refusals: readonly FrameRefusal[];
  /** The memory in bytes; `limit` 0: there is no limit. */
  readonly memory: {
    readonly resident: number;
    readonly heap: number;
    readonly buffered: number;
    readonly used: number;
    readonly limit: number;
  };
  /** The bytes of the file system of --data. */
  readonly disk: { readonly free: number; readonly size: number } | null;
  /** The number of keys by state, or null if the daemon accepts unsigned commands. */
  readonly keys: Readonly<Record<string, number>> | null;
  readonly timeline: FrameTimeline | null;
  /** The address of --ws, for clients that sign. */
  readonly ws: { readonly port: number; readonly isSecure: boolean } | null;
}

/** The totals of a port since the start, and its current connections; null: they are in the row of the port. */
export interface FrameListener {
  readonly name: string;
  readonly ok: number;
  readonly errors: number;
  readonly connections: number | null;
}

export interface FrameRefusal {
  readonly listener: string;
  readonly reason: string;
  readonly count: number;
}

/** The figures of the timeline that the page receives. */
export const FRAME_FIGURES = [
  ...(["durable", "skewed", "ringEntries", "dataEntries", "bytes", "tailUnits", "tailBytes"] as const),
  ...(["redone", "waiting", "quarantined", "published", "newest", "stable", "master", "isMaster"] as const),
  ...([
    "isKeeper",
    "decidedSlots",
    "decidedUnits",
    "decidedAt",
    "waitingEnvelopes",
    "undecidedCause",
  ] as const),
] as const satisfies readonly (keyof TimelineReport)[];

export interface FrameTimeline extends Pick<TimelineReport, (typeof FRAME_FIGURES)[number]> {
  /** The bins that have changed since the previous frame. */
  readonly arrivals: readonly Arrival[];
  /** The number of envelopes since the start whose dates are outside these ranges. */
  readonly outsideWindow: number;
  /** The address of the member that may propose decisions; null: this daemon, or none. */
  readonly keeperAddress: string | null;
  /** The other members. */
  readonly members: readonly FrameMember[];
}

/**
 * A bin: its date in units of ARRIVAL_BIN_MS, the number of envelopes from clients and from members, and the number of
 * both that were late.
 */
export type Arrival = readonly [bin: number, clients: number, members: number, late: number];

/** The figures of a member that the page receives: not its id, nor why it is not connected, which may contain more. */
export const MEMBER_FRAME_FIGURES = [
  ...(["address", "connection", "state", "skew", "roundTrip", "lastHeard"] as const),
  ...(["lag", "behind", "equal", "refusals"] as const),
  // Figures that the member reports about itself.
  ...(["software", "pagePort", "pageLocal", "diskFree", "diskSize"] as const),
  ...(["clientAnswers", "clientRefusals", "clientConnections", "problems"] as const),
] as const satisfies readonly (keyof MemberReport)[];

export type FrameMember = Pick<MemberReport, (typeof MEMBER_FRAME_FIGURES)[number]>;
