/**
 * The index that a find or a pipeline names by `hint`, and the options `min`, `max` and `returnKey` of a find, which
 * concern the keys of documents in an index. Source: query_planner.cpp of MongoDB 7.0.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { sortedInSteps } from "../../../../protocol/steps.js";
import { filterOf } from "../queries/bson-filter.js";
import { documentAt } from "../queries/command-fields.js";
import { mappedInSlices } from "../queries/long-evaluation.js";
import { badValue, ELEMENTS_PER_UNIT, MongoFailure, spend, type Work } from "../queries/mongo-failure.js";
import { compareCounted, isLarge, sortedInSlices } from "../queries/value-size.js";
import { type Bson, type BsonDocument, isArray, isDocument, MAX_KEY, MIN_KEY } from "../values/bson.js";
import { doubleOf, isNumber } from "../values/bson-numbers.js";
import { compareBson } from "../values/bson-order.js";
import { CollectionIndex, ID_INDEX } from "../values/collection-index.js";
import type { OrderedKey } from "../values/index-keys.js";
import { byEquality, collectInSteps, type Found, matching } from "./candidate-documents.js";
import { collectionAt } from "./collection-names.js";
import { type IndexRange, numbersIn, ordering, rangeFor, rangeInOrder } from "./index-ranges.js";
import { expiredBy } from "./ttl-indexes.js";
import { documentsAt, finding, inStepsOf, isAsRead, type Target } from "./update-and-delete.js";

/** Maximum number of fields of an index. */
const FIELDS_MAX = 32;

/** The field of a hint, or of an order, that requests the order of the insertions. */
const NATURAL = "$natural";

/** Whether an order is that of the insertions, from the last to the first. */
export const isBackwards = (order: BsonDocument): boolean => {
  const direction = order.get(NATURAL);
  return direction !== undefined && isNumber(direction) && doubleOf(direction) < 0;
};

/** What a hint names: an index, the order of the insertions, or nothing. */
export type Hint = CollectionIndex | BsonDocument | null;

/** Whether a hint names anything. */
const isNamed = (hint: Bson | undefined): boolean =>
  hint !== undefined && !(isDocument(hint) && hint.size === 0);

/** @throws CommandFailure if there is no such index */
export function hintOf(target: Target, hint: Bson | undefined): Hint {
  if (hint === undefined || !isNamed(hint)) return null;
  const isName = typeof hint === "string";
  if (!isName && !isDocument(hint)) throw badValue("hint must be the name or the fields of an index");

  const collection = collectionAt(target.data, target.namespace)?.value;
  if (collection === undefined) return null;
  if (!isName && hint.has(NATURAL)) return hint;
  const index = collection.indexes.find(({ spec: { name, pattern } }) =>
    isName ? name === hint : compareBson(pattern, hint) === 0,
  );
  if (index === undefined) throw badValue("hint provided does not correspond to an existing index");

  return index;
}

const isIndex = (hint: Hint): hint is CollectionIndex => hint instanceof CollectionIndex;

/**
 * Returns the sort, or without one the order that the hint names. Without a hint, documents with one of several ids are
 * in the order of their ids, because MongoDB finds them by the index of ids. The command chooses the index for its
 * filter itself.
 */
export function orderOf(sort: BsonDocument, hint: Hint, query: BsonDocument): BsonDocument {
  if (sort.size > 0) return sort;
  if (hint === null) return hasListOfIds(query) ? ID_INDEX.pattern : sort;
  if (!isIndex(hint)) return isBackwards(hint) ? hint : sort;
  // Documents that an invalid index cannot contain have no place in its order.
  return hint.isComplete ? hint.spec.pattern : sort;
}

function hasListOfIds(query: BsonDocument): boolean {
  const ids = query.get("_id");
  return isDocument(ids) && isArray(ids.get("$in")) && !ids.has("$eq");
}

/** A part of the keys of an index, in the order of the index. */
export interface KeyBounds {
  readonly index: CollectionIndex;
  readonly directions: readonly number[];
  /** The first key. */
  readonly min: OrderedKey;
  /** The key after the last one. */
  readonly max: OrderedKey;
  /** Another condition of the keys, or null. */
  readonly range: IndexRange | null;
}

