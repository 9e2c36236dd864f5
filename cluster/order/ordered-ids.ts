/**
 * The envelopes that the stream has had, so that none is applied twice: not even one that is added again after the
 * stream has forgotten its name. A function of the messages alone, so that all daemons skip the same.
 */

import { ORDER_WINDOW } from "../../options/date-window.js";
import type { ByteString } from "../../protocol/byte-string.js";

/** Ids that are remembered, in about 150 MB; beyond that the earliest dates are forgotten, and no longer accepted. */
const ORDER_IDS_MAX = 1_000_000;
/** Milliseconds of dates that are forgotten together. */
const BUCKET_MS = 1000;

export class OrderedIds {
  /** The date at or before which nothing is accepted. */
  floor: number;
  readonly #buckets = new Map<number, Set<ByteString>>();
  readonly #most: number;
  #size = 0;
  /** The lowest bucket that is kept. */
  #lowest = Number.NEGATIVE_INFINITY;

  constructor(floor = Number.NEGATIVE_INFINITY, most = ORDER_IDS_MAX) {
    this.floor = floor;
    this.#most = most;
  }

  has(id: ByteString, at: number): boolean {
    return this.#buckets.get(bucketOf(at))?.has(id) ?? false;
  }

  /** @param at  of an envelope that is not there, above the floor */
  add(id: ByteString, at: number): void {
    const number = bucketOf(at);
    let bucket = this.#buckets.get(number);
    if (bucket === undefined) this.#buckets.set(number, (bucket = new Set()));
    bucket.add(id);
    this.#size++;
    if (this.#size > this.#most) this.#makeRoom();
  }

  /** Notes the present time: ids are forgotten when nothing of their date is accepted any longer. */
  passed(at: number): void {
    const lowest = bucketOf(at - ORDER_WINDOW.past);
    if (lowest <= this.#lowest) return;
    this.#lowest = lowest;
    for (const number of this.#buckets.keys()) if (number < lowest) this.#drop(number);
  }

  get size(): number {
    return this.#size;
  }

  /** Yields all ids for snapshots: each with its date, to a second. */
  *all(): Generator<readonly [id: ByteString, at: number]> {
    for (const [number, ids] of [...this.#buckets].sort(([a], [b]) => a - b))
      for (const id of [...ids].sort()) yield [id, number * BUCKET_MS];
  }

  #makeRoom(): void {
    let number = Number.POSITIVE_INFINITY;
    for (const each of this.#buckets.keys()) if (each < number) number = each;
    this.#drop(number);
    this.floor = Math.max(this.floor, (number + 1) * BUCKET_MS - 1);
  }

  #drop(number: number): void {
    this.#size -= this.#buckets.get(number)?.size ?? 0;
    this.#buckets.delete(number);
  }
}

const bucketOf = (at: number) => Math.floor(at / BUCKET_MS);
