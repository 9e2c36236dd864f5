/** The configuration, environment and figures of a mirror. */

import type { Logger } from "pino";
import type { KeyObserver } from "../../daemon/engine/backends/key-change-observers.js";
import type { Environment } from "../../daemon/net/process/clock-and-randomness.js";
import type { RedisSpecification } from "../../daemon/options/database-list.js";
import type { Database } from "../../daemon/store/database.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { MirrorReport } from "../../protocol/figures/timeline-figures.js";

/** The fold, as the mirror reads it. */
export interface MirroredFold {
  readonly database: Database;
  /** The date and number of the newest folded entry. */
  readonly newest: { readonly at: number; readonly seq: number };
  /** The count and sum of the folded entries, or an empty string if more entries are recorded than folded. */
  readonly folded: string;
  readonly changes: {
    observeKeys(observer: KeyObserver): void;
    forget(observer: KeyObserver): void;
  };
}

export interface MirrorParts {
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

export interface ComparisonReport {
  /** The number of the comparison, counted from 1. */
  readonly number: number;
  readonly reason: string;
  /** The number of keys checked so far, out of about `total`. */
  readonly checked: number;
  readonly total: number;
  readonly different: number;
  /** The first keys that were found to differ. */
  readonly named: readonly ByteString[];
}

/**
 * The numbers of keys, since the start, that were written, that Redis refused, and that other clients changed in Redis.
 */
export interface MirrorCounts {
  written: number;
  refused: number;
  foreign: number;
}

export interface MirrorFigures extends Readonly<MirrorCounts> {
  /** The name of the Redis server, without a password. */
  readonly name: string;
  readonly state: "connecting" | "refused" | "comparing" | "behind" | "level";
  /** The reason why the mirror does not write, or null if it writes. */
  readonly trouble: string | null;
  /** The position in the order up to which Redis has all changes. */
  readonly level: { readonly at: number; readonly seq: number };
  /** The number of keys that wait to be written. */
  readonly dirty: number;
  /** The number of differing keys that comparisons have found. */
  readonly different: number;
  readonly comparing: ComparisonReport | null;
  /** The last comparison whose differences have all been written, or null if there is none. */
  readonly compared: (ComparisonReport & { readonly at: number }) | null;
}

/** Returns the figures of TIMELINE STATUS and of metrics. */
export function mirrorReport(figures: MirrorFigures): MirrorReport {
  const { name, level, comparing, compared } = figures;
  return {
    ...figures,
    redis: name,
    level: level.at,
    comparing: comparing?.number ?? 0,
    comparingWhy: comparing?.reason ?? null,
    checked: comparing?.checked ?? 0,
    total: comparing?.total ?? 0,
    compared: compared?.number ?? 0,
    comparedAt: compared?.at ?? 0,
    comparedKeys: compared?.checked ?? 0,
    comparedDifferent: compared?.different ?? 0,
    comparedFirst: compared?.named ?? [],
  };
}
