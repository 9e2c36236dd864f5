/** How a daemon stands to the stream that orders its writes (--order), as plain facts: for metrics and INFO. */
import type { Histogram } from "../../net/admin/histogram.js";

/** Attempts to add an envelope to the stream, since the start, by what came of them. */
export interface PublishCounts {
  stored: number;
  /** It stood there before: another daemon had brought it, or an attempt that was not answered. */
  repeated: number;
  refused: number;
  /** Not answered; it was tried again. */
  unknown: number;
}

export interface OrderFigures {
  /** Why nothing can be read of the stream, or written to it; null: all is well. */
  readonly trouble: string | null;
  /** Sequence of the last message that is applied here. */
  readonly applied: number;
  /** Messages behind it in the stream, as far as is known: it is asked every five seconds. */
  readonly behind: number;
  /** Messages that no daemon applies, since the start. */
  readonly skipped: number;
  /** Envelopes that wait for their message to come back. */
  readonly waiting: number;
  readonly published: Readonly<PublishCounts>;
  /** Seconds until the stream had acknowledged one. */
  readonly publishing: Histogram;
  /** How often it has been connected, since the start. */
  readonly connections: number;
}
