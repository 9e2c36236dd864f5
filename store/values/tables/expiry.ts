/**
 * Keys by expiry time, those of one time by name: a binary heap in which entries may be out of date (the key is missing, or expires at
 * another time) or occur twice. The caller compares each entry that it takes with the key; nothing has to be searched when an expiry time
 * changes.
 */
import type { ByteString } from "../../../protocol/byte-string.js";

/** Stale entries that are not worth a rebuild. */
export const STALE_MIN = 1024;

export class ExpiryQueue {
  #times: number[] = [];
  #keys: ByteString[] = [];

  /** Whether more than half of the entries can only be stale, there being `live` keys that expire. */
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
      if (!this.#isBehind(parent, expire, key)) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#index(at, expire, key);
  }

  /** Entries, stale ones among them. */
  get size(): number {
    return this.#times.length;
  }

  /** The entry at an index, in no order; the first is the earliest. */
  at(index: number): { expire: number; key: ByteString } | undefined {
    const expire = this.#times[index];
    return expire === undefined ? undefined : { expire, key: this.#keys[index] as ByteString };
  }

  /** Takes out the earliest entry if its time lies before a time. */
  shift(before: number): { expire: number; key: ByteString } | undefined {
    const expire = this.#times[0];
    if (expire === undefined || expire >= before) return undefined;
    const key = this.#keys[0] as ByteString;
    const lastTime = this.#times.pop() as number;
    const lastKey = this.#keys.pop() as ByteString;
    if (this.#times.length > 0) this.#sink(lastTime, lastKey);
    return { expire, key };
  }

  #sink(expire: number, key: ByteString): void {
    const size = this.#times.length;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (
        child + 1 < size &&
        this.#isBehind(child, this.#times[child + 1] as number, this.#keys[child + 1] as ByteString)
      )
        child++;
      if (this.#isBehind(child, expire, key)) break;
      this.#move(child, at);
      at = child;
    }
    this.#index(at, expire, key);
  }

  /** Whether the entry at an index follows a time and key, or equals them. */
  #isBehind(index: number, expire: number, key: ByteString): boolean {
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
