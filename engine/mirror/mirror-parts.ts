/** Configuration, environment and figures of a mirror. */

import type { Logger } from "pino";
import type { Environment } from "../../net/process/environment.js";
import type { RedisSpecification } from "../../options/database-list.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Database } from "../../store/database.js";
import type { KeyObserver } from "../backends/changes.js";

/** The fold, as the mirror reads it. */
export interface MirroredFold {
  readonly database: Database;
  /** Date and number of the newest entry that it was folded from. */
  readonly newest: { readonly at: number; readonly seq: number };
  /** Count and sum of the entries that it was folded from; "": more is recorded than folded. */
  readonly whole: string;
  readonly changes: {
    hearKeys(observer: KeyObserver): void;
    forget(observer: KeyObserver): void;
  };
}

export interface MirrorParts {
  readonly specification: RedisSpecification;
  readonly fold: MirroredFold;
  /** Hexadecimal, both. */
  readonly daemon: string;
  readonly cluster: string;
  /** Milliseconds that a command of Redis may take. */
  readonly timeout: () => number;
  /** Milliseconds between two checks that changes by other clients are still received; missing: ten seconds. */
  readonly hearEvery?: number;
  /** Maximum keys that wait to be written. */
  readonly keys: number;
  /** Milliseconds between two comparisons of everything; 0: only for a reason. */
  readonly compareEvery: number;
  /** Keys a second that such a comparison checks. */
  readonly compareRate: number;
  readonly environment: Environment;
  readonly log: Logger;
}

export interface ComparisonReport {
  /** Counts from 1. */
  readonly number: number;
  readonly reason: string;
  /** Keys checked so far, of about `total`. */
  readonly checked: number;
  readonly total: number;
  readonly different: number;
  /** The first of them. */
  readonly named: readonly ByteString[];
}

/** Keys since the start: written, refused by Redis, and changed there by other clients. */
export interface MirrorCounts {
  written: number;
  refused: number;
  foreign: number;
}

export interface MirrorFigures extends Readonly<MirrorCounts> {
  /** The name of Redis, without a password. */
  readonly name: string;
  readonly state: "connecting" | "refused" | "comparing" | "behind" | "level";
  /** Why it does not write; null: it does. */
  readonly trouble: string | null;
  /** The position in the order up to which Redis has everything. */
  readonly level: { readonly at: number; readonly seq: number };
  /** Keys that wait to be written. */
  readonly dirty: number;
  /** Keys that comparisons have found to differ. */
  readonly different: number;
  readonly comparing: ComparisonReport | null;
  /** The last completed comparison, with all that it found written. */
  readonly compared: (ComparisonReport & { readonly at: number }) | null;
}
