/** Ranges of order keys whose entries are sent to a member, walked a batch at a time. */

import { firstOrderKeyBytes } from "../entries/entry.js";
import type { DigestIndex, DigestSet } from "./digest-index.js";

/** The entries of a set with order keys `from` ≤ key < `to` (42 bytes each; a `to` of null means no end). */
export interface OrderKeyRange {
  readonly from: Buffer;
  readonly to: Buffer | null;
}

/** A list of ranges in ascending order, in which adjacent ranges are joined. */
export class RangeList {
  readonly #ranges: OrderKeyRange[] = [];
  /** The first and last order key of a run of entries that has not ended. */
  #first: Buffer | null = null;
  #last: Buffer | null = null;

  /** Adds everything dated `from` ≤ second < `to`. */
  span(from: number, to: number): void {
    this.endRun();
    const start = firstOrderKeyBytes(from * 1000);
    const end = to === Infinity ? null : firstOrderKeyBytes(to * 1000);
    const before = this.#ranges.at(-1);
    if (before?.to?.equals(start) === true)
      this.#ranges[this.#ranges.length - 1] = { from: before.from, to: end };
    else this.#ranges.push({ from: start, to: end });
  }

  /** Adds the next entry of a walk that visits every entry. @param isIncluded  whether the entry is to be sent */
  visit(orderKey: Buffer, isIncluded: boolean): void {
    if (!isIncluded) {
      this.endRun();
      return;
    }
    this.#first ??= orderKey;
    this.#last = orderKey;
  }

  /** Ends the current range: the next order key does not follow it directly. */
  endRun(): void {
    if (this.#first === null) return;
    this.#ranges.push({ from: this.#first, to: nextOrderKey(this.#last as Buffer) });
    this.#first = null;
  }

  finish(): readonly OrderKeyRange[] {
    this.endRun();
    return this.#ranges;
  }
}

/** A walk through the ranges. It keeps no iterator open between two batches. */
export class RangeCursor {
  readonly #index: DigestIndex;
  readonly #set: DigestSet;
  readonly #ranges: readonly OrderKeyRange[];
  #next = 0;
  /** The order key in the current range to continue from, or null to begin at its start. */
  #from: Buffer | null = null;

  constructor(index: DigestIndex, set: DigestSet, ranges: readonly OrderKeyRange[]) {
    this.#index = index;
    this.#set = set;
    this.#ranges = ranges;
  }

  /** Returns the next order keys, at most `count`, or none if the walk is complete. */
  next(count: number): Buffer[] {
    const orderKeys: Buffer[] = [];
    while (orderKeys.length < count && this.#next < this.#ranges.length) {
      const { from, to } = this.#ranges[this.#next] as OrderKeyRange;
      for (const orderKey of this.#index.orderKeys(this.#set, this.#from ?? from, to)) {
        orderKeys.push(orderKey);
        if (orderKeys.length === count) {
          this.#from = nextOrderKey(orderKey);
          return orderKeys;
        }
      }
      this.#next++;
      this.#from = null;
    }
    return orderKeys;
  }
}

/** Returns the smallest order key after the given key. */
export function nextOrderKey(orderKey: Buffer): Buffer {
  const next = Buffer.from(orderKey);
  for (let i = next.length - 1; i >= 0; i--) {
    next[i] = ((next[i] as number) + 1) & 0xff;
    if (next[i] !== 0) break;
  }
  return next;
}
