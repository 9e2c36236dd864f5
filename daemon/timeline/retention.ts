/**
 * Removes entries permanently: entries before a snapshot that are older than --retain, or that exceed the memory of a
 * timeline without a disk. A member that does not have the removed entries can no longer fetch them from this daemon.
 */
import type { EntryStore } from "./entry-store.js";
import type { TimelineParts } from "./timeline-environment.js";

/** The maximum number of entries that are removed in one tick. */
const ENTRIES_PER_TICK = 5000;
/** Entries that members may need are retained until the storage has more bytes than `retainBytes` times this factor. */
const HELPING_FACTOR = 2;

/** The state that a tick's decisions depend on. */
export interface RetentionTick {
  /** The date up to which all entries are in the fold at their positions. */
  readonly cutAt: number;
  /** The date at or before which nothing is in the tail or accepted from clients; milliseconds since 1970. */
  readonly finalTo: number;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** The date from which members may need entries; milliseconds since 1970. */
  readonly retainsFrom: number;
  /**
   * Whether this daemon has no other members. If it has some, they must vote for a snapshot before older entries are
   * pruned.
   */
  readonly isAlone: boolean;
}

export class Retention {
  readonly #parts: TimelineParts;
  readonly #entryStore: EntryStore;
  /** Whether pruned entries may still have to be removed. True at first: an earlier process may have left some. */
  #isRemoving = true;

  constructor(parts: TimelineParts, entryStore: EntryStore) {
    this.#parts = parts;
    this.#entryStore = entryStore;
  }

  /** Called when a member's snapshot was adopted: the storage may still have entries that are now pruned. */
  adopted(): void {
    this.#isRemoving = true;
  }

  /** Starts a snapshot if it is time, prunes entries that are no longer needed, and removes some pruned entries. */
  tick({ cutAt, finalTo, now, retainsFrom, isAlone }: RetentionTick): void {
    const { storage, limits } = this.#parts;
    const { retainMs, retainBytes } = limits;
    // Without a limit the size is not needed, and querying the file system at each tick would be a waste.
    const bytes = retainBytes === Number.POSITIVE_INFINITY ? 0 : storage.bytes;

    const { making } = this.#entryStore;
    // Start a snapshot early, so that entries can be pruned in time.
    making?.beginIfTime(cutAt, bytes > retainBytes / 2, finalTo);

    const isOverfull = bytes > HELPING_FACTOR * retainBytes;
    const end = isOverfull ? Number.POSITIVE_INFINITY : retainsFrom;
    const isFree = isAlone || isOverfull;
    const isFull = bytes > retainBytes;

    const base =
      (isFull
        ? making?.nextBase(isFree)
        : making?.bestBase(Math.min(now - retainMs, end - 1, cutAt), isFree)) ?? null;

    // Prune exactly up to a snapshot, so that entries that arrive later can be folded from that snapshot.
    if (base !== null && base < end && base <= cutAt && base > this.#entryStore.prunedTo) {
      making?.setBase(base);
      this.#entryStore.prune(base);
      this.#isRemoving = true;
    }

    if (this.#isRemoving && this.#entryStore.prunedTo >= 0)
      this.#isRemoving = this.#entryStore.removePruned(ENTRIES_PER_TICK);
  }
}
