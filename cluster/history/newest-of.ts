/** Keeps the newest of many items, so that memory is bounded however many there are. */
export class NewestOf<T> {
  readonly #most: number;
  readonly #ring: T[] = [];
  /** How many there were. */
  seen = 0;

  constructor(most: number) {
    this.#most = most;
  }

  push(item: T): void {
    this.#ring[this.seen++ % this.#most] = item;
  }

  /** The number of dropped items. */
  get left(): number {
    return this.seen - this.#ring.length;
  }

  /** The items in the order in which they were added. */
  get items(): T[] {
    const start = this.left === 0 ? 0 : this.seen % this.#most;
    return [...this.#ring.slice(start), ...this.#ring.slice(0, start)];
  }
}
