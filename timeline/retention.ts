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
  /** Something pruned may still be there: by an earlier process, at first. */
  #isRemoving = true;

  constructor(limits: RetentionLimits, archive: Archive, making: SnapshotMaking | null) {
    this.#limits = limits;
    this.#archive = archive;
    this.#making = making;
  }

  /** Whether a snapshot should be made soon, so that something can go. */
  isWaiting(bytes: number): boolean {
    return bytes > this.#limits.retainBytes / 2;
  }

  /** Forgets what may go, and removes a slice of it. @param clock  milliseconds since 1970 */
  tick(clock: number, bytes: number): void {
    const { retainMs, retainBytes } = this.#limits;
    const base = (bytes > retainBytes ? this.#making?.oldest : this.#making?.best(clock - retainMs)) ?? null;
    // Up to a snapshot, neither more nor less: whatever still comes can be folded from it.
    if (base !== null && base > this.#archive.prunedTo) {
      this.#making?.begin(base);
      this.#archive.prune(base);
      this.#isRemoving = true;
    }
    if (this.#isRemoving && this.#archive.prunedTo >= 0)
      this.#isRemoving = this.#archive.removePruned(ENTRIES_A_TICK);
  }
}
