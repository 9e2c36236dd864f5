/** The first-in, first-out queue for a connection to one daemon, with limits for items and bytes. */

/**
 * The maximum length. It holds several seconds of commands from the fastest sequential caller, so a daemon that pauses
 * for that long still receives all of them.
 */
const ITEMS_MAX = 10_000;

/**
 * The maximum size. The queues of all daemons share the bytes of a call, so this limits the client's memory even if
 * every daemon hangs.
 */
const BYTES_MAX = 64 * 1024 * 1024;

/** The number of removed items after which the array is shortened. Removing a single item is therefore cheap. */
const COMPACT_AT = 1_024;

export class BoundedQueue<T extends { readonly bytes: number }> {
  /** The items. Removed ones are set to undefined, because each may reference an envelope of several megabytes. */
  #items: (T | undefined)[] = [];
  #taken = 0;
  #bytes = 0;

  get length(): number {
    return this.#items.length - this.#taken;
  }

  /** Whether the queue has room for `item`. An empty queue accepts an item of any size. */
  hasRoomFor(item: T): boolean {
    return this.length === 0 || (this.length < ITEMS_MAX && this.#bytes + item.bytes <= BYTES_MAX);
  }

  push(item: T): void {
    this.#items.push(item);
    this.#bytes += item.bytes;
  }

  get first(): T | undefined {
    return this.#items[this.#taken];
  }

  shift(): T | undefined {
    const item = this.#items[this.#taken];
    if (item === undefined) return undefined;
    this.#items[this.#taken++] = undefined;
    this.#bytes -= item.bytes;
    if (this.#taken === this.#items.length) {
      this.#items = [];
      this.#taken = 0;
    } else if (this.#taken >= COMPACT_AT && this.#taken * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#taken);
      this.#taken = 0;
    }
    return item;
  }

  /** Removes and returns all chosen items. The cost is proportional to the length of the queue. */
  takeWhere(isChosen: (item: T) => boolean): T[] {
    const chosen: T[] = [];
    for (const item of this.takeAll()) {
      if (isChosen(item)) chosen.push(item);
      else this.push(item);
    }
    return chosen;
  }

  /** Inserts items at the head, even above the limits. */
  putBack(items: readonly T[]): void {
    for (const item of [...items, ...this.takeAll()]) this.push(item);
  }

  takeAll(): T[] {
    const all = this.#items.slice(this.#taken) as T[];
    this.#items = [];
    this.#taken = 0;
    this.#bytes = 0;
    return all;
  }
}
