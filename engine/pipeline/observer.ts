/** Events of the pipeline and its listeners, which metrics count. Called on the hot path: must be cheap. */
import type { ConnectionObserver } from "../../net/connections/connection-observer.js";
import type { RefusalCode } from "../answers/refusals.js";

export interface Observer extends ConnectionObserver {
  /**
   * Commands were answered.
   * @param listener  "dbsync-v1", "dbsync-v2", "ws"; "dbsync" while the version is not known
   */
  served(listener: string, units: number, errors: number): void;
  refused(listener: string, code: RefusalCode): void;
  /** A signature was verified. */
  verified(milliseconds: number): void;
  /** A signed command or an envelope was answered. @param milliseconds  since it was received */
  answered(milliseconds: number): void;
  /** An envelope was dated. @param milliseconds  its `at` minus the daemon's clock */
  skewed(milliseconds: number): void;
}

/** The observer of daemons without metrics. */
export const NOBODY: Observer = {
  served() {},
  refused() {},
  verified() {},
  answered() {},
  skewed() {},
  connected() {},
};
