/**
 * What --admin tells the page that it serves, once a second: counts and states, as /metrics has them, of which nothing is secret.
 * No keys, no values, no names of who signs. Times are milliseconds, dates milliseconds since 1970; null: not known, or not there.
 */
import type { MemberReport, TimelineReport } from "../figures/timeline-figures.js";

/** Milliseconds of dates that `arrivals` counts together. */
export const ARRIVAL_BIN_MS = 250;
/** How far back, and how far ahead of the clock, dates are told one by one. */
export const ARRIVALS_PAST_MS = 60_000;
export const ARRIVALS_AHEAD_MS = 6_000;

export interface DashboardFrame {
  /** By the daemon's clock. */
  readonly now: number;
  readonly startedAt: number;
  readonly version: string;
  readonly state: string;
  readonly backends: readonly { readonly name: string; readonly up: boolean }[];
  readonly listeners: readonly FrameListener[];
  /** Those that have happened, since the start. */
  readonly refusals: readonly FrameRefusal[];
  /** To check a signature, since the frame before. */
  readonly verify: FrameTimes | null;
  /** How late the event loop came to what was due, since the frame before. */
  readonly delay: FrameTimes | null;
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
  /** How many there are, by state; null: unsigned commands. */
  readonly keys: Readonly<Record<string, number>> | null;
  readonly timeline: FrameTimeline | null;
  /** Where --ws listens, for those who sign. */
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

/** So long at most for half of all, and for 99 of 100. */
export interface FrameTimes {
  readonly count: number;
  readonly half: number;
  readonly most: number;
}

type ShownFigures =
  | ("durable" | "skewed" | "ringEntries" | "dataEntries" | "bytes" | "tailUnits" | "tailBytes")
  | ("redone" | "waiting" | "quarantined" | "published" | "newest" | "stable");

export interface FrameTimeline extends Pick<TimelineReport, ShownFigures> {
  readonly isFailed: boolean;
  /** What was recorded since the frame before. */
  readonly arrivals: readonly Arrival[];
  /** … and dated outside of those times. */
  readonly elsewhere: number;
  readonly members: readonly FrameMember[];
}

/** Date in ARRIVAL_BIN_MS; envelopes that clients brought, that members brought, and how many of both are late by as much. */
export type Arrival = readonly [bin: number, clients: number, members: number, late: number];

/** Without the member's id, and without why it is away, which may name more than its address. */
export type FrameMember = Omit<MemberReport, "id" | "trouble">;
