/**
 * The promises and votes of this daemon for decisions, as they are stored. The members decide in
 * daemon/cluster/peers/decisions.
 */
import { signedBytes } from "../../protocol/version-2/envelope.js";
import type { OrderKey } from "./entries/entry.js";
import { readPromisesMark, writePromisesMark } from "./entries/stored-promises.js";
import type { TimelineParts } from "./timeline-environment.js";

export class StoredVotes {
  /**
   * The date of the earliest decision that may have been made, because this daemon has voted for it, although it is not
   * part of the state. Nothing from this date on may become final.
   */
  openDate = Number.POSITIVE_INFINITY;
  /** The positions of the decisions in the last vote before this start. */
  readonly lastVote: readonly OrderKey[];
  readonly #parts: TimelineParts;
  /** Whether promises may have been lost. */
  #isIncomplete: boolean;

  constructor(parts: TimelineParts) {
    this.#parts = parts;
    const { storage } = parts;
    const stored = storage.readMark("decisions");
    const mark = stored === null ? null : readPromisesMark(stored);
    if (stored !== null && mark === null) parts.log.error({}, DAMAGED);

    const isLost = stored !== null && mark?.isComplete !== true;
    this.#isIncomplete = isLost || storage.mayHaveForgotten;
    // Store the loss, so that it survives another restart.
    if (storage.mayHaveForgotten)
      storage.put([], [["decisions", writePromisesMark(mark?.promises ?? null, false)]]);

    this.lastVote = (mark?.accepted ?? []).map((decision) => this.#positionOf(decision));
    this.openDate = this.lastVote[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  #positionOf({ at, seq, body }: { at: number; seq: number; body: Buffer }): OrderKey {
    return { at, seq, id: this.#parts.hash(signedBytes(body)) };
  }

  /** What this daemon has promised and voted, as it was stored; null if it was lost. */
  get promises(): Buffer | null {
    const stored = this.#isIncomplete ? null : this.#parts.storage.readMark("decisions");
    return stored === null ? null : (readPromisesMark(stored)?.promises ?? null);
  }

  /**
   * @param onStored  called when the promises are on the disk; not called after a failure, which is reported elsewhere
   */
  storePromises(promises: Buffer, onStored: () => void): void {
    const { storage } = this.#parts;
    this.#isIncomplete = false;
    storage.put([], [["decisions", writePromisesMark(promises)]]);
    // Flush immediately: other members, and clients, wait for the promises.
    storage.flushNow();
    storage.synced().then(onStored, () => {});
  }
}

const DAMAGED =
  "the stored promises for decisions are damaged: this daemon does not vote until all other members of the list have " +
  "answered what it may have promised";
