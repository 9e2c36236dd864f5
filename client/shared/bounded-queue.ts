/** A queue before a connection to one daemon: first in, first out, bounded in items and bytes. */

/**
 * The maximum length: some seconds of the fastest sequential caller, so that a daemon that stops for that long still
 * gets every command.
 */
const ITEMS_MAX = 10_000;

/** Bytes are shared by all daemons of a call, so this bounds memory even when every daemon hangs. */
const BYTES_MAX = 64 * 1024 * 1024;

/** Taken items are cut off the array once there are this many, so that taking costs nothing. */
const COMPACT_AT = 1_024;

export class BoundedQueue<T extends { readonly bytes: number }> {
  /** The elements; those already taken are cleared, because each may hold an envelope of megabytes. */
  #items: (T | undefined)[] = [];
  #taken = 0;
  #bytes = 0;

  get length(): number {
    return this.#items.length - this.#taken;
  }

  /** Whether `item` has room; an empty queue has room for one of any length. */
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

  /** Removes all chosen items out of order. It costs as much as there are items. */
  takeWhere(isChosen: (item: T) => boolean): T[] {
    const chosen: T[] = [];
    for (const item of this.takeAll()) {
      if (isChosen(item)) chosen.push(item);
      else this.push(item);
    }
    return chosen;
  }

  /** Inserts items at the head, even without room. */
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
