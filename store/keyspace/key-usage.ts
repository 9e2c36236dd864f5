/**
 * Tracks how recently or how often keys are used. Only a database in memory that evicts keys by their use needs this
 * information. It is not part of the state, and the fold does not use it. As in Redis, `lru` is a time; `lfu` is a
 * counter of at most 255 that is incremented at random, the less often the higher it is, and decremented once a minute.
 */
import { type Entry, NEVER_USED, UsedEntry } from "./keyspace.js";

export type UsageKind = "lru" | "lfu";

/**
 * The unit of `lru`: shorter than the time in which a fast client fills a small memory, and long enough that values
 * remain small integers in V8 for eight months.
 */
const TICK_MS = 10;
const MINUTE_MS = 60_000;
/** The maximum count, as in Redis. */
const COUNT_MAX = 255;
/** The count of a new key, as in Redis. */
const COUNT_FIRST = 5;
/** Redis's default lfu-log-factor, which CONFIG GET returns: it makes increments of high counts less likely. */
const LOG_FACTOR = 10;
/** An entry's `use` contains the minutes, multiplied by this number, plus the count. */
const COUNTS = COUNT_MAX + 1;

export class KeyUsage {
  readonly kind: UsageKind;
  /** Returns a number of at least 0, below 1. */
  readonly #random: () => number;
  /** The time of the first use, in milliseconds since 1970; stored times are relative to it. */
  #epoch: number | null = null;
  /** The time of the latest use. */
  #latest = 0;

  constructor(kind: UsageKind, random: () => number) {
    this.kind = kind;
    this.#random = random;
  }

  /** Records the use of a key. @param at milliseconds since 1970 */
  note(entry: Entry, at: number): void {
    this.#epoch ??= at;
    this.#latest = Math.max(this.#latest, at);
    if (entry instanceof UsedEntry) entry.use = this.#after(entry);
  }

  /** Returns the number of complete seconds since a key was last used. @param at milliseconds since 1970 */
  idleSeconds(entry: Entry, at: number): number {
    const used = useOf(entry) * TICK_MS + (this.#epoch ?? at);
    return Math.max(0, Math.floor((at - used) / 1000));
  }

  /** Returns how often a key is used, 0 to 255, on a roughly logarithmic scale. @param at milliseconds since 1970 */
  frequency(entry: Entry, at: number): number {
    const use = useOf(entry);
    const minutes = this.#elapsed(at, MINUTE_MS) - Math.floor(use / COUNTS);
    return Math.max(0, (use % COUNTS) - minutes);
  }

  /** Returns the priority of a key: the key with the lowest value is evicted first. */
  worth(entry: Entry): number {
    return this.kind === "lru" ? useOf(entry) : this.frequency(entry, this.#latest);
  }

  #after(entry: UsedEntry): number {
    const at = this.#latest;
    if (this.kind === "lru") return this.#elapsed(at, TICK_MS);
    const minutes = this.#elapsed(at, MINUTE_MS);
    if (entry.use === NEVER_USED) return minutes * COUNTS + COUNT_FIRST;
    const count = this.frequency(entry, at);
    const chance = 1 / (Math.max(0, count - COUNT_FIRST) * LOG_FACTOR + 1);
    const isMore = count < COUNT_MAX && this.#random() < chance;
    return minutes * COUNTS + count + (isMore ? 1 : 0);
  }

  #elapsed(at: number, unit: number): number {
    return Math.max(0, Math.floor((at - (this.#epoch ?? at)) / unit));
  }
}

function useOf(entry: Entry): number {
  return entry instanceof UsedEntry ? Math.max(0, entry.use) : 0;
}
