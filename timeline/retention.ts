/**
 * Removes entries permanently: those before a snapshot that are older than --retain, or for which a timeline in
 * memory has no room. This daemon can no longer help a member that was away for longer.
 */
import type { Archive } from "./archive.js";
import type { TimelineParts } from "./timeline-owner.js";

/** Entries removed in one tick. */
const ENTRIES_A_TICK = 5000;
/** Entries that members may need are retained up to this multiple of the bytes that are allowed otherwise. */
const HELPING_FACTOR = 2;

/** The state on which a tick decides. */
export interface RetentionTick {
  /** Everything dated up to it is in its place. */
  readonly cutAt: number;
  /** The date up to which nothing is taken first-hand any longer and the tail is over; milliseconds since 1970. */
  readonly finalTo: number;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Members may need what is dated from then on; milliseconds since 1970. */
  readonly keepsFrom: number;
  /** Whether there are no other members: their votes on a snapshot are required before older entries go. */
  readonly isAlone: boolean;
}

export class Retention {
  readonly #parts: TimelineParts;
  readonly #archive: Archive;
  /** Something pruned may still be there: by an earlier process, at first. */
  #isRemoving = true;

  constructor(parts: TimelineParts, archive: Archive) {
    this.#parts = parts;
    this.#archive = archive;
  }

  /** Notes that a member's snapshot has pruned entries, which remain to be removed. */
  adopted(): void {
    this.#isRemoving = true;
  }

  /** Has a snapshot made if it is time; forgets what may go, and removes a slice of it. */
  tick({ cutAt, finalTo, now, keepsFrom, isAlone }: RetentionTick): void {
    const { storage, limits } = this.#parts;
    const { retainMs, retainBytes } = limits;
    // On disk the bytes have no limit, and asking the file system for them at each tick would be wasted.
    const bytes = retainBytes === Number.POSITIVE_INFINITY ? 0 : storage.bytes;
    const { making } = this.#archive;
    // Soon, so that something can go.
    making?.consider(cutAt, bytes > retainBytes / 2, finalTo);
    const isOverfull = bytes > HELPING_FACTOR * retainBytes;
    const end = isOverfull ? Number.POSITIVE_INFINITY : keepsFrom;
    const isFree = isAlone || isOverfull;
    const isFull = bytes > retainBytes;
    const base =
      (isFull ? making?.next(isFree) : making?.bestBase(Math.min(now - retainMs, end - 1, cutAt), isFree)) ??
      null;
    // Exactly up to a snapshot: later arrivals can be folded from it.
    if (base !== null && base < end && base <= cutAt && base > this.#archive.prunedTo) {
      making?.begin(base);
      this.#archive.prune(base);
      this.#isRemoving = true;
    }
    if (this.#isRemoving && this.#archive.prunedTo >= 0)
      this.#isRemoving = this.#archive.removePruned(ENTRIES_A_TICK);
  }
}
