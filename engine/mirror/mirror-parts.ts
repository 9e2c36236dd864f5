/** What a mirror is given, and what it tells of itself. */

import type { Logger } from "pino";
import type { Environment } from "../../net/process/environment.js";
import type { RedisSpecification } from "../../options/database-list.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Database } from "../../store/database.js";
import type { KeyObserver } from "../backends/changes.js";

/** The fold, as the mirror reads it. */
export interface MirroredFold {
  readonly database: Database;
  /** Place in the order of the newest that it is folded from. */
  readonly newest: { readonly at: number; readonly seq: number };
  /** Count and sum of what it is folded from; "": more is recorded than folded. */
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
  /** Milliseconds for a command of Redis. */
  readonly timeout: () => number;
  /** Milliseconds between two questions whether what others write is still heard; if not given, ten seconds. */
  readonly hearEvery?: number;
  /** Keys that may wait to be written. */
  readonly keys: number;
  /** Milliseconds between two comparisons of everything; 0: none is made without a reason. */
  readonly compareEvery: number;
  /** Keys a second that such a comparison looks at. */
  readonly compareRate: number;
  readonly environment: Environment;
  readonly log: Logger;
}

export interface ComparisonReport {
  /** Counts from 1. */
  readonly number: number;
  readonly reason: string;
  /** Keys looked at so far, of about so many. */
  readonly checked: number;
  readonly total: number;
  readonly different: number;
  /** The first of these. */
  readonly named: readonly ByteString[];
}

/** Keys since the start: written, not taken by Redis, and changed there by others. */
export interface MirrorCounts {
  written: number;
  refused: number;
  foreign: number;
}

export interface MirrorFigures extends Readonly<MirrorCounts> {
  /** Of Redis, without a password. */
  readonly name: string;
  readonly state: "connecting" | "refused" | "comparing" | "behind" | "level";
  /** Why it does not write; null: it does. */
  readonly trouble: string | null;
  /** Place in the order up to which Redis has everything. */
  readonly level: { readonly at: number; readonly seq: number };
  /** Keys that wait to be written. */
  readonly dirty: number;
  /** Keys that comparisons have found different. */
  readonly different: number;
  readonly comparing: ComparisonReport | null;
  /** The last one that was ended, all that it found written. */
  readonly compared: (ComparisonReport & { readonly at: number }) | null;
}
