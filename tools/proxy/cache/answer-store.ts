/**
 * The cached answers and the pending fetches. Each has tags for the data that its answer depends on. If these data
 * change during a fetch, the answer is not stored, and later requests do not wait for the fetch.
 */
import type { LRUCache } from "lru-cache";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { CacheFigures } from "./cache-figures.js";
import type { CacheLimits } from "./cache-limits.js";
import { TagIndex } from "./tag-index.js";

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

  /** Removes all answers, because any data may have changed. */
  clear(): void {
    this.#figures.emptied += this.#entries.size;
    this.#entries.clear();
    for (const pendingFetch of [...this.#pendingFetches.values()]) this.#markOutdated(pendingFetch);
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
