/**
 * Remembers the ids and answers of received envelopes, so that no envelope is applied twice. An id is remembered until
 * its date has left the window. When ids are forgotten, the floor is raised to their dates. No envelope dated at or
 * before the floor is ever accepted, even if the clock is changed.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import { Queue } from "../../../protocol/queue.js";
import type { EnvelopeAnswer } from "../answers/request.js";
import { FairShares } from "../backends/fair-shares.js";

/**
 * The answer to a seen envelope: a promise while the envelope is being processed, or null if it was applied but its
 * answer is no longer stored.
 */
export type StoredAnswer = EnvelopeAnswer | Promise<EnvelopeAnswer> | null;

/** The length in milliseconds of an interval of dates. All ids with dates in one interval are forgotten together. */
const BUCKET_MS = 1000;
/** The size of a stored answer in addition to its replies, in bytes. */
const ANSWER_BYTES = 200;
/**
 * Maximum number of ids of refused envelopes, as a share of the maximum number of other ids. They have a separate
 * limit, because a client can cause any number of refusals.
 */
const REFUSED_SHARE = 1 / 8;

interface Bucket {
  readonly ids: Map<ByteString, StoredAnswer>;
  /** The signers of the refused envelopes that `addRefused` has added. */
  readonly refused: ByteString[];
  forgotten: boolean;
}

/** A stored answer in the queue of answers, which is in the order of arrival. */
interface StoredEntry {
  readonly bucket: Bucket;
  readonly id: ByteString;
  readonly bytes: number;
}

export interface SeenLimits {
  /** Maximum number of ids. In addition, an eighth of that number may be ids of refused envelopes. */
  readonly max: number;
  /** Maximum bytes of answers. */
  readonly maxBytes: number;
}

export class SeenEnvelopes {
  /** The date at or before which no envelope is accepted. */
  floor: number;
  /** Replaced when the configuration is read again. */
  limits: SeenLimits;
  readonly #buckets = new Map<number, Bucket>();
  readonly #stored = new Queue<StoredEntry>();
  #size = 0;
  #bytes = 0;
  readonly #refused = new FairShares();
  #forgottenAt = Number.NEGATIVE_INFINITY;

  constructor(floor: number, limits: SeenLimits) {
    this.floor = floor;
    this.limits = limits;
  }

  get size(): number {
    return this.#size;
  }

  /** The bytes of all stored answers. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Returns the answer to an envelope, or undefined if the envelope was never received or is forgotten. */
  find(id: ByteString, at: number): StoredAnswer | undefined {
    return this.#buckets.get(bucketOf(at))?.ids.get(id);
  }

  /** Returns whether an envelope with that date was applied. */
  isApplied(id: ByteString, at: number): boolean {
    const found = this.find(id, at);
    return found === null || (found !== undefined && !(found instanceof Promise) && found.kind === "result");
  }

  /**
   * Forgets ids whose dates have left the window, at most once a second.
   * @param now      the daemon's clock
   * @param horizon  dates at or before it are outside the window
   */
  forgetOldIds(now: number, horizon: number): void {
    const current = bucketOf(now);
    if (current === this.#forgottenAt) return;
    this.#forgottenAt = current;
    for (const number of this.#buckets.keys()) if (endOf(number) <= horizon) this.#drop(number);
  }

  /**
   * Makes room for one more id.
   * @param now  the daemon's clock
   * @returns true if there is room, false if there is none, or the new floor if ids had to be forgotten
   */
  makeRoom(now: number): number | boolean {
    if (this.#size - this.#refused.total < this.limits.max) return true;
    let first = Number.POSITIVE_INFINITY;
    for (const [number, { ids, refused }] of this.#buckets) {
      if (ids.size > refused.length) first = Math.min(first, number);
    }
    if (!(endOf(first) <= now)) return false;
    this.#drop(first);
    return this.floor;
  }

  /** Remembers an envelope that `find` does not know. */
  add(id: ByteString, at: number, answer: StoredAnswer): void {
    const bucket = this.#bucketAt(at);
    bucket.ids.set(id, answer);
    this.#size++;
    this.#store(bucket, id, answer);
  }

  /**
   * Remembers the refusal of an envelope that would be accepted at another time.
   * @param key  the envelope's signer, which may use at most as much space as remains free
   * @returns whether there was space
   */
  addRefused(id: ByteString, at: number, key: ByteString, answer: EnvelopeAnswer): boolean {
    if (!this.#refused.acquire(key, 1, this.limits.max * REFUSED_SHARE)) return false;
    this.add(id, at, answer);
    this.#bucketAt(at).refused.push(key);
    return true;
  }

  /** Stores the answer of an envelope that was added as a promise. */
  settle(id: ByteString, at: number, answer: EnvelopeAnswer): void {
    const bucket = this.#buckets.get(bucketOf(at));
    if (bucket === undefined || !bucket.ids.has(id)) return;
    bucket.ids.set(id, answer);
    this.#store(bucket, id, answer);
  }

  /** Forgets an envelope without a stored answer, which may be applied again because it changes nothing. */
  remove(id: ByteString, at: number): void {
    if (this.#buckets.get(bucketOf(at))?.ids.delete(id)) this.#size--;
  }

  #bucketAt(at: number): Bucket {
    const number = bucketOf(at);
    let bucket = this.#buckets.get(number);
    if (bucket === undefined) {
      bucket = { ids: new Map(), refused: [], forgotten: false };
      this.#buckets.set(number, bucket);
    }
    return bucket;
  }

  #store(bucket: Bucket, id: ByteString, answer: StoredAnswer): void {
    // Refusals are kept as long as their ids and are not counted, because they are small, and because they guarantee
    // that an envelope is not applied.
    if (answer === null || answer instanceof Promise || answer.kind === "refused") return;
    const bytes = answer.replies.length + ANSWER_BYTES;
    this.#bytes += bytes;
    this.#stored.push({ bucket, id, bytes });
    while (this.#bytes > this.limits.maxBytes) this.#dropOldest();
  }

  #dropOldest(): void {
    const { bucket, id, bytes } = this.#stored.shift() as StoredEntry;
    this.#bytes -= bytes;
    if (!bucket.forgotten) bucket.ids.set(id, null);
  }

  #drop(number: number): void {
    const bucket = this.#buckets.get(number) as Bucket;
    this.#buckets.delete(number);
    bucket.forgotten = true;
    this.#size -= bucket.ids.size;
    for (const key of bucket.refused) this.#refused.release(key, 1);
    this.floor = Math.max(this.floor, endOf(number));
    while (this.#stored.first?.bucket.forgotten) this.#dropOldest();
  }
}

const bucketOf = (at: number) => Math.floor(at / BUCKET_MS);

/** Returns the latest date of a bucket. */
const endOf = (number: number) => (number + 1) * BUCKET_MS - 1;