/**
 * Returns the bounds that `min` and `max` request, or null if there are none, or no collection.
 * @throws CommandFailure if the hint does not name an index with the same fields, or the bounds are not in order
 */
export function boundsOf(target: Target, spec: BsonDocument, hint: Hint): KeyBounds | null {
  const [min, max] = ["min", "max"].map((name) => documentAt(spec, name) ?? null);
  if ((min?.size ?? 0) === 0 && (max?.size ?? 0) === 0) return null;
  if (!isNamed(spec.get("hint")))
    throw new MongoFailure(51173, "When using min()/max() a hint of which index to use must be provided");
  if (collectionAt(target.data, target.namespace) === undefined) return null;
  if (!isIndex(hint)) throw new MongoFailure(291, "min and max are incompatible with $natural");

  const directions = directionsOf(hint);
  const bounds: KeyBounds = {
    index: hint,
    directions,
    min: boundOf(
      min,
      hint,
      directions.map((one) => (one > 0 ? MIN_KEY : MAX_KEY)),
    ),
    max: boundOf(
      max,
      hint,
      directions.map((one) => (one > 0 ? MAX_KEY : MIN_KEY)),
    ),
    range: null,
  };
  if (compareKeys(bounds.min, bounds.max, directions, target.work) >= 0)
    throw new MongoFailure(
      51175,
      "The value provided for min() does not come before the value provided for max() in the hinted index",
    );
  return bounds;
}

const directionsOf = ({ spec }: CollectionIndex): readonly number[] =>
  [...spec.pattern.values()].map((one) => (isNumber(one) ? Math.sign(doubleOf(one)) : 1));

/** @param unbounded the key to use without a bound */
function boundOf(
  bound: BsonDocument | null | undefined,
  { spec: { pattern } }: CollectionIndex,
  unbounded: OrderedKey,
): OrderedKey {
  if (bound === null || bound === undefined || bound.size === 0) return unbounded;
  const fields = [...pattern.keys()];
  if (bound.size !== fields.length || [...bound.keys()].some((name, i) => name !== fields[i]))
    throw new MongoFailure(51174, "The index chosen is not compatible with min/max");
  return [...bound.values()];
}

/** Compares keys in the order of an index, and counts the work. */
function compareKeys(a: OrderedKey, b: OrderedKey, directions: readonly number[], work: Work): number {
  for (const [i, direction] of directions.entries()) {
    const difference = compareCounted(a[i], b[i], work);
    if (difference !== 0) return difference * direction;
  }
  return 0;
}

/** Finds the documents with a key within bounds that a filter matches, in the order of their first such keys. */
export function* foundWithin(
  target: Target,
  query: BsonDocument,
  bounds: KeyBounds,
): Generator<void, readonly Found[]> {
  const { work } = target;
  const matches = yield* candidatesWithin(target, query, bounds);
  const keyed = yield* mappedInSlices(matches, work, (found) => ({
    found,
    key: firstKeyOf(target, found, bounds),
  }));
  const inside = keyed.flatMap(({ found, key }) => (key === null ? [] : [{ found, key }]));
  spend(work, inside.length);
  const sorted = yield* sortedInSlices(
    inside,
    work,
    (a, b) => compareKeys(a.key, b.key, bounds.directions, work),
    ({ key }) => key.some(isLarge),
  );
  return sorted.map(({ found }) => found);
}

