/**
 * The ids of the envelopes in the stream. They prevent an envelope from being applied twice, even if it is added again
 * after the duplicate detection of the stream has forgotten its message id. The ids depend only on the messages, so all
 * daemons skip the same envelopes.
 */
import { ORDER_WINDOW } from "../../daemon/options/timeline-values.js";
import type { ByteString } from "../../protocol/byte-string.js";

/**
 * The maximum number of ids, which take about 150 MB. Above it, the ids with the earliest dates are forgotten, and
 * envelopes with such dates are no longer accepted.
 */
const ORDER_IDS_MAX = 1_000_000;
/** Ids are grouped by intervals of this number of milliseconds, and each group is forgotten in one step. */
const BUCKET_MS = 1000;

export class OrderedIds {
  /** The date at or before which no envelope is accepted. */
  floor: number;
  readonly #buckets = new Map<number, Set<ByteString>>();
  readonly #max: number;
  #size = 0;
  /** The lowest stored bucket. */
  #lowest = Number.NEGATIVE_INFINITY;

  constructor(floor = Number.NEGATIVE_INFINITY, max = ORDER_IDS_MAX) {
    this.floor = floor;
    this.#max = max;
  }

  has(id: ByteString, at: number): boolean {
    return this.#buckets.get(bucketOf(at))?.has(id) ?? false;
  }

  /** Adds the id of an envelope that is not present yet. @param at  its date, which is above the floor */
  add(id: ByteString, at: number): void {
    const number = bucketOf(at);
    let bucket = this.#buckets.get(number);
    if (bucket === undefined) this.#buckets.set(number, (bucket = new Set()));
    bucket.add(id);
    this.#size++;
    if (this.#size > this.#max) this.#makeRoom();
  }

  /** Forgets the ids whose dates are too early to be accepted by now. @param at  the time of an applied message */
  passed(at: number): void {
    const lowest = bucketOf(at - ORDER_WINDOW.past);
    if (lowest <= this.#lowest) return;
    this.#lowest = lowest;
    for (const number of this.#buckets.keys()) if (number < lowest) this.#drop(number);
  }

  get size(): number {
    return this.#size;
  }

  /** Yields all ids for snapshots, each with its date rounded down to a second. */
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
