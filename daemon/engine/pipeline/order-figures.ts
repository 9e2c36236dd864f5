/** Figures of the stream that orders the writes (--order), for metrics and INFO. */

import type { DiskBytes } from "../../net/process/disk-space.js";
import type { Histogram } from "../../net/process/histogram.js";

/** The attempts to add an envelope to the stream since the start, by outcome. */
export interface PublishCounts {
  stored: number;
  /** The stream already had the envelope, from another daemon or from an earlier attempt without a reply. */
  repeated: number;
  refused: number;
  /** The attempt got no reply and was repeated. */
  unknown: number;
}

export interface OrderFigures {
  /** The reason why the stream can be neither read nor written, or null if it works. */
  readonly trouble: string | null;
  /** The sequence number of the last message that was applied here. */
  readonly applied: number;
  /** The number of messages in the stream after the last applied one, as far as known. Updated every five seconds. */
  readonly behind: number;
  /** The number of messages since the start that were skipped or refused. */
  readonly skipped: number;
  /** The number of envelopes whose message has not come back yet. */
  readonly waiting: number;
  readonly published: Readonly<PublishCounts>;
  /** The seconds from adding an envelope to the stream's acknowledgement. */
  readonly publishing: Histogram;
  /** The number of connections made since the start. */
  readonly connections: number;
  /** The space on the disk of the data folder while less than --min-disk-free is free, otherwise null. */
  readonly lowDisk: DiskBytes | null;
}
