/**
 * The cached answers and the pending fetches. Each has tags for the data that its answer depends on. If these data
 * change during a fetch, the answer is not stored, and later requests do not wait for the fetch.
 */
import type { LRUCache } from "lru-cache";
import type { ByteString } from "../../../protocol/byte-string.js";

/** The approximate memory, in bytes, that an entry needs in addition to its answer and its statement. */
const ENTRY_BYTES = 400;

interface Entry {
  readonly answer: ByteString;
  readonly tags: readonly string[];
}

/** The result of a fetch. */
export interface Fetched<Result> {
  readonly result: Result;
  /** The entry to store, or null if the answer is not stored. */
  readonly entry: Entry | null;
}

interface PendingFetch<Result> {
  readonly key: ByteString;
  readonly tags: readonly string[];
  readonly result: Promise<Result>;
  /** The number of requests that wait for the fetch. */
  readers: number;
  isOutdated: boolean;
}

export class AnswerStore<Result> {
  readonly #figures: CacheFigures;
  readonly #uptime: () => number;
  readonly #entries: LRUCache<ByteString, Entry>;
  readonly #tagged = new TagIndex<ByteString>();
  readonly #pendingFetches = new Map<ByteString, PendingFetch<Result>>();
  readonly #pendingByTag = new TagIndex<PendingFetch<Result>>();
  /** The tags whose answers are not stored at present, with the times at which storing resumes. */
  readonly #distrusted = new Map<string, number>();
  #waiting = 0;