/** Finds the documents that may have a key within bounds, by the order of the index if its directions permit it. */
function* candidatesWithin(
  target: Target,
  query: BsonDocument,
  { index, directions, min, max }: KeyBounds,
): Generator<void, readonly Found[]> {
  const all = () => inStepsOf(finding(target, query, Number.POSITIVE_INFINITY));
  const collection = collectionAt(target.data, target.namespace)?.value;
  const [direction = 1] = directions;
  if (collection === undefined || directions.some((one) => one !== direction)) return yield* all();

  const documents = documentsAt(target, collection);
  const filter = { ...filterOf(query, target.work, target), isExpired: expiredBy(collection, target.at) };
  yield* ordering(collection, index, target.work.effort);
  const isCurrent = () => isAsRead(target, collection);
  if (!isCurrent()) return yield* all();
  const [from, to] = direction > 0 ? [min, max] : [max, min];
  const range: IndexRange = { index, equal: 0, from, to, rank: null };
  const numbers = yield* collectInSteps(numbersIn(range), Number.POSITIVE_INFINITY, isCurrent);
  if (numbers === null) return yield* all();

  // Documents with equal keys keep the order of their insertions.
  const ascending = yield* sortedInSteps(numbers, (a, b) => a - b);
  const matches: Found[] = [];
  for (const one of matching(documents, ascending, filter, target.work)) {
    if (one === null) yield;
    else matches.push(one);
  }
  return matches;
}

/** Returns a document's first key within bounds, in the order of the index, or null if it has none. */
function firstKeyOf(
  { work }: Target,
  { bytes }: Found,
  { index, directions, min, max, range }: KeyBounds,
): OrderedKey | null {
  const keys = index.storedKeysOf(bytes) ?? [];
  spend(work, 1 + keys.length / ELEMENTS_PER_UNIT);

  let first: OrderedKey | null = null;
  for (const { values } of keys) {
    const isInside =
      compareKeys(values, min, directions, work) >= 0 &&
      compareKeys(values, max, directions, work) < 0 &&
      (range === null || isWithin(values, range, work));
    if (isInside && (first === null || compareKeys(values, first, directions, work) < 0)) first = values;
  }

  return first;
}

const ASCENDING: readonly number[] = Array.from({ length: FIELDS_MAX }, () => 1);

/** Whether the beginning of a key is within a range. */
const isWithin = (key: OrderedKey, { from, to }: IndexRange, work: Work): boolean =>
  compareKeys(key, from, ASCENDING.slice(0, from.length), work) >= 0 &&
  compareKeys(key, to, ASCENDING.slice(0, to.length), work) <= 0;

/** The keys that `returnKey` returns instead of documents; null if the find uses no index. */
export type ReturnedKeys = ((found: Found) => BsonDocument) | null;

/** The parts of a find that decide which index it uses. */
interface UsedBy {
  readonly query: BsonDocument;
  readonly order: BsonDocument;
  readonly bounds: KeyBounds | null;
  readonly hint: Hint;
}

/** Returns the keys of the index that the bounds or the hint name, or that a sort or a filter uses. */
export function returnedKeys(target: Target, { query, order, bounds, hint }: UsedBy): ReturnedKeys {
  const used = bounds ?? usedBounds(target, query, order, hint);
  if (used === null) return null;
  const names = [...used.index.spec.pattern.keys()];
  const whole = wholeOf(used.index);
  return (found) => {
    const key = firstKeyOf(target, found, used) ?? firstKeyOf(target, found, whole);
    // An array without elements has no key that a document could contain.
    return new Map<ByteString, Bson>(key === null ? [] : names.map((name, i) => [name, key[i] ?? null]));
  };
}

function usedBounds(target: Target, query: BsonDocument, order: BsonDocument, hint: Hint): KeyBounds | null {
  if (isIndex(hint)) return wholeOf(hint);
  const collection = collectionAt(target.data, target.namespace)?.value;
  if (collection === undefined || hint !== null) return null;
  const sorted = order.size > 0 ? rangeInOrder(collection, query, order)?.range : undefined;
  const range = sorted ?? rangeFor(collection, query);
  if (range !== null) return wholeOf(range.index, range);
  const equal = byEquality(collection, query);
  return equal === null ? null : wholeOf(equal.index);
}

const wholeOf = (index: CollectionIndex, range: IndexRange | null = null): KeyBounds => {
  const directions = directionsOf(index);
  return {
    range,
    index,
    directions,
    min: directions.map((one) => (one > 0 ? MIN_KEY : MAX_KEY)),
    max: directions.map((one) => (one > 0 ? MAX_KEY : MIN_KEY)),
  };
};
