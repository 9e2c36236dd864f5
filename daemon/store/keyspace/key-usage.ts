/** Counts the uses and the look-ups of keys. Neither is part of the state. */
import type { ByteString } from "../../../protocol/byte-string.js";

/**
 * The use that is tracked. As in Redis, `lru` is a time; `lfu` is a counter of at most 255 that is incremented at
 * random, the less often the higher it is, and decremented once a minute.
 */
export type UsageKind = "lru" | "lfu";

/** The part of an entry that contains its use. */
interface UsedEntry {
  use: number;
}

/**
 * The unit of `lru`: finer than Redis's second, and long enough that values remain small integers in V8 for six years.
 */
const TICK_MS = 100;
const TICKS_PER_SECOND = 10;
const MINUTE_MS = 60_000;
/** The maximum count, as in Redis. */
const COUNT_MAX = 255;
/** The count of a new key, as in Redis. */
const COUNT_FIRST = 5;
/** Redis's default lfu-log-factor, which CONFIG GET returns: it makes increments of high counts less likely. */
const LOG_FACTOR = 10;
/** An entry's `use` contains the minutes, multiplied by this number, plus the count. */
const COUNTS = COUNT_MAX + 1;
/** The `use` of a key that was just created, with `lfu`. */
const NEVER_COUNTED = -1;
/** A `use` that is less than each time, so it changes no entry. */
export const NOT_USED: number = -(2 ** 30);

/**
 * The tracker of how recently or how often keys are used, for OBJECT IDLETIME or OBJECT FREQ and for the eviction of
 * keys. It is not part of the state, and the fold does not use it: each daemon has its own.
 *
 * Times count from the first `tick`. Units that are folded before it are history: of their keys, only that they existed
 * when the daemon started is known.
 */
export class KeyUsage {
  readonly kind: UsageKind;
  /** The `use` of an entry that is added now. */
  fresh: number;
  /**
   * The `use` of a key that is used now, with `lru`; the `use` of an entry never decreases. Only this class sets it.
   */
  now = NOT_USED;
  /** Returns a number of at least 0, below 1. */
  readonly #random: () => number;
  /**
   * When tracking started, in milliseconds since 1970; with `lru` a complete second. Stored times are relative to it.
   */
  #epoch: number | null = null;
  /** The time of the latest use that was counted. */
  #latest = 0;
  #isPaused = false;

  /** @param random  returns a number of at least 0, below 1; only `lfu` needs it */
  constructor(kind: UsageKind = "lru", random: () => number = () => 0) {
    this.kind = kind;
    this.#random = random;
    this.fresh = kind === "lru" ? 0 : NEVER_COUNTED;
  }

  /**
   * Advances the time, which is that of all uses until the next call: reading the clock for each command would take
   * longer than some commands. The first call starts the tracking.
   * @param at milliseconds since 1970; an earlier time than before has no effect
   */
  tick(at: number): void {
    this.#epoch ??= Math.floor(at / 1000) * 1000;
    if (this.kind === "lfu") return;
    this.fresh = Math.max(this.fresh, Math.floor((at - this.#epoch) / TICK_MS));
    if (!this.#isPaused) this.now = this.fresh;
  }

  /** Whether commands do not count as uses of their keys, because they are applied again. */
  set isPaused(isPaused: boolean) {
    this.#isPaused = isPaused;
    if (this.kind === "lru" && this.#epoch !== null) this.now = isPaused ? NOT_USED : this.fresh;
  }

  /** Counts a use of a key, with `lfu`. @param at milliseconds since 1970 */
  count(entry: UsedEntry, at: number): void {
    this.#epoch ??= at;
    this.#latest = Math.max(this.#latest, at);
    entry.use = this.#counted(entry.use);
  }

  /**
   * Returns the number of seconds since a key was last used or, if it was not used yet, since the start. As in Redis,
   * both times are rounded down.
   * @param at milliseconds since 1970
   */
  idleSeconds(entry: UsedEntry, at: number): number {
    const used = (this.#epoch ?? at) / 1000 + Math.floor(entry.use / TICKS_PER_SECOND);
    return Math.max(0, Math.floor(at / 1000) - Math.floor(used));
  }

  /** Returns how often a key is used, 0 to 255, on a roughly logarithmic scale. @param at milliseconds since 1970 */
  frequency({ use }: UsedEntry, at: number): number {
    const known = Math.max(0, use);
    return Math.max(0, (known % COUNTS) - (this.#minutes(at) - Math.floor(known / COUNTS)));
  }

  /** Makes a key as idle as RESTORE requests. @param at milliseconds since 1970 */
  setIdle(entry: UsedEntry, seconds: number, at: number): void {
    if (this.kind === "lfu") return;
    const use = Math.floor((at - (this.#epoch ?? at)) / TICK_MS) - seconds * TICKS_PER_SECOND;
    entry.use = Math.max(NOT_USED, use);
  }

  /** Returns the priority of a key: the key with the lowest value is evicted first. */
  worth(entry: UsedEntry): number {
    return this.kind === "lru" ? entry.use : this.frequency(entry, this.#latest);
  }

  #counted(use: number): number {
    const minutes = this.#minutes(this.#latest);
    if (use === NEVER_COUNTED) return minutes * COUNTS + COUNT_FIRST;
    const count = Math.max(0, (use % COUNTS) - (minutes - Math.floor(use / COUNTS)));
    const chance = 1 / (Math.max(0, count - COUNT_FIRST) * LOG_FACTOR + 1);
    const isMore = count < COUNT_MAX && this.#random() < chance;
    return minutes * COUNTS + count + (isMore ? 1 : 0);
  }

  #minutes(at: number): number {
    return Math.max(0, Math.floor((at - (this.#epoch ?? at)) / MINUTE_MS));
  }
}

/** Counters of the look-ups of keys for reading. They are statistics and not part of the state. */
export class Lookups {
  hits = 0;
  misses = 0;
  /** Collects the keys that were not found, or null if they are not collected. */
  missed: ByteString[] | null = null;

  recordLookup(key: ByteString, isFound: boolean): void {
    if (isFound) this.hits++;
    else this.miss(key);
  }

  miss(key: ByteString): void {
    this.misses++;
    this.missed?.push(key);
  }

  add({ hits, misses }: Lookups): void {
    this.hits += hits;
    this.misses += misses;
  }
}

/** Counts look-ups that Redis does not count: those of commands that write. */
export const UNCOUNTED = new Lookups();
