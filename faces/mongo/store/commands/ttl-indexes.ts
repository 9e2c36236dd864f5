/**
 * Documents that expire: an index with `expireAfterSeconds` makes documents expire the given number of seconds after
 * the date in the indexed field. Whether a document has expired follows from the unit's date, as with EXPIRE, so it is
 * the same on each daemon. Reads ignore expired documents; writes remove them, a limited number at a time.
 */

import { UNCOUNTED_EFFORT } from "../../../../daemon/store/keyspace/effort-budget.js";
import type { Data, Typed } from "../../../../daemon/store/keyspace/mutators.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { finish } from "../../../../protocol/steps.js";
import { removeExpiredDocuments } from "../keyspace/collection-mutators.js";
import { BsonDate } from "../values/bson.js";
import type { Collection } from "../values/collection.js";
import type { CollectionIndex } from "../values/collection-index.js";
import type { OrderedKey } from "../values/index-keys.js";
import { ordering } from "./index-ranges.js";

/**
 * Maximum number of expired documents that one write removes, so that a write does not take long even if very many
 * documents have expired.
 */
const REMOVED_MAX = 1000;
const SECOND_MS = 1000n;
const DATE_MIN = new BsonDate(-(2n ** 63n));

/** An index by which documents expire, and the date up to which they have expired. */
interface Expiry {
  readonly index: CollectionIndex;
  readonly until: bigint;
}

/** Returns the indexes by which a document may have expired. @param at date of the unit, in milliseconds since 1970 */
function expiriesOf(collection: Collection, at: number, isCurrent = true): readonly Expiry[] {
  // Most collections have no such index, and their indexes need not be built for this check.
  if (collection.specs.every(({ expireAfterSeconds }) => expireAfterSeconds === undefined)) return [];
  return collection.indexes.flatMap((index) => {
    const { expireAfterSeconds: seconds } = index.spec;
    if (seconds === undefined) return [];
    const expiry = { index, until: BigInt(Math.floor(at)) - BigInt(seconds) * SECOND_MS };
    // An index is left out only if its order is complete and shows that no document has expired.
    return index.isOrdered && isCurrent && entriesOf(expiry).next().done === true ? [] : [expiry];
  });
}

function entriesOf({ index, until }: Expiry): Generator<readonly [key: OrderedKey, number: number]> {
  return index.ordered.between([DATE_MIN], [new BsonDate(until)]);
}

/**
 * Removes documents that have expired by a unit's date, the earliest first. The removal is not visible to clients.
 * @param max  the maximum number of documents that are removed for each index
 */
export function removeExpired(
  data: Data,
  entry: Typed<Collection> | undefined,
  at: number,
  max = REMOVED_MAX,
): void {
  if (entry === undefined) return;
  for (const { index, until } of expiriesOf(entry.value, at)) {
    // The previous removal may have discarded the indexes.
    const current = entry.value.indexes.find(({ spec }) => spec === index.spec) ?? index;
    finish(ordering(entry.value, current, UNCOUNTED_EFFORT));

    const numbers = new Set<number>();
    for (const [, number] of entriesOf({ index: current, until })) {
      numbers.add(number);
      if (numbers.size === max) break;
    }

    if (numbers.size === 0) continue;
    removeExpiredDocuments(
      data,
      entry,
      [...numbers].sort((a, b) => a - b),
    );
  }
}

/**
 * Returns a test for documents that have expired by the given date, or null if no document has expired.
 * @param isCurrent whether the caller reads the current documents of the collection
 */
export function expiredBy(
  collection: Collection,
  at: number,
  isCurrent = true,
): ((bytes: ByteString) => boolean) | null {
  const expiries = expiriesOf(collection, at, isCurrent);
  if (expiries.length === 0) return null;
  return (bytes) =>
    expiries.some(({ index, until }) =>
      index.storedKeysOf(bytes)?.some(({ values: [date] }) => date instanceof BsonDate && date.at <= until),
    );
}
