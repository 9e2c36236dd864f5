/** Finds, by indexes, the documents of a collection that a filter may match, and checks them. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { STEP_ITEMS, sortedInSteps } from "../../../../protocol/steps.js";
import type { Filter } from "../queries/bson-filter.js";
import { LongEvaluation, settled } from "../queries/long-evaluation.js";
import { costOf, readCounted, spend, type Work } from "../queries/mongo-failure.js";
import { isOperators } from "../queries/value-tests.js";
import { type Bson, type BsonDocument, isArray, isDocument, Regex } from "../values/bson.js";
import { keyOf } from "../values/bson-order.js";
import type { Collection, CollectionReading } from "../values/collection.js";
import type { CollectionIndex } from "../values/collection-index.js";
import { numbersIn, ordering, rangeFor } from "./index-ranges.js";

/** Maximum number of combinations of values that are looked up; for more, all documents are checked. */
const LOOKUPS_MAX = 10_000;

/** A matching document. */
export interface Found {
  readonly number: number;
  readonly bytes: ByteString;
}

/** The current documents of a collection, or its documents as they were when a command began to read them. */
export type Documents = Collection | CollectionReading;

/** A filter with a test for expired documents, which count as absent. */
export interface SeenFilter extends Filter {
  readonly isExpired?: ((bytes: ByteString) => boolean) | null;
}

/**
 * Yields the matching documents in the order of the collection, and null from time to time, so that other commands can
 * run.
 * @param numbers numbers of the documents to check; null means all documents
 */
export function* matching(
  documents: Documents,
  numbers: readonly number[] | null,
  filter: SeenFilter,
  work: Work,
): Generator<Found | null> {
  let checked = 0;
  for (const [number, bytes] of numbers === null ? documents.numbered() : numbered(documents, numbers)) {
    let one: Found | null;
    try {
      one = matchOf(number, bytes, filter, work);
    } catch (problem) {
      if (!(problem instanceof LongEvaluation)) throw problem;
      one = (yield* metInSteps(problem, filter)) ? { number, bytes } : null;
    }
    if (one !== null) yield one;
    if (++checked % STEP_ITEMS === 0 || work.effort.endsSlice()) yield null;
  }
}

/** Whether a filter contains `$expr`, which may take long. */
export const hasExpression = ({ roots }: Filter): boolean => roots === null;

/** Returns whether a filter matches a document, and yields null while its long expressions are calculated. */
function* metInSteps(long: LongEvaluation, filter: SeenFilter): Generator<null, boolean> {
  const evaluation = settled(() => filter.isMet(long.root), long);
  for (;;) {
    const step = evaluation.next();
    if (step.done === true) return step.value;
    yield null;
  }
}

/** Returns a document if the filter matches it; otherwise null. */
export function matchOf(number: number, bytes: ByteString, filter: SeenFilter, work: Work): Found | null {
  if (filter.isExpired?.(bytes) === true) return null;
  spend(work, costOf(bytes) + filter.tests);
  return filter.tests === 0 || filter.isMet(readCounted(bytes, work, filter.roots))
    ? { number, bytes }
    : null;
}

function* numbered(
  collection: Documents,
  numbers: readonly number[],
): Generator<readonly [number, ByteString]> {
  for (const number of numbers) yield [number, collection.document(number)];
}

/** The documents that an index finds for a filter. The filter may still reject some of them. */
export interface Candidates {
  readonly index: CollectionIndex;
  /** The numbers of the documents, ascending. */
  readonly numbers: readonly number[];
}

/** Returns the documents that a filter may match by equality, or null if no index helps. */
export function byEquality(collection: Collection, query: BsonDocument): Candidates | null {
  const valuesByField = new Map<ByteString, readonly Bson[]>();
  equalities(query, valuesByField);
  if (valuesByField.size === 0) return null;

  for (const index of collection.indexes) {
    const fields = [...index.spec.pattern.keys()];
    if (!index.isComplete) continue;
    if (!fields.every((field) => valuesByField.has(field))) continue;
    const keys = combined(fields.map((field) => valuesByField.get(field) as readonly Bson[]));
    if (keys === null) continue;
    const [only] = keys;
    if (keys.length === 1 && only !== undefined) return { index, numbers: index.equal(only) };
    const numbers = new Set(keys.flatMap((key) => index.equal(key)));
    return { index, numbers: [...numbers].sort((a, b) => a - b) };
  }

  return null;
}

/** If a range contains more than this share of the documents, using it would cost more than it saves. */
const LARGE_PART = 0.5;

/**
 * Finds in steps the documents that a filter may match by a range. Returns null if no index helps, if the collection
 * has changed between steps, or if the range contains too many documents.
 * @param isCurrent returns whether the collection is unchanged
 */
export function* byRange(
  collection: Collection,
  query: BsonDocument,
  work: Work,
  isCurrent: () => boolean,
): Generator<void, Candidates | null> {
  const range = rangeFor(collection, query);
  if (range === null) return null;

  yield* ordering(collection, range.index, work.effort);
  if (!isCurrent()) return null;

  const max = Math.max(STEP_ITEMS, collection.size * LARGE_PART);
  const numbers = yield* collectInSteps(numbersIn(range), max, isCurrent);
  if (numbers === null || numbers.length > max) return null;

  const ascending = (a: number, b: number) => a - b;
  const isShort = numbers.length <= STEP_ITEMS;
  return {
    index: range.index,
    numbers: isShort ? numbers.sort(ascending) : yield* sortedInSteps(numbers, ascending),
  };
}

/** Collects items in steps until there are more than `max`; returns null if their source has changed between steps. */
export function* collectInSteps(
  items: Iterable<number>,
  max: number,
  isCurrent: () => boolean,
): Generator<void, number[] | null> {
  const numbers: number[] = [];
  for (const one of items) {
    if (numbers.push(one) > max) break;
    if (numbers.length % STEP_ITEMS !== 0) continue;
    yield;
    if (!isCurrent()) return null;
  }

  return numbers;
}

function combined(values: readonly (readonly Bson[])[]): readonly ByteString[] | null {
  let keys: readonly ByteString[] = [""];
  for (const each of values) {
    if (keys.length * each.length > LOOKUPS_MAX) return null;
    keys = keys.flatMap((key) => each.map((value) => key + keyOf(value)));
  }
  return keys;
}

/** Collects the fields that must equal one of several values. @param valuesByField receives the values of each field */
function equalities(query: BsonDocument, valuesByField: Map<ByteString, readonly Bson[]>): void {
  for (const [name, operand] of query) {
    if (name === "$and" && isArray(operand)) {
      for (const each of operand) if (isDocument(each)) equalities(each, valuesByField);
    } else if (!name.startsWith("$") && !valuesByField.has(name)) {
      const values = valuesOf(operand);
      if (values?.every(isPlain)) valuesByField.set(name, values);
    }
  }
}

function valuesOf(operand: Bson): readonly Bson[] | null {
  if (!isOperators(operand)) return [operand];
  if (operand.has("$eq")) return [operand.get("$eq") as Bson];
  const among = operand.get("$in");
  return isArray(among) ? among : null;
}

/**
 * Whether an index finds exactly the documents in which the indexed field equals a value. For arrays, null and patterns
 * an index finds other documents, because it contains the elements of arrays, and null for missing fields.
 */
const isPlain = (value: Bson): boolean => value !== null && !isArray(value) && !(value instanceof Regex);
