/**
 * The events of the pipeline and its listeners, which are counted as metrics. They occur on the hot path, so observers
 * must be fast.
 */
import type { ConnectionObserver } from "../../net/connections/connection-observer.js";
import type { RefusalCode } from "../answers/refusals.js";

export interface Observer extends ConnectionObserver {
  /**
   * Called when commands were answered.
   * @param listener  "dbsync-v1", "dbsync-v2" or "ws"; "dbsync" while the version is unknown
   */
  served(listener: string, units: number, errors: number): void;
  refused(listener: string, code: RefusalCode): void;
  /** Called when a signature was verified. */
  verified(milliseconds: number): void;
  /** Called when a signed command or an envelope was answered. @param milliseconds  since it was received */
  answered(milliseconds: number): void;
  /**
   * Called when the date of an envelope is checked.
   * @param milliseconds  the envelope's `at` minus the daemon's clock
   */
  skewed(milliseconds: number): void;
}

/** The observer of daemons without metrics. */
export const NO_OBSERVER: Observer = {
  served() {},
  refused() {},
  verified() {},
  answered() {},
  skewed() {},
  connected() {},
};
