/** What the pipeline and its listeners tell of their work; metrics count it. Called on the hot path: must be cheap. */
import type { ConnectionObserver } from "../../net/connections/connection-observer.js";
import type { RefusalCode } from "../answers/refusals.js";

export interface Observer extends ConnectionObserver {
  /** Commands were answered. @param listener  "dbsync-v1", "dbsync-v2", "ws"; "dbsync" where the version is not known yet */
  served(listener: string, units: number, errors: number): void;
  refused(listener: string, code: RefusalCode): void;
  /** A signature was checked. */
  verified(milliseconds: number): void;
  /** A signed command or an envelope has its answer, so long after it came. */
  answered(milliseconds: number): void;
  /** An envelope's `at` less the daemon's clock. */
  skewed(milliseconds: number): void;
}

/** For daemons without metrics. */
export const NOBODY: Observer = {
  served() {},
  refused() {},
  verified() {},
  answered() {},
  skewed() {},
  connected() {},
};
