/**
 * The environment of a timeline: what its owner passes in, the events that are reported, and the outcome of
 * accepting an entry.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { KeyRing } from "../store/key-ring.js";
import type { OpenDeadLetters } from "./dead-letters.js";
import type { AddedEntry, Entry, OrderKey } from "./entries/entry.js";
import type { Mark, Storage } from "./entries/storage.js";
import type { TimelineLogger } from "./entries/timeline-logger.js";
import type { FoldedEntry, UnitAnswer } from "./fold/fold.js";
import type { OpenReplacedData } from "./snapshots/replaced-data.js";
import type { RefuseRingEntry } from "./snapshots/ring-entries.js";
import type { SnapshotParts } from "./snapshots/snapshot-schedule.js";

export interface TimelineHandlers {
  /**
   * Called before entries of clients, or decisions, are stored.
   * @returns the marks to store in the same step, so that a crash loses both or none
   */
  storing(entries: readonly Entry[]): readonly Mark[];
  /** Called when entries are on disk. @param from  the member that sent them, or null for a client */
  flushed(entries: readonly AddedEntry[], from: ByteString | null): void;
  /**
   * Called when entries of members have become part of the state.
   * @param answered  the entries whose answers are known
   */
  folded(entries: readonly Entry[], answered: readonly FoldedEntry[]): void;
  /** Called when the disk has failed. The timeline accepts no entries after that. */
  failed(detail: string): void;
}

/**
 * The copies of damaged entries that are removed in one operation, so that an operator can read them with a later
 * version.
 */
export interface DamagedEntryStore {
  /** @returns the copy's name, or null if there is no space for it */
  readonly store: (orderKey: OrderKey, value: Buffer) => string | null;
  /** Resolves when all copies survive a power failure; rejects if they may not. */
  readonly synced: () => Promise<void>;
}

/** Begins to copy damaged entries. The size of the existing copies is determined only once. */
export type OpenDamagedEntries = () => DamagedEntryStore;

export interface TimelineLimits {
  readonly tailMs: number;
  readonly tailBytes: number;
  /** The maximum number of steps for applying a client's entry on this daemon. */
  readonly unitSteps: number;
  /** Milliseconds for which entries are stored; infinity means forever. */
  readonly retainMs: number;
  /** The bytes above which the oldest entries are removed earlier. */
  readonly retainBytes: number;
}

export interface TimelineParts {
  readonly storage: Storage;
  /** SHA-256, 32 bytes. */
  readonly hash: (bytes: Buffer) => ByteString;
  /** Milliseconds since 1970; may jump. */
  readonly clock: () => number;
  /** Milliseconds; never jumps. */
  readonly uptime: () => number;
  /** Runs a step in a later turn of the event loop. */
  readonly soon: (step: () => void) => void;
  /** Returns a ring with the keys that the daemon is started with. */
  readonly genesis: () => KeyRing;
  readonly databases: number;
  /** Milliseconds around the clock within which clients' entries are accepted. */
  readonly window: { readonly past: number; readonly future: number };
  readonly limits: TimelineLimits;
  /** The snapshots, or null if none are made. */
  readonly snapshots: SnapshotParts | null;
  /** Returns why an entry of the key ring in another daemon's snapshot is refused. */
  readonly refusesRing: RefuseRingEntry;
  /** Opens a folder for the data that a member's snapshot replaces. Null if there is no disk. */
  readonly openReplacedData: OpenReplacedData | null;
  /** Opens a store for entries that may be lost with that data. Null if there is no disk. */
  readonly openDeadLetters: OpenDeadLetters | null;
  /** Opens a store for copies of damaged entries that no member has. Null if there is no disk. */
  readonly openDamagedEntries: OpenDamagedEntries | null;
  /** Whether there is no member to compare the clock with. */
  readonly isAlone: () => boolean;
  /**
   * Whether the watermark is unknown: a daemon that began without data has not received its members' reports.
   */
  readonly isJoining: () => boolean;
  readonly log: TimelineLogger;
  readonly handlers: TimelineHandlers;
}

export type AcceptOutcome =
  /** `flushed` resolves when the entry is as safe as --fsync requires; null if it already is. */
  | {
      readonly kind: "accepted";
      readonly answers: readonly UnitAnswer[];
      readonly flushed: Promise<void> | null;
    }
  | { readonly kind: "duplicate" }
  | { readonly kind: "too-old" }
  /** It has a condition, and is dated before a unit that this daemon has accepted on its keys. */
  | { readonly kind: "overtaken" }
  | { readonly kind: "too-many-steps" }
  | { readonly kind: "failed"; readonly detail: string };

/** The steps that run in later turns of the event loop until `stop` is called. Unfinished work is then abandoned. */
export class LaterSteps {
  readonly #soon: (step: () => void) => void;
  #isStopped = false;

  /** @param soon  runs a step in a later turn */
  constructor(soon: (step: () => void) => void) {
    this.#soon = soon;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  stop(): void {
    this.#isStopped = true;
  }

  readonly soon = (step: () => void): void => {
    if (!this.#isStopped) this.#soon(step);
  };
}
