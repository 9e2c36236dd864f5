/** Expiry times of a document's entries: by the entry's key, and the earliest first. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { ExpiryQueue } from "../tables/expiry.js";

export class EntryExpiries {
  readonly #times = new Map<ByteString, number>();
  readonly #queue = new ExpiryQueue();

  /** Number of entries with an expiry time. */
  get size(): number {
    return this.#times.size;
  }

  /** Milliseconds since 1970 up to and including which an entry is seen; undefined: it stays. */
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

  /** Whether something may have expired by a date; false: certainly nothing. */
  mayHaveExpired(at: number): boolean {
    const first = this.#queue.at(0);
    return first !== undefined && at > first.expire;
  }

  /** Keys of the entries that a unit of a date no longer sees, in no order. */
  expired(at: number): ByteString[] {
    const keys: ByteString[] = [];
    for (const [key, time] of this.#times) if (at > time) keys.push(key);
    return keys;
  }

  /** Returns the same, the earliest first; the caller removes these entries, and they are not returned again unless they are set again. */
  takeExpired(at: number): ByteString[] {
    const keys = new Set<ByteString>();
    for (;;) {
      const due = this.#queue.shift(at);
      if (due === undefined) return [...keys];
      if (this.#times.get(due.key) === due.expire) keys.add(due.key);
    }
  }
}
