/** The expiry times of a document's entries, by key and with the earliest first. */

import { ExpiryQueue } from "../../../../daemon/store/values/tables/expiry-queue.js";
import type { ByteString } from "../../../../protocol/byte-string.js";

export class EntryExpiries {
  readonly #times = new Map<ByteString, number>();
  readonly #queue = new ExpiryQueue();

  /** Number of entries with an expiry time. */
  get size(): number {
    return this.#times.size;
  }

  /**
   * Returns the time until which an entry exists, in milliseconds since 1970, inclusive, or undefined if it does not
   * expire.
   */
  get(key: ByteString): number | undefined {
    return this.#times.get(key);
  }

  set(key: ByteString, expire: number): void {
    this.#times.set(key, expire);
    this.#queue.push(expire, key);
    if (this.#queue.isMostlyStale(this.#times.size)) {
      this.#queue.rebuild([...this.#times].map(([each, time]) => [time, each] as const));
    }
  }

  delete(key: ByteString): void {
    this.#times.delete(key);
  }

  /** Whether an entry may have expired by a date; if false, certainly none has expired. */
  mayHaveExpired(at: number): boolean {
    const first = this.#queue.at(0);
    return first !== undefined && at > first.expire;
  }

  /** Returns the keys of the entries that are expired for a unit with the given date, in no particular order. */
  expired(at: number): ByteString[] {
    const keys: ByteString[] = [];
    for (const [key, time] of this.#times) if (at > time) keys.push(key);
    return keys;
  }

  /**
   * Removes and returns the expired keys, the earliest first. The caller removes the entries; a key is not returned
   * again unless its time is set again.
   */
  takeExpired(at: number): ByteString[] {
    const keys = new Set<ByteString>();
    for (;;) {
      const earliest = this.#queue.shift(at);
      if (earliest === undefined) return [...keys];
      if (this.#times.get(earliest.key) === earliest.expire) keys.add(earliest.key);
    }
  }
}
