/**
 * The keys of a database that expire, by time, and the number of those that have expired but still exist: reads ignore
 * them, but only the fold may remove them. The expired keys are counted without a walk over all keys: each key moves
 * from one queue to another when its time has passed.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { ExpiryQueue, STALE_MIN } from "../values/tables/expiry-queue.js";

/** Whether a key exists and has exactly this expiry time: entries of the queues may be stale. */
export type IsCurrent = (key: ByteString, expire: number) => boolean;

export class ExpiringKeys {
  /** Keys that expire before `#at`; the other queue has the remaining ones. */
  readonly #due = new ExpiryQueue();
  readonly #pending = new ExpiryQueue();
  readonly #isCurrent: IsCurrent;
  #at = 0;
  /** Number of existing keys that expire before `#at`. */
  #dueCount = 0;
  /** Keys that have expired since the last `takeFresh`, or null if they are not collected. */
  #fresh: ByteString[] | null = null;

  constructor(isCurrent: IsCurrent) {
    this.#isCurrent = isCurrent;
  }

  /** Records that a key expires at the given time, in milliseconds since 1970. */
  add(expire: number, key: ByteString): void {
    if (expire < this.#at) this.#dueCount++;
    this.#push(expire, key);
  }

  /** Records that a key no longer expires at the given time, or was removed. */
  remove(expire: number): void {
    if (expire < this.#at) this.#dueCount--;
  }

  /** Whether more than half of the entries are certainly stale. @param live the number of keys that expire */
  isMostlyStale(live: number): boolean {
    return this.#size > 2 * live + STALE_MIN;
  }

  /** @param keys all keys that expire */
  rebuild(keys: Iterable<readonly [expire: number, key: ByteString]>): void {
    this.#due.rebuild([]);
    this.#pending.rebuild([]);
    for (const [expire, key] of keys) this.#push(expire, key);
  }

  /**
   * Returns the number of keys that expire before the given time.
   * @param at milliseconds since 1970; if it is before the latest time requested, the latest time is used instead
   */
  dueBefore(at: number): number {
    this.advance(at, Number.POSITIVE_INFINITY);
    return this.#dueCount;
  }

  /**
   * Returns the keys that have expired since the last call; the first call returns none.
   * @param at as in `dueBefore`
   */
  takeFresh(at: number): readonly ByteString[] {
    const isFirst = this.#fresh === null;
    this.#fresh ??= [];
    this.advance(at, Number.POSITIVE_INFINITY);
    const fresh = this.#fresh;
    if (isFirst || fresh.length > 0) this.#fresh = [];
    return isFirst ? [] : fresh;
  }

  /** Whether the expiry time is before the latest time requested. */
  isDue(expire: number): boolean {
    return expire < this.#at;
  }

  /**
   * Does part of the work of the next `dueBefore`.
   * @param max maximum number of keys, not counting further keys with the same time as the last one
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
      this.#due.push(expire, key);
      this.#dueCount++;
      this.#fresh?.push(key);
    }
  }

  /** Removes and returns the earliest entry if it is before the given time. */
  shift(before: number): { expire: number; key: ByteString } | undefined {
    return this.#due.shift(before) ?? this.#pending.shift(before);
  }

  /** Returns the earliest entry. */
  get first(): { expire: number; key: ByteString } | undefined {
    return this.#due.at(0) ?? this.#pending.at(0);
  }

  /** Returns an entry, selected by a number (at least 0, below 1). */
  sample(chance: number): { expire: number; key: ByteString } | undefined {
    const index = Math.floor(chance * this.#size);
    return index < this.#due.size ? this.#due.at(index) : this.#pending.at(index - this.#due.size);
  }

  get #size(): number {
    return this.#due.size + this.#pending.size;
  }

  #push(expire: number, key: ByteString): void {
    (expire < this.#at ? this.#due : this.#pending).push(expire, key);
  }
}
