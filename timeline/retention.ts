/**
 * What the timeline forgets for good: entries below a snapshot that are older than --retain, or for which a timeline in
 * memory has no room. A member that was away for longer cannot be healed by this daemon any more.
 */
import type { Archive } from "./archive.js";
import type { SnapshotMaking } from "./snapshot-making.js";

/** Entries removed in one tick. */
const ENTRIES_A_TICK = 5000;

export interface RetentionLimits {
  /** Milliseconds for which entries are kept; infinite: for ever. */
  readonly retainMs: number;
  /** Bytes above which the oldest go earlier. */
  readonly retainBytes: number;
}

export class Retention {
  readonly #limits: RetentionLimits;
  readonly #archive: Archive;
  readonly #making: SnapshotMaking | null;

  constructor(limits: RetentionLimits, archive: Archive, making: SnapshotMaking | null) {
    this.#limits = limits;
    this.#archive = archive;
    this.#making = making;
  }

  /** Whether a snapshot should be made soon, so that something can go. */
  isWaiting(bytes: number): boolean {
    return bytes > this.#limits.retainBytes / 2;
  }

  /** Removes what may go, a slice at a time. @param clock  milliseconds since 1970 */
  tick(clock: number, bytes: number): void {
    // Only below the oldest snapshot that holds: a late entry above it can always be folded in.
    const base = this.#making?.oldest ?? null;
    if (base === null) return;
    const until = bytes > this.#limits.retainBytes ? base : Math.min(base, clock - this.#limits.retainMs);
    this.#archive.prune(until, ENTRIES_A_TICK);
  }
}
