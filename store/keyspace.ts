/**
 * One database: keys, their values and expiry times. Knows nothing of commands or undo.
 * The order of keys is not state (SCAN and RANDOMKEY promise no more than Redis does).
 */
import type { ByteString } from "../protocol/byte-string.js";
import { ExpiryQueue } from "./expiry.js";
import type { Value } from "./values/value.js";

/** `Entry.expire` of a key that stays. */
export const NO_EXPIRY = 0;

/** What is known of one key. */
export interface Entry {
  readonly key: ByteString;
  value: Value;
  /** Milliseconds since 1970 up to and including which the key is seen, or NO_EXPIRY. */
  expire: number;
  /** Unit that last changed value, expiry or name. */
  writer: ByteString;
  /** Place in `Keyspace.entries`. */
  slot: number;
}

export class Keyspace {
  /** All entries, densely; what SCAN and RANDOMKEY walk. */
  readonly entries: Entry[] = [];
  readonly #byKey = new Map<ByteString, Entry>();
  readonly #queue = new ExpiryQueue();
  #expiring = 0;

  get size(): number {
    return this.entries.length;
  }

  /** How many keys have an expiry time. */
  get expiring(): number {
    return this.#expiring;
  }

  /** The entry of a key, expired or not. */
  find(key: ByteString): Entry | undefined {
    return this.#byKey.get(key);
  }

  /** Sets or adds a key. */
  set(key: ByteString, value: Value, expire: number, writer: ByteString): Entry {
    let entry = this.#byKey.get(key);
    if (entry === undefined) {
      entry = { key, value, expire: NO_EXPIRY, writer, slot: this.entries.length };
      this.entries.push(entry);
      this.#byKey.set(key, entry);
    } else {
      entry.value = value;
      entry.writer = writer;
    }
    if (entry.expire !== expire) this.setExpire(entry, expire);
    return entry;
  }

  setExpire(entry: Entry, expire: number): void {
    this.#expiring += Number(expire !== NO_EXPIRY) - Number(entry.expire !== NO_EXPIRY);
    entry.expire = expire;
    if (expire === NO_EXPIRY) return;
    this.#queue.push(expire, entry.key);
    if (this.#queue.isMostlyStale(this.#expiring)) this.#queue.rebuild(this.#expiryTimes());
  }

  delete(key: ByteString): void {
    const entry = this.#byKey.get(key);
    if (entry === undefined) return;
    if (entry.expire !== NO_EXPIRY) this.#expiring--;
    this.#byKey.delete(key);
    const last = this.entries.pop() as Entry;
    if (last === entry) return;
    this.entries[entry.slot] = last;
    last.slot = entry.slot;
  }

  /**
   * Drops keys whose expiry time lies before a time. Outside the fold: only for times that no unit to come is dated at.
   * @returns how many were dropped, `limit` at most
   */
  dropExpired(before: number, limit: number): number {
    let dropped = 0;
    while (dropped < limit) {
      const due = this.#queue.shift(before);
      if (due === undefined) break;
      if (this.#byKey.get(due.key)?.expire !== due.expire) continue;
      this.delete(due.key);
      dropped++;
    }
    return dropped;
  }

  *#expiryTimes(): Generator<[number, ByteString]> {
    for (const entry of this.entries) if (entry.expire !== NO_EXPIRY) yield [entry.expire, entry.key];
  }
}
