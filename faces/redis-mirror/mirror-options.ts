/** The configuration and environment of a mirror. */

import type { Logger } from "pino";
import type { KeyObserver } from "../../daemon/engine/backends/key-change-observers.js";
import type { Environment } from "../../daemon/net/process/clock-and-randomness.js";
import type { RedisSpecification } from "../../daemon/options/database-list.js";
import type { Database } from "../../daemon/store/database.js";

/** The fold, as the mirror reads it. */
export interface MirroredFold {
  readonly database: Database;
  /** The date and number of the newest folded entry. */
  readonly newest: { readonly at: number; readonly seq: number };
  /** The count and sum of the folded entries, or an empty string if more entries are recorded than folded. */
  readonly folded: string;
  readonly changes: {
    observeKeys(observer: KeyObserver): void;
    removeObserver(observer: KeyObserver): void;
  };
}

export interface MirrorOptions {
  readonly specification: RedisSpecification;
  readonly fold: MirroredFold;
  /** The ids of daemon and cluster, in hexadecimal. */
  readonly daemon: string;
  readonly cluster: string;
  /** Maximum milliseconds for a command to Redis. */
  readonly timeout: () => number;
  /**
   * The interval in milliseconds between two checks of the connection that receives changes by other clients. Defaults
   * to ten seconds.
   */
  readonly pingInterval?: number;
  /** Maximum number of keys that wait to be written. */
  readonly keys: number;
  /** The interval between two regular comparisons of all keys, in milliseconds, or 0 if there are none. */
  readonly compareEvery: number;
  /** The number of keys that a regular comparison checks per second. */
  readonly compareRate: number;
  readonly environment: Environment;
  readonly log: Logger;
}
