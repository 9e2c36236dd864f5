import type { ByteString } from "../../../protocol/byte-string.js";
import { hashOfName } from "./tables/name-hash.js";
import { Segment } from "./tables/slot-index.js";

const CELLS_MIN = 32;

/**
 * The numbers of equal elements of a list, by the elements' hashes, so that a search for an element that is gone needs
 * no walk. Two elements may have the same hash, so a number is a maximum.
 */
export class ElementCounts {
  /** The number of elements with a hash, minus 1, in place of a slot. One table, because it is built in one step. */
  readonly #counts: Segment;
  /** Number of changes without a look-up after which the counts have cost more than to count again. */
  readonly #unusedMax: number;
  #unused = 0;

  /** @param size  the number of elements that are going to be added first */
  constructor(size: number) {
    this.#unusedMax = 2 * size;
    this.#counts = new Segment(CELLS_MIN * 2 ** Math.ceil(Math.log2(Math.max(1, (2 * size) / CELLS_MIN))), 0);
  }

  /** Whether so many changes have followed the last look-up that the counts should be dropped. */
  get isUnused(): boolean {
    return this.#unused > this.#unusedMax;
  }

  /** Returns how often an element occurs at most. */
  get(element: ByteString): number {
    this.#unused = 0;
    const hash = hashOfName(element);
    const cell = this.#counts.seek(hash, hash);
    return cell < 0 ? 0 : this.#counts.slotAt(cell) + 1;
  }

  add(element: ByteString): void {
    this.#unused++;
    const counts = this.#counts;
    const hash = hashOfName(element);
    const cell = counts.seek(hash, hash);
    if (cell >= 0) {
      counts.setSlot(cell, counts.slotAt(cell) + 1);
      return;
    }
    if (counts.isFull) counts.resize(2 * (counts.mask + 1));
    counts.add(hash, 0);
  }

  /** Removes one of the elements that were added. */
  remove(element: ByteString): void {
    this.#unused++;
    const counts = this.#counts;
    const hash = hashOfName(element);
    const cell = counts.seek(hash, hash);
    const left = counts.slotAt(cell) - 1;
    if (left < 0) counts.free(cell);
    else counts.setSlot(cell, left);
  }
}
