/**
 * Keys ordered by expiry time, then by name: a binary heap whose entries may be stale (the key is missing or expires at
 * another time) or duplicated. The caller compares each entry that it removes with the key, so a change of an expiry
 * time needs no search.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";

/** Number of stale entries up to which the heap is not rebuilt. */
export const STALE_MIN = 1024;

export class ExpiryQueue {
  #times: number[] = [];
  #keys: ByteString[] = [];

  /** Whether more than half of the entries are certainly stale. @param live the number of keys that expire */
  isMostlyStale(live: number): boolean {
    return this.#times.length > 2 * live + STALE_MIN;
  }

  rebuild(entries: Iterable<readonly [number, ByteString]>): void {
    this.#times = [];
    this.#keys = [];
    for (const [expire, key] of entries) this.push(expire, key);
  }

  push(expire: number, key: ByteString): void {
    let at = this.#times.length;
    this.#times.push(expire);
    this.#keys.push(key);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isAfter(parent, expire, key)) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#index(at, expire, key);
  }

  /** Number of entries, including stale ones. */
  get size(): number {
    return this.#times.length;
  }

  /**
   * Returns the entry at the given index of the heap. The entry at index 0 is the earliest one; the remaining entries
   * are in no particular order.
   */
  at(index: number): { expire: number; key: ByteString } | undefined {
    const expire = this.#times[index];
    return expire === undefined ? undefined : { expire, key: this.#keys[index] as ByteString };
  }

  /** Removes and returns the earliest entry if its time is before the given time. */
  shift(before: number): { expire: number; key: ByteString } | undefined {
    const expire = this.#times[0];
    if (expire === undefined || expire >= before) return undefined;
    const key = this.#keys[0] as ByteString;
    const lastTime = this.#times.pop() as number;
    const lastKey = this.#keys.pop() as ByteString;
    if (this.#times.length > 0) this.#sinkFromTop(lastTime, lastKey);
    return { expire, key };
  }

  #sinkFromTop(expire: number, key: ByteString): void {
    const size = this.#times.length;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (
        child + 1 < size &&
        this.#isAfter(child, this.#times[child + 1] as number, this.#keys[child + 1] as ByteString)
      )
        child++;
      if (this.#isAfter(child, expire, key)) break;
      this.#move(child, at);
      at = child;
    }
    this.#index(at, expire, key);
  }

  /** Whether the entry at the given index follows the given time and key, or equals them. */
  #isAfter(index: number, expire: number, key: ByteString): boolean {
    const other = this.#times[index] as number;
    return other > expire || (other === expire && (this.#keys[index] as ByteString) >= key);
  }

  #move(from: number, to: number): void {
    this.#times[to] = this.#times[from] as number;
    this.#keys[to] = this.#keys[from] as ByteString;
  }

  #index(at: number, expire: number, key: ByteString): void {
    this.#times[at] = expire;
    this.#keys[at] = key;
  }
}
