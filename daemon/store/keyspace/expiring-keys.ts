/** The keys of a database that expire, in the order of their expiry times. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { ExpiryQueue, STALE_MIN } from "../values/tables/expiry-queue.js";

/** Whether a key exists and has exactly this expiry time. */
type IsCurrent = (key: ByteString, expire: number) => boolean;

/**
 * The keys of a database that expire, by time, and the number of those that have expired but still exist: reads ignore
 * them, but only the fold may remove them. The expired keys are counted without a walk over all keys: each key moves
 * from one queue to another when its time has passed.
 *
 * Entries of the queues may be stale: their keys have been removed, or have another expiry time now. Time never goes
 * back: the latest `at` so far replaces an earlier one.
 */
export class ExpiringKeys {
  /** The expired keys, which expire before `#at`; the other queue has the remaining ones. */
  readonly #expired = new ExpiryQueue();
  readonly #pending = new ExpiryQueue();
  readonly #isCurrent: IsCurrent;
  #at = 0;
  /** Number of existing keys that expire before `#at`. */
  #expiredCount = 0;
  /** Keys that have expired since the last `takeNewlyExpired`, or null if they are not collected yet. */
  #newlyExpired: ByteString[] | null = null;

  constructor(isCurrent: IsCurrent) {
    this.#isCurrent = isCurrent;
  }

  /** Records that a key expires at the given time, in milliseconds since 1970. */
  add(expire: number, key: ByteString): void {
    if (expire < this.#at) this.#expiredCount++;
    this.#push(expire, key);
  }

  /** Records that a key no longer expires at the given time, or was removed. */
  remove(expire: number): void {
    if (expire < this.#at) this.#expiredCount--;
  }

  /** Whether more than half of the entries are certainly stale. @param live  the number of keys that expire */
  isMostlyStale(live: number): boolean {
    return this.#size > 2 * live + STALE_MIN;
  }

  /** @param keys  all keys that expire */
  rebuild(keys: Iterable<readonly [expire: number, key: ByteString]>): void {
    this.#expired.rebuild([]);
    this.#pending.rebuild([]);
    for (const [expire, key] of keys) this.#push(expire, key);
  }

  /**
   * Returns the number of existing keys that expire before the given time.
   * @param at  milliseconds since 1970
   */
  countExpired(at: number): number {
    this.advance(at, Number.POSITIVE_INFINITY);
    return this.#expiredCount;
  }

  /**
   * Returns the keys that have expired since the last call; the first call returns none.
   * @param at  as in `countExpired`
   */
  takeNewlyExpired(at: number): readonly ByteString[] {
    const isFirst = this.#newlyExpired === null;
    this.#newlyExpired ??= [];
    this.advance(at, Number.POSITIVE_INFINITY);
    const found = this.#newlyExpired;
    // The first call only begins to collect. An empty array is used again.
    if (isFirst || found.length > 0) this.#newlyExpired = [];
    return isFirst ? [] : found;
  }

  /** Whether the expiry time is before the latest time requested. */
  hasExpired(expire: number): boolean {
    return expire < this.#at;
  }

  /**
   * Does part of the work of the next `countExpired`.
   * @param max  maximum number of keys, not counting further keys with the same time as the last one
   */
  advance(at: number, max: number): void {
    if (at <= this.#at) return;
    let moved = 0;
    let expire = -1;
    let key = "";
    for (;;) {
      const next = this.#pending.at(0);
      if (next === undefined || next.expire >= at) {
        this.#at = at;
        return;
      }
      if (moved >= max && next.expire !== expire) {
        this.#at = next.expire;
        return;
      }

      this.#pending.shift(at);
      moved++;
      // Entries of the same key with the same time are adjacent; a duplicate is skipped.
      if (next.expire === expire && next.key === key) continue;

      ({ expire, key } = next);
      if (!this.#isCurrent(key, expire)) continue;

      this.#expired.push(expire, key);
      this.#expiredCount++;
      this.#newlyExpired?.push(key);
    }
  }

  /** Removes and returns the earliest entry if it is before the given time. */
  shift(before: number): { expire: number; key: ByteString } | undefined {
    return this.#expired.shift(before) ?? this.#pending.shift(before);
  }

  /** Returns the earliest entry. */
  get first(): { expire: number; key: ByteString } | undefined {
    return this.#expired.at(0) ?? this.#pending.at(0);
  }

  /** Returns an entry that a random number selects. @param random  in [0, 1) */
  sample(random: number): { expire: number; key: ByteString } | undefined {
    const index = Math.floor(random * this.#size);
    return index < this.#expired.size
      ? this.#expired.at(index)
      : this.#pending.at(index - this.#expired.size);
  }

  get #size(): number {
    return this.#expired.size + this.#pending.size;
  }

  #push(expire: number, key: ByteString): void {
    (expire < this.#at ? this.#expired : this.#pending).push(expire, key);
  }
}
