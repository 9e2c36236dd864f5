/** A queue that serves its callers in turn, so that a caller with many requests does not delay the other callers. */
import type { ByteString } from "../../../protocol/byte-string.js";

interface Item {
  readonly caller: ByteString;
}

export class FairQueue<T extends Item> {
  /** The waiting items of each caller, oldest first. The caller that was served least recently is the first one. */
  readonly #byCaller = new Map<ByteString, Set<T>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(caller: ByteString): boolean {
    return this.#byCaller.has(caller);
  }

  /** Returns the callers with waiting items, and the numbers of these. */
  counts(): (readonly [caller: ByteString, items: number])[] {
    return Array.from(this.#byCaller, ([caller, items]) => [caller, items.size]);
  }

  add(item: T): void {
    const items = this.#byCaller.get(item.caller);
    if (items === undefined) this.#byCaller.set(item.caller, new Set([item]));
    else items.add(item);
    this.#size++;
  }

  /** @returns false if the item is not in the queue */
  remove(item: T): boolean {
    const items = this.#byCaller.get(item.caller);
    if (items?.delete(item) !== true) return false;
    if (items.size === 0) this.#byCaller.delete(item.caller);
    this.#size--;
    return true;
  }

  /** Removes an item that was served, and moves its caller after the other callers. */
  markServed(item: T): void {
    const items = this.#byCaller.get(item.caller);
    if (!this.remove(item) || items === undefined) return;
    // The caller is absent if this was its last item.
    if (this.#byCaller.delete(item.caller)) this.#byCaller.set(item.caller, items);
  }

  /**
   * Removes the oldest item of the next caller, and returns it.
   * @param mayServe  whether a caller may be served now
   * @returns null if no caller may be served
   */
  next(mayServe: (caller: ByteString) => boolean): T | null {
    for (const [caller, items] of this.#byCaller) {
      if (!mayServe(caller)) continue;
      const [item] = items;
      this.markServed(item as T);
      return item as T;
    }
    return null;
  }

  /**
   * Yields the items in the order in which they would be served: the oldest one of each caller, then the next one of
   * each. The queue must not change meanwhile.
   */
  *inTurn(): Generator<T> {
    let callers = [...this.#byCaller.values()].map((items) => items.values());
    while (callers.length > 0) {
      const remaining: typeof callers = [];
      for (const items of callers) {
        const { done, value } = items.next();
        if (done === true) continue;
        yield value;
        remaining.push(items);
      }
      callers = remaining;
    }
  }
}
