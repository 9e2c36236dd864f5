/**
 * An ordered list of items with distinct names: O(1) look-up, O(1) append, O(1) removal by moving the last one into
 * the hole. The order is state: a seeded choice takes item number (seed mod size), so every daemon must have the same
 * order, and each removal has an exact inverse.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { hashOfName } from "./name-hash.js";
import { PlaceIndex } from "./place-index.js";
import { indexedPage, type PageRequest, type ScanPage, smallPage } from "./scan-page.js";

/** Up to here a linear search beats a hash table, in time and in memory. */
const LINEAR_SEARCH_ITEMS_MAX = 12;

export class DenseTable<T> {
  /** The items in dense order; not to be changed. */
  readonly items: T[] = [];
  readonly #nameOf: (item: T) => ByteString;
  /** The index, only while there are many items. */
  #index: PlaceIndex | null = null;

  constructor(nameOf: (item: T) => ByteString) {
    this.#nameOf = nameOf;
  }

  get size(): number {
    return this.items.length;
  }

  /** The place of the item of this name, or -1. */
  find(name: ByteString): number {
    const { items } = this;
    const nameOf = this.#nameOf;
    if (this.#index !== null) {
      const hash = hashOfName(name);
      const segment = this.#index.segment(hash);
      for (let cell = segment.seek(hash, hash); cell >= 0; cell = segment.seek(hash, cell + 1)) {
        const place = segment.placeAt(cell);
        if (nameOf(items[place] as T) === name) return place;
      }
      return -1;
    }
    for (let place = 0; place < items.length; place++) if (nameOf(items[place] as T) === name) return place;
    return -1;
  }

  /** Returns a page of a scan. */
  page(request: PageRequest): ScanPage {
    if (this.#index !== null) return indexedPage(this.#index, request);
    return smallPage(this.items.map(this.#nameOf), request);
  }

  /** Appends an item whose name is absent. Inverse: `pop`. */
  push(item: T): void {
    this.items.push(item);
    if (this.#index !== null) this.#index.add(this.#hashAt(this.items.length - 1), this.items.length - 1);
    else if (this.items.length > LINEAR_SEARCH_ITEMS_MAX) this.#buildIndex();
  }

  /** Takes the last item off again. */
  pop(): void {
    const last = this.items.length - 1;
    this.#index?.remove(this.#hashAt(last), last);
    this.items.pop();
  }

  /** Removes the item at a place; the last one moves there. Inverse: `restoreAt`. */
  removeAt(place: number): void {
    const last = this.items.length - 1;
    this.#index?.remove(this.#hashAt(place), place);
    if (place !== last) {
      this.#index?.move(this.#hashAt(last), last, place);
      this.items[place] = this.items[last] as T;
    }
    this.items.pop();
  }

  /** Puts a removed item back where it was. */
  restoreAt(place: number, item: T): void {
    if (place === this.items.length) {
      this.push(item);
      return;
    }
    const moved = this.items[place] as T;
    this.#index?.move(this.#hashAt(place), place, this.items.length);
    this.items.push(moved);
    this.items[place] = item;
    if (this.#index !== null) this.#index.add(this.#hashAt(place), place);
    else if (this.items.length > LINEAR_SEARCH_ITEMS_MAX) this.#buildIndex();
  }

  #hashAt(place: number): number {
    return hashOfName(this.#nameOf(this.items[place] as T));
  }

  #buildIndex(): void {
    const index = new PlaceIndex();
    for (let place = 0; place < this.items.length; place++) index.add(this.#hashAt(place), place);
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
