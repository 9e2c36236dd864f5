/** Figures about the stream that orders the writes (--order), for metrics and INFO. */
import type { Histogram } from "../../net/admin/histogram.js";

/** Attempts to add an envelope to the stream, since the start, by their outcome. */
export interface PublishCounts {
  stored: number;
  /** The stream already had it: from another daemon, or from an attempt that was not answered. */
  repeated: number;
  refused: number;
  /** Not answered, and tried again. */
  unknown: number;
}

export interface OrderFigures {
  /** Why the stream can be neither read nor written; null: it can. */
  readonly trouble: string | null;
  /** Sequence of the last message that is applied here. */
  readonly applied: number;
  /** Messages after it in the stream, as far as is known: checked every five seconds. */
  readonly behind: number;
  /** Messages that no daemon applies, since the start. */
  readonly skipped: number;
  /** Envelopes that wait for their message to come back. */
  readonly waiting: number;
  readonly published: Readonly<PublishCounts>;
  /** Seconds until the stream acknowledged an envelope. */
  readonly publishing: Histogram;
  /** Connections made since the start. */
  readonly connections: number;
}
