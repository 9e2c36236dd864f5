/** Keeps the newest of many items, so that memory is bounded regardless of their number. */
export class NewestItems<T> {
  readonly #maxItems: number;
  readonly #ring: T[] = [];
  /** The number of items that were added so far. */
  seen = 0;

  constructor(maxItems: number) {
    this.#maxItems = maxItems;
  }

  push(item: T): void {
    this.#ring[this.seen++ % this.#maxItems] = item;
  }

  /** The number of dropped items. */
  get left(): number {
    return this.seen - this.#ring.length;
  }

  /** The items in the order in which they were added. */
  get items(): T[] {
    const start = this.left === 0 ? 0 : this.seen % this.#maxItems;
    return [...this.#ring.slice(start), ...this.#ring.slice(0, start)];
  }
}
