/** Figures of the stream that orders the writes (--order), for metrics and INFO. */

import type { Figures } from "../../../protocol/figures/figure.js";
import type { ORDER_FIGURES } from "../../../protocol/figures/order-figures.js";
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

export interface OrderFigures extends Figures<typeof ORDER_FIGURES> {
  readonly published: Readonly<PublishCounts>;
  /** The seconds from adding an envelope to the stream's acknowledgement. */
  readonly publishing: Histogram;
}
