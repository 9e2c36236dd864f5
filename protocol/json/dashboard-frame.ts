/**
 * What --admin tells the page that it serves, once a second: counts and states, as /metrics has them, of which nothing is secret.
 * No keys, no values, no names of who signs. Times are milliseconds, dates milliseconds since 1970; null: not known, or not there.
 */

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

export interface FrameTimeline {
  readonly isDurable: boolean;
  readonly isSkewed: boolean;
  readonly isFailed: boolean;
  readonly entries: number;
  readonly bytes: number;
  readonly tailUnits: number;
  readonly tailBytes: number;
  readonly redone: number;
  readonly waiting: number;
  readonly quarantined: number;
  readonly watermark: number;
  readonly newest: number;
  /** 0: not known. */
  readonly stable: number;
  /** What was recorded since the frame before. */
  readonly arrivals: readonly Arrival[];
  /** … and dated outside of those times. */
  readonly elsewhere: number;
  readonly members: readonly FrameMember[];
}

/** Date in ARRIVAL_BIN_MS; envelopes that clients brought, that members brought, and how many of both are late by as much. */
export type Arrival = readonly [bin: number, clients: number, members: number, late: number];

export interface FrameMember {
  readonly address: string;
  readonly connection: string;
  readonly state: string | null;
  /** Its clock less the daemon's. */
  readonly skew: number | null;
  readonly roundTrip: number | null;
  /** Since it was heard. */
  readonly lastHeard: number | null;
  /** Envelopes on their way from it and to it. */
  readonly lag: number;
  readonly behind: number;
  readonly isEqual: boolean | null;
  readonly refusals: number;
}
