/** Ranges of places that are to be sent to a member, walked a batch at a time. */

import { firstPlaceAt } from "../entries/entry.js";
import type { DigestIndex, DigestSet } from "./digest-index.js";

/** The entries of a set at places `from` ≤ place < `to` (42 bytes each; null: no end). */
export interface Give {
  readonly from: Buffer;
  readonly to: Buffer | null;
}

/** Collects ranges in ascending order, and joins neighbours. */
export class GiveList {
  readonly #gives: Give[] = [];
  /** First and last place of a run of entries that has not ended. */
  #first: Buffer | null = null;
  #last: Buffer | null = null;

  /** Everything dated `from` ≤ second < `to`. */
  span(from: number, to: number): void {
    this.endRun();
    const start = firstPlaceAt(from * 1000);
    const end = to === Infinity ? null : firstPlaceAt(to * 1000);
    const before = this.#gives.at(-1);
    if (before?.to?.equals(start) === true)
      this.#gives[this.#gives.length - 1] = { from: before.from, to: end };
    else this.#gives.push({ from: start, to: end });
  }

  /** The next entry of a walk that leaves none out. */
  place(place: Buffer, isGiven: boolean): void {
    if (!isGiven) {
      this.endRun();
      return;
    }
    this.#first ??= place;
    this.#last = place;
  }

  /** Ends the current range: the next place is not its neighbour. */
  endRun(): void {
    if (this.#first === null) return;
    this.#gives.push({ from: this.#first, to: nextPlace(this.#last as Buffer) });
    this.#first = null;
  }

  finish(): readonly Give[] {
    this.endRun();
    return this.#gives;
  }
}

/** Walks the ranges; leaves nothing open between two batches. */
export class GiveCursor {
  readonly #index: DigestIndex;
  readonly #set: DigestSet;
  readonly #gives: readonly Give[];
  #give = 0;
  /** The place in the current range from which to continue; null: from its start. */
  #from: Buffer | null = null;

  constructor(index: DigestIndex, set: DigestSet, gives: readonly Give[]) {
    this.#index = index;
    this.#set = set;
    this.#gives = gives;
  }

  /** The next places, `count` at most; none: that was all. */
  next(count: number): Buffer[] {
    const places: Buffer[] = [];
    while (places.length < count && this.#give < this.#gives.length) {
      const { from, to } = this.#gives[this.#give] as Give;
      for (const place of this.#index.places(this.#set, this.#from ?? from, to)) {
        places.push(place);
        if (places.length === count) {
          this.#from = nextPlace(place);
          return places;
        }
      }
      this.#give++;
      this.#from = null;
    }
    return places;
  }
}

/** The place after a place: there is none between. */
export function nextPlace(place: Buffer): Buffer {
  const next = Buffer.from(place);
  for (let i = next.length - 1; i >= 0; i--) {
    next[i] = ((next[i] as number) + 1) & 0xff;
    if (next[i] !== 0) break;
  }
  return next;
}
