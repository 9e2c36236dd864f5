/** The ids of all entries newer than a date, kept in memory because they are looked up for each envelope. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { OrderKey } from "./entries/entry.js";

/** Ids are forgotten in intervals of this many milliseconds. */
const BUCKET_MS = 1000;

export class RecentIds {
  readonly #buckets = new Map<number, Set<ByteString>>();

  has({ at, id }: OrderKey): boolean {
    return this.#buckets.get(bucketOf(at))?.has(id) ?? false;
  }

  add({ at, id }: OrderKey): void {
    const number = bucketOf(at);
    const bucket = this.#buckets.get(number);
    if (bucket === undefined) this.#buckets.set(number, new Set([id]));
    else bucket.add(id);
  }

  remove({ at, id }: OrderKey): void {
    this.#buckets.get(bucketOf(at))?.delete(id);
  }

  /** Forgets the ids of complete intervals dated at or before `at`. */
  forget(at: number): void {
    for (const number of this.#buckets.keys()) {
      if ((number + 1) * BUCKET_MS - 1 <= at) this.#buckets.delete(number);
    }
  }
}

const bucketOf = (at: number) => Math.floor(at / BUCKET_MS);
