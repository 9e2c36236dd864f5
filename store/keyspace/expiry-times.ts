/**
 * The keys of a database that expire, by time, and how many of them have done so and are still there: reads do not see them,
 * but only the fold may say when they go. Counted without a walk: a key changes over once, when its time has come.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { ExpiryQueue, STALE_MIN } from "../values/tables/expiry.js";

/** Whether a key is there and expires at this very time: an entry of the queues may be stale. */
export type IsCurrent = (key: ByteString, expire: number) => boolean;

export class ExpiryTimes {
  /** Keys that expire before `#at`, and the remaining ones. */
  readonly #due = new ExpiryQueue();
  readonly #pending = new ExpiryQueue();
  readonly #isCurrent: IsCurrent;
  #at = 0;
  /** Keys that are there and expire before `#at`. */
  #dueCount = 0;
  /** Keys that have expired since they were last taken; null: they are not collected. */
  #fresh: ByteString[] | null = null;

  constructor(isCurrent: IsCurrent) {
    this.#isCurrent = isCurrent;
  }

  /** Notes that a key will expire at a time, in milliseconds since 1970. */
  add(expire: number, key: ByteString): void {
    if (expire < this.#at) this.#dueCount++;
    this.#push(expire, key);
  }

  /** Notes that a key no longer expires at a time, or was removed. */
  remove(expire: number): void {
    if (expire < this.#at) this.#dueCount--;
  }

  /** Whether more than half of the entries can only be stale, there being `live` keys that expire. */
  isMostlyStale(live: number): boolean {
    return this.#size > 2 * live + STALE_MIN;
  }

  /** @param keys  all that expire */
  rebuild(keys: Iterable<readonly [expire: number, key: ByteString]>): void {
    this.#due.rebuild([]);
    this.#pending.rebuild([]);
    for (const [expire, key] of keys) this.#push(expire, key);
  }

  /**
   * Returns the number of keys that expire before a time.
   * @param at  milliseconds since 1970; a time before the latest one asked for counts as that one
   */
  dueBefore(at: number): number {
    this.advance(at, Number.POSITIVE_INFINITY);
    return this.#dueCount;
  }

  /** Keys that have come due since the last call; of the first one, none. @param at  as of `dueBefore` */
  takeFresh(at: number): readonly ByteString[] {
    const isFirst = this.#fresh === null;
    this.#fresh ??= [];
    this.advance(at, Number.POSITIVE_INFINITY);
    const fresh = this.#fresh;
    if (isFirst || fresh.length > 0) this.#fresh = [];
    return isFirst ? [] : fresh;
  }

  /** Whether a key of this time has come due before. */
  isDue(expire: number): boolean {
    return expire < this.#at;
  }

  /** Does part of what the next `dueBefore` would have to do. @param most  keys, and those of the same time as the last */
  advance(at: number, most: number): void {
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
      if (moved >= most && next.expire !== expire) {
        this.#at = next.expire;
        return;
      }
      this.#pending.shift(at);
      moved++;
      // The same key may occur twice, and then follows itself.
      if (next.expire === expire && next.key === key) continue;
      ({ expire, key } = next);
      if (!this.#isCurrent(key, expire)) continue;
      this.#due.push(expire, key);
      this.#dueCount++;
      this.#fresh?.push(key);
    }
  }

  /** Takes out an entry that lies before a time, the earliest. */
  shift(before: number): { expire: number; key: ByteString } | undefined {
    return this.#due.shift(before) ?? this.#pending.shift(before);
  }

  /** Returns the earliest entry. */
  get first(): { expire: number; key: ByteString } | undefined {
    return this.#due.at(0) ?? this.#pending.at(0);
  }

  /** Returns an entry chosen by a number (at least 0, below 1). */
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