  /**
   * Creates a store.
   * @param Lru  the class from the package lru-cache, which is loaded only for a cache
   * @param uptime  returns the milliseconds since an arbitrary start; never jumps
   */
  constructor(Lru: typeof LRUCache, limits: CacheLimits, figures: CacheFigures, uptime: () => number) {
    this.#figures = figures;
    this.#uptime = uptime;
    this.#entries = new Lru<ByteString, Entry>({
      max: limits.maxEntries,
      maxSize: limits.maxBytes,
      ttl: limits.life,
      ttlResolution: 0,
      perf: { now: uptime },
      sizeCalculation: ({ answer, tags }, key) =>
        ENTRY_BYTES + key.length + answer.length + tags.reduce((sum, tag) => sum + tag.length, 0),
      dispose: ({ tags }, key) => this.#tagged.delete(key, tags),
    });
  }

  get entries(): number {
    return this.#entries.size;
  }

  /** The number of reads that wait for an answer from the server. */
  get waiting(): number {
    return this.#waiting;
  }

  get bytes(): number {
    return this.#entries.calculatedSize;
  }

  /** Returns the stored answer and counts a hit; undefined if it is not stored. */
  get(key: ByteString): ByteString | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#figures.hits++;
    return entry.answer;
  }

  /** Returns the stored answer without counting a hit. */
  peek(key: ByteString): ByteString | undefined {
    return this.#entries.peek(key)?.answer;
  }

  /**
   * Fetches an answer that is not stored, once for all requests that arrive in the meantime.
   * @param tags  the tags of all data that the answer may depend on
   */
  fetch(key: ByteString, tags: readonly string[], load: () => Promise<Fetched<Result>>): Promise<Result> {
    const figures = this.#figures;
    this.#waiting++;
    const other = this.#pendingFetches.get(key);
    if (other !== undefined) {
      other.readers++;
      figures.joined++;
      return other.result;
    }

    figures.misses++;
    const loaded = load();
    const result = loaded.then((fetched) => {
      this.#complete(pendingFetch, fetched);
      return fetched.result;
    });
    const pendingFetch: PendingFetch<Result> = { key, tags, result, readers: 1, isOutdated: false };
    this.#pendingFetches.set(key, pendingFetch);
    this.#pendingByTag.add(pendingFetch, tags);
    return result;
  }

  /** Removes the answers with these tags, because their data have changed. */
  empty(tags: readonly string[]): void {
    for (const key of this.#tagged.of(tags)) if (this.#entries.delete(key)) this.#figures.emptied++;
    for (const pendingFetch of this.#pendingByTag.of(tags)) this.#markOutdated(pendingFetch);
  }

  /**
   * Removes the answers with these tags and stores no new ones for some time, because their data may have changed or
   * may still change.
   */
  distrust(tags: readonly string[], milliseconds: number): void {
    this.empty(tags);
    const now = this.#uptime();
    for (const [tag, until] of this.#distrusted) if (until <= now) this.#distrusted.delete(tag);
    for (const tag of tags) this.#distrusted.set(tag, now + milliseconds);
  }

  #markOutdated(pendingFetch: PendingFetch<Result>): void {
    pendingFetch.isOutdated = true;
    if (this.#pendingFetches.get(pendingFetch.key) === pendingFetch)
      this.#pendingFetches.delete(pendingFetch.key);
  }

  #complete(pendingFetch: PendingFetch<Result>, { entry }: Fetched<Result>): void {
    this.#waiting -= pendingFetch.readers;
    this.#pendingByTag.delete(pendingFetch, pendingFetch.tags);
    if (this.#pendingFetches.get(pendingFetch.key) === pendingFetch)
      this.#pendingFetches.delete(pendingFetch.key);
    if (entry === null) return;

    const figures = this.#figures;
    if (pendingFetch.isOutdated || entry.tags.some((tag) => this.#isDistrusted(tag))) {
      figures.overtaken++;
      return;
    }

    this.#entries.set(pendingFetch.key, entry);
    // The cache does not store an answer that alone exceeds its limit.
    if (!this.#entries.has(pendingFetch.key)) return;
    figures.stored++;
    this.#tagged.add(pendingFetch.key, entry.tags);
  }

  #isDistrusted(tag: string): boolean {
    const until = this.#distrusted.get(tag);
    return until !== undefined && until > this.#uptime();
  }
}

class TagIndex<Item> {
  readonly #items = new Map<string, Set<Item>>();

  add(item: Item, tags: readonly string[]): void {
    for (const tag of tags) {
      const items = this.#items.get(tag);
      if (items === undefined) this.#items.set(tag, new Set([item]));
      else items.add(item);
    }
  }

  delete(item: Item, tags: readonly string[]): void {
    for (const tag of tags) {
      const items = this.#items.get(tag);
      items?.delete(item);
      if (items?.size === 0) this.#items.delete(tag);
    }
  }

  /** Returns the items that have one of the tags, as a copy, because items may be deleted during the iteration. */
  of(tags: readonly string[]): readonly Item[] {
    return tags.flatMap((tag) => [...(this.#items.get(tag) ?? [])]);
  }
}

/** The limits for the size of a cache and the lifetime of its answers. */
export interface CacheLimits {
  /** The lifetime of an answer in milliseconds. A hit does not extend it. */
  readonly life: number;
  /** The maximum number of answers. The least recently used one is removed first. */
  readonly maxEntries: number;
  /** The maximum number of bytes of answers and their statements. */
  readonly maxBytes: number;
}

/** The default limits. The first two are those of the original. */
export const CACHE_LIMITS: CacheLimits = { life: 3_000, maxEntries: 200, maxBytes: 64 * 1024 * 1024 };

/** The counters of a cache. */
export interface CacheFigures {
  /** Reads that were answered from the cache. */
  hits: number;
  /** Reads that were sent to the server. */
  misses: number;
  /** Reads that waited for the answer to the same read of another client. */
  joined: number;
  /** Answers that were stored. */
  stored: number;
  /** Answers that were not stored because their data changed in the meantime. */
  overtaken: number;
  /** Answers that were removed because their data changed. */
  emptied: number;
  /** Statements that were sent to the server unchanged: writes, and all other statements that are not reads. */
  forwarded: number;
  /** Statements that the server did not answer. */
  failed: number;
}

export const emptyFigures = (): CacheFigures => ({
  hits: 0,
  misses: 0,
  joined: 0,
  stored: 0,
  overtaken: 0,
  emptied: 0,
  forwarded: 0,
  failed: 0,
});
