/**
 * Remembers the envelopes that were received and their answers, so that none is applied twice. An id is remembered
 * until its date has left the window. Forgotten ids are dated at or before the low watermark; nothing with such a date
 * is ever accepted again, even if the clock is changed.
 */

import { Queue } from "../../net/process/queue.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { EnvelopeAnswer } from "../answers/request.js";
import { FairShares } from "./fair-shares.js";

/**
 * The answer to a seen envelope: a promise while the envelope is being processed, or null if it was applied but its
 * answer is no longer stored.
 */
export type Remembered = EnvelopeAnswer | Promise<EnvelopeAnswer> | null;

/** The span of dates that are forgotten together, in milliseconds. */
const BUCKET_MS = 1000;
/** The size of a stored answer in addition to its replies, in bytes. */
const ANSWER_BYTES = 200;
/**
 * Maximum ids of refused envelopes, as a share of the other ids. They have a separate limit, because a sender can
 * produce any number of them.
 */
const REFUSED_SHARE = 1 / 8;

interface Bucket {
  readonly ids: Map<ByteString, Remembered>;
  /** The signers of the envelopes that `addRefused` added. */
  readonly refused: ByteString[];
  forgotten: boolean;
}

/** A stored answer; these are queued in the order of arrival. */
interface Kept {
  readonly bucket: Bucket;
  readonly id: ByteString;
  readonly bytes: number;
}

export interface SeenBounds {
  /** Maximum ids; refused envelopes may use an eighth more. */
  readonly most: number;
  /** Maximum bytes of answers. */
  readonly mostBytes: number;
}

export class SeenEnvelopes {
  /** The low watermark: nothing dated at or before it is accepted. */
  floor: number;
  /** Replaced when the configuration is read again. */
  bounds: SeenBounds;
  readonly #buckets = new Map<number, Bucket>();
  readonly #kept = new Queue<Kept>();
  #size = 0;
  #bytes = 0;
  readonly #refused = new FairShares();
  #forgottenAt = Number.NEGATIVE_INFINITY;

  constructor(floor: number, bounds: SeenBounds) {
    this.floor = floor;
    this.bounds = bounds;
  }

  get size(): number {
    return this.#size;
  }

  /** The bytes of all stored answers. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Returns the answer to an envelope, or undefined if it was not seen, or was forgotten. */
  find(id: ByteString, at: number): Remembered | undefined {
    return this.#buckets.get(bucketOf(at))?.ids.get(id);
  }

  /** Returns whether an envelope with that date was applied. */
  isApplied(id: ByteString, at: number): boolean {
    const found = this.find(id, at);
    return found === null || (found !== undefined && !(found instanceof Promise) && found.kind === "result");
  }

  /**
   * Forgets ids that have left the window; runs once a second.
   * @param now      the daemon's clock
   * @param horizon  dates at or before it are outside the window
   */
  forget(now: number, horizon: number): void {
    if (bucketOf(now) === this.#forgottenAt) return;
    this.#forgottenAt = bucketOf(now);
    for (const number of this.#buckets.keys()) if (endOf(number) <= horizon) this.#drop(number);
  }

  /**
   * Makes room for one more id.
   * @param now  the daemon's clock
   * @returns the low watermark if it was raised; otherwise whether there is space
   */
  makeRoom(now: number): number | boolean {
    if (this.#size - this.#refused.total < this.bounds.most) return true;
    let first = Number.POSITIVE_INFINITY;
    for (const [number, { ids, refused }] of this.#buckets) {
      if (ids.size > refused.length) first = Math.min(first, number);
    }
    if (!(endOf(first) <= now)) return false;
    this.#drop(first);
    return this.floor;
  }

  /** Remembers an envelope that `find` does not know. */
  add(id: ByteString, at: number, answer: Remembered): void {
    const bucket = this.#bucketAt(at);
    bucket.ids.set(id, answer);
    this.#size++;
    this.#keep(bucket, id, answer);
  }

  /**
   * Remembers the refusal of an envelope that would be accepted at another time.
   * @param key  its signer, which may use at most as much space as remains free
   * @returns whether there was space
   */
  addRefused(id: ByteString, at: number, key: ByteString, answer: EnvelopeAnswer): boolean {
    if (!this.#refused.take(key, 1, this.bounds.most * REFUSED_SHARE)) return false;
    this.add(id, at, answer);
    this.#bucketAt(at).refused.push(key);
    return true;
  }

  /** Stores the answer of an envelope that was added as a promise. */
  settle(id: ByteString, at: number, answer: EnvelopeAnswer): void {
    const bucket = this.#buckets.get(bucketOf(at));
    if (bucket === undefined || !bucket.ids.has(id)) return;
    bucket.ids.set(id, answer);
    this.#keep(bucket, id, answer);
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

  #keep(bucket: Bucket, id: ByteString, answer: Remembered): void {
    // Refusals are small, and guarantee "not applied", so they are stored as long as their ids.
    if (answer === null || answer instanceof Promise || answer.kind === "refused") return;
    const bytes = answer.replies.length + ANSWER_BYTES;
    this.#bytes += bytes;
    this.#kept.push({ bucket, id, bytes });
    while (this.#bytes > this.bounds.mostBytes) this.#dropOldest();
  }

  #dropOldest(): void {
    const { bucket, id, bytes } = this.#kept.shift() as Kept;
    this.#bytes -= bytes;
    if (!bucket.forgotten) bucket.ids.set(id, null);
  }

  #drop(number: number): void {
    const bucket = this.#buckets.get(number) as Bucket;
    this.#buckets.delete(number);
    bucket.forgotten = true;
    this.#size -= bucket.ids.size;
    for (const key of bucket.refused) this.#refused.give(key, 1);
    this.floor = Math.max(this.floor, endOf(number));
    while (this.#kept.first?.bucket.forgotten) this.#dropOldest();
  }
}

const bucketOf = (at: number) => Math.floor(at / BUCKET_MS);

/** Returns the latest date of a bucket. */
const endOf = (number: number) => (number + 1) * BUCKET_MS - 1;
