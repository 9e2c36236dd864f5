/**
 * The report that --admin sends to its page once a second: the counts and states of /metrics. None of them is secret.
 * It contains no keys, no values, no names of signers. Times are milliseconds, dates milliseconds since 1970; null: not known, or not
 * there.
 */

import type { Problem } from "../figures/problem.js";
import type { MemberReport, TimelineReport } from "../figures/timeline-figures.js";

/** Milliseconds of dates that `arrivals` counts together. */
export const ARRIVAL_BIN_MS = 250;
/** Milliseconds before and after the present for which dates are counted in bins. */
export const ARRIVALS_PAST_MS = 60_000;
export const ARRIVALS_AHEAD_MS = 6_000;

/** Milliseconds between two samples of the charts, and samples that are kept: an hour. */
export const SAMPLE_EVERY_MS = 5000;
export const SAMPLES_MAX = 720;

/**
 * The values of a sample, in this order, after its date. Rates are the mean per second since the sample before; of times, the half and 99
 * of 100 took at most that many milliseconds; sizes are bytes; `lag` is envelopes between this daemon and the member that is furthest off.
 */
export const SAMPLE_SERIES = [
  "units",
  "recorded",
  "refused",
  "verifyHalf",
  "verifyMost",
  "delayHalf",
  "delayMost",
  "memory",
  "connections",
  "lag",
] as const;

export type SampleName = (typeof SAMPLE_SERIES)[number];
export type SampleValues = Readonly<Record<SampleName, number | null>>;

/** The answer of /history. */
export interface DashboardHistory {
  /** The oldest first. */
  readonly samples: readonly (readonly (number | null)[])[];
  /** The arrivals of the last minute. */
  readonly arrivals: readonly Arrival[];
}

export interface DashboardFrame {
  /** Date by the daemon's clock. */
  readonly now: number;
  readonly startedAt: number;
  readonly version: string;
  readonly state: string;
  /** Whether clients should be sent here. */
  readonly isHealthy: boolean;
  /** Problems, in the sentences of dbsync doctor. */
  readonly problems: readonly Problem[];
  /** The newest; null: none yet. */
  readonly sample: readonly (number | null)[] | null;
  readonly listeners: readonly FrameListener[];
  /** The refusals that have happened since the start. */
  readonly refusals: readonly FrameRefusal[];
  /** Bytes; `limit` 0: there is none. */
  readonly memory: {
    readonly resident: number;
    readonly heap: number;
    readonly buffered: number;
    readonly used: number;
    readonly limit: number;
  };
  /** Bytes of --data's file system. */
  readonly disk: { readonly free: number; readonly size: number } | null;
  /** Number of keys by state; null: unsigned commands. */
  readonly keys: Readonly<Record<string, number>> | null;
  readonly timeline: FrameTimeline | null;
  /** The address of --ws, for clients that sign. */
  readonly ws: { readonly port: number; readonly isSecure: boolean } | null;
}

/** Sums since the start, and connections now. */
export interface FrameListener {
  readonly name: string;
  readonly ok: number;
  readonly errors: number;
  readonly connections: number;
}

export interface FrameRefusal {
  readonly listener: string;
  readonly reason: string;
  readonly count: number;
}

type ShownFigures =
  | ("durable" | "skewed" | "ringEntries" | "dataEntries" | "bytes" | "tailUnits" | "tailBytes")
  | ("redone" | "waiting" | "quarantined" | "published" | "newest" | "stable");

export interface FrameTimeline extends Pick<TimelineReport, ShownFigures> {
  readonly isFailed: boolean;
  /** The bins that have changed since the frame before. */
  readonly arrivals: readonly Arrival[];
  /** Envelopes since the start that were dated outside of those times. */
  readonly elsewhere: number;
  /** The other members. */
  readonly members: readonly FrameMember[];
}

/** Date in ARRIVAL_BIN_MS; all envelopes that clients brought, that members brought, and how many of both were late by as much. */
export type Arrival = readonly [bin: number, clients: number, members: number, late: number];

type ShownOfMember =
  | (
      | "address"
      | "connection"
      | "state"
      | "skew"
      | "roundTrip"
      | "lastHeard"
      | "lag"
      | "behind"
      | "equal"
      | "refusals"
    )
  // Its own claims.
  | ("software" | "pagePort" | "pageLocal" | "diskFree" | "diskSize" | "problems");

/** A member without its id, and without the reason why it is away, which may name more than its address. */
export type FrameMember = Pick<MemberReport, ShownOfMember>;
