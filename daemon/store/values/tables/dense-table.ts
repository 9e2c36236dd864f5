/**
 * An ordered list of items with distinct names: O(1) look-up, O(1) append, and O(1) removal by moving the last item
 * into the gap. The order is part of the state: a seeded choice selects item number (seed mod size), so every daemon
 * must have the same order. Each removal has an exact inverse.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { hashOfName } from "./name-hash.js";
import { indexedPage, type PageRequest, type ScanPage, smallPage } from "./scan-page.js";
import { SlotIndex } from "./slot-index.js";

/** Maximum number of items for which a linear search beats a hash table in time and in memory. */
const LINEAR_SEARCH_ITEMS_MAX = 12;

export class DenseTable<T> {
  /** The items in dense order; the caller must not change them. */
  readonly items: T[] = [];
  readonly #nameOf: (item: T) => ByteString;
  /** The index, or null until the table first has more than `LINEAR_SEARCH_ITEMS_MAX` items. */
  #index: SlotIndex | null = null;

  constructor(nameOf: (item: T) => ByteString) {
    this.#nameOf = nameOf;
  }

  get size(): number {
    return this.items.length;
  }

  /** Returns the slot of the item with the given name, or -1. */
  find(name: ByteString): number {
    const { items } = this;
    const nameOf = this.#nameOf;
    if (this.#index !== null) {
      const hash = hashOfName(name);
      const segment = this.#index.segment(hash);
      for (let cell = segment.seek(hash, hash); cell >= 0; cell = segment.seek(hash, cell + 1)) {
        const slot = segment.slotAt(cell);
        if (nameOf(items[slot] as T) === name) return slot;
      }
      return -1;
    }

    for (let slot = 0; slot < items.length; slot++) if (nameOf(items[slot] as T) === name) return slot;
    return -1;
  }

  /** Returns a page of a scan. */
  page(request: PageRequest): ScanPage {
    if (this.#index !== null) return indexedPage(this.#index, request);
    return smallPage(this.items.map(this.#nameOf), request);
  }

  /** Appends an item with a new name. Inverse: `pop`. */
  push(item: T): void {
    this.items.push(item);
    if (this.#index !== null) this.#index.add(this.#hashAt(this.items.length - 1), this.items.length - 1);
    else if (this.items.length > LINEAR_SEARCH_ITEMS_MAX) this.#buildIndex();
  }

  /** Removes the last item. */
  pop(): void {
    const last = this.items.length - 1;
    this.#index?.remove(this.#hashAt(last), last);
    this.items.pop();
  }

  /** Removes the item at the given slot; the last item moves there. Inverse: `restoreAt`. */
  removeAt(slot: number): void {
    const last = this.items.length - 1;
    this.#index?.remove(this.#hashAt(slot), slot);
    if (slot !== last) {
      this.#index?.move(this.#hashAt(last), last, slot);
      this.items[slot] = this.items[last] as T;
    }
    this.items.pop();
  }

  /** Restores a removed item at its former slot. */
  restoreAt(slot: number, item: T): void {
    if (slot === this.items.length) {
      this.push(item);
      return;
    }
    const moved = this.items[slot] as T;
    this.#index?.move(this.#hashAt(slot), slot, this.items.length);
    this.items.push(moved);
    this.items[slot] = item;
    if (this.#index !== null) this.#index.add(this.#hashAt(slot), slot);
    else if (this.items.length > LINEAR_SEARCH_ITEMS_MAX) this.#buildIndex();
  }

  #hashAt(slot: number): number {
    return hashOfName(this.#nameOf(this.items[slot] as T));
  }

  #buildIndex(): void {
    const index = new SlotIndex();
    for (let slot = 0; slot < this.items.length; slot++) index.add(this.#hashAt(slot), slot);
    this.#index = index;
  }
}

/** Returns a table of names that are their own values. */
export function tableOfNames(names: readonly ByteString[]): DenseTable<ByteString> {
  const table = new DenseTable<ByteString>(itself);
  for (const name of names) table.push(name);
  return table;
}

const itself = (name: ByteString) => name;
