/**
 * The numbers of equal elements of a list, by the elements' hashes, so that a search for an element that is gone needs no
 * walk. Two elements may have the same hash, so a number is a maximum.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { hashOfName } from "./name-hash.js";
import { SlotIndex } from "./slot-index.js";

export class ElementCounts {
  /** The number of elements with a hash, minus 1, in place of a slot. */
  readonly #index = new SlotIndex();
  /** Number of changes without a look-up after which the counts have cost more than to count again. */
  readonly #unusedMax: number;
  #unused = 0;

  constructor(elements: readonly ByteString[]) {
    this.#unusedMax = elements.length;
    for (const element of elements) this.add(element);
    this.#unused = 0;
  }

  /** Whether so many changes have followed the last look-up that the counts should be dropped. */
  get isUnused(): boolean {
    return this.#unused > this.#unusedMax;
  }

  /** Returns how often an element occurs at most. */
  get(element: ByteString): number {
    this.#unused = 0;
    const hash = hashOfName(element);
    const segment = this.#index.segment(hash);
    const cell = segment.seek(hash, hash);
    return cell < 0 ? 0 : segment.slotAt(cell) + 1;
  }

  add(element: ByteString): void {
    this.#unused++;
    const hash = hashOfName(element);
    const segment = this.#index.segment(hash);
    const cell = segment.seek(hash, hash);
    if (cell < 0) this.#index.add(hash, 0);
    else segment.setSlot(cell, segment.slotAt(cell) + 1);
  }

  /** Removes one of the elements that were added. */
  remove(element: ByteString): void {
    this.#unused++;
    const hash = hashOfName(element);
    const segment = this.#index.segment(hash);
    const cell = segment.seek(hash, hash);
    const left = segment.slotAt(cell) - 1;
    if (left < 0) this.#index.free(segment, cell);
    else segment.setSlot(cell, left);
  }
}
