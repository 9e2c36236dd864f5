/**
 * Range queries and sorts by indexes. Writes use them too: the maximum number of documents that a write may check is
 * part of its meaning.
 */

import type { EffortBudget } from "../../../../daemon/store/keyspace/effort-budget.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { isOperators } from "../queries/value-tests.js";
import {
  type Bson,
  BsonDate,
  type BsonDocument,
  isArray,
  isDocument,
  ObjectId,
  rankOf,
} from "../values/bson.js";
import { doubleOf, isNumber } from "../values/bson-numbers.js";
import { compareBson } from "../values/bson-order.js";
import type { Collection } from "../values/collection.js";
import { type CollectionIndex, ORDERED_ITEMS } from "../values/collection-index.js";
import type { OrderedKey } from "../values/index-keys.js";

/** The conditions of a filter on a field that an index can use. */
interface Bounds {
  lowest: Bson | undefined;
  highest: Bson | undefined;
}

/** A range of an index's documents, in the order of the index. */
export interface IndexRange {
  readonly index: CollectionIndex;
  /** Number of leading fields of the index, each of which must equal a single value. */
  readonly equal: number;
  readonly from: OrderedKey;
  readonly to: OrderedKey;
  /**
   * The rank of the next field's values: the place of their type in MongoDB's sort order. Null means values of any
   * type.
   */
  readonly rank: number | null;
}

const INT64_MIN = -(2n ** 63n);
const ID_BYTES = 12;

/** Returns the narrowest range to which the filter restricts an index, or null if the filter restricts no index. */
export function rangeFor(collection: Collection, query: BsonDocument): IndexRange | null {
  const bounds = boundsOf(query);
  if (bounds.size === 0) return null;
  let best: IndexRange | null = null;
  for (const index of collection.indexes) {
    const range = index.isComplete ? rangeOf(index, bounds) : null;
    if (range === null) continue;
    if (best === null || weightOf(range) > weightOf(best)) best = range;
  }
  return best;
}

const weightOf = ({ equal, rank }: IndexRange): number => 2 * equal + (rank === null ? 0 : 1);

/** Returns the range to which a filter restricts an index, or null if the filter does not restrict the index. */
function rangeOf(index: CollectionIndex, bounds: ReadonlyMap<ByteString, Bounds>): IndexRange | null {
  // A sparse index omits documents without the fields, but such documents do not match either.
  const fields = [...index.spec.pattern.keys()];
  const prefix: Bson[] = [];
  for (const [i, field] of fields.entries()) {
    // In an array, different elements may meet the conditions, so only the first field can restrict the range.
    if (index.isMultikey && i > 0) break;
    const bound = bounds.get(field);
    if (bound === undefined) break;

    const { lowest, highest } = bound;
    if (lowest !== undefined && highest !== undefined && compareBson(lowest, highest) === 0) {
      prefix.push(lowest);
      continue;
    }

    const value = (lowest ?? highest) as Bson;
    const isOpen = index.isMultikey && lowest !== undefined;
    return {
      index,
      equal: prefix.length,
      from: [...prefix, lowest ?? leastLike(value)],
      to: highest === undefined || isOpen ? [...prefix] : [...prefix, highest],
      rank: rankOf(value),
    };
  }

  return prefix.length === 0 ? null : { index, equal: prefix.length, from: prefix, to: prefix, rank: null };
}

/** Returns the smallest value of the same kind as the given one. */
function leastLike(value: Bson): Bson {
  if (isNumber(value)) return Number.NEGATIVE_INFINITY;
  if (value instanceof BsonDate) return new BsonDate(INT64_MIN);
  if (value instanceof ObjectId) return new ObjectId("\0".repeat(ID_BYTES));
  return typeof value === "boolean" ? false : "";
}

/** Cost in steps of each document that is added to the order of an index. */
const ORDERED_STEPS = 10;

/**
 * Completes the order of an index in steps, between which the collection may change. The cost of each step is counted
 * before the step is executed, and the order completed so far is retained. If a write is rejected because it exceeds
 * the budget, it therefore has less work left when the client sends it again.
 * @throws BudgetExceeded
 */
export function* ordering(
  collection: Collection,
  index: CollectionIndex,
  effort: EffortBudget,
): Generator<void, void> {
  if (index.isOrdered) return;
  for (;;) {
    effort.work(ORDERED_STEPS * Math.min(ORDERED_ITEMS, collection.size));
    if (!collection.orderSome(index)) return;
    yield;
  }
}

/**
 * Yields the number of each document in a range once, in the order of the index. The order must be complete and must
 * not change meanwhile.
 */
export function* numbersIn(
  { index, equal, from, to, rank }: IndexRange,
  isBackwards = false,
): Generator<number> {
  const keys = index.ordered;
  const seen = index.isMultikey ? new Set<number>() : null;
  for (const [key, number] of isBackwards ? keys.backwards(from, to) : keys.between(from, to)) {
    if (rank !== null && rankOf(key[equal]) !== rank) {
      if (isBackwards) continue;
      return;
    }
    if (seen?.has(number) === true) continue;
    seen?.add(number);
    yield number;
  }
}

/**
 * Returns the range of an index whose order is that of a sort, and whether it must be read backwards, or null if there
 * is no such index.
 */
export function rangeInOrder(
  collection: Collection,
  query: BsonDocument,
  order: BsonDocument,
): { readonly range: IndexRange; readonly isBackwards: boolean } | null {
  const directions = [...order.values()].map((one) => (isNumber(one) ? Math.sign(doubleOf(one)) : 0));
  const [direction] = directions;
  if ((direction !== 1 && direction !== -1) || directions.some((one) => one !== direction)) return null;

  const bounds = boundsOf(query);
  for (const index of collection.indexes) {
    if (index.spec.isSparse || !index.isComplete) continue;
    const range = rangeOf(index, bounds) ?? { index, equal: 0, from: [], to: [], rank: null };
    const fields = [...index.spec.pattern.keys()].slice(range.equal);
    const isSame = fields.length === order.size && [...order.keys()].every((name, i) => name === fields[i]);
    // A sort uses an array's smallest element, which may be outside the range even if the range contains another
    // element.
    if (isSame && !(index.isMultikey && (range.equal > 0 || range.rank !== null)))
      return { range, isBackwards: direction === -1 };
    if (isSame)
      return { range: { index, equal: 0, from: [], to: [], rank: null }, isBackwards: direction === -1 };
  }

  return null;
}

/** Returns the conditions of a filter and of its `$and` clauses, by field. */
function boundsOf(query: BsonDocument): ReadonlyMap<ByteString, Bounds> {
  const bounds = new Map<ByteString, Bounds>();
  collect(query, bounds);
  return bounds;
}

function collect(query: BsonDocument, bounds: Map<ByteString, Bounds>): void {
  for (const [name, operand] of query) {
    if (name === "$and" && isArray(operand)) {
      for (const one of operand) if (isDocument(one)) collect(one, bounds);
    } else if (!name.startsWith("$") && !bounds.has(name)) {
      const bound = boundOf(operand);
      if (bound !== null) bounds.set(name, bound);
    }
  }
}

function boundOf(operand: Bson): Bounds | null {
  if (!isOperators(operand)) return isOrdered(operand) ? { lowest: operand, highest: operand } : null;
  const bound: Bounds = { lowest: undefined, highest: undefined };
  for (const [operator, value] of operand) {
    if (!isOrdered(value)) continue;
    if (operator === "$eq") return { lowest: value, highest: value };
    if (operator === "$gt" || operator === "$gte") bound.lowest ??= value;
    if (operator === "$lt" || operator === "$lte") bound.highest ??= value;
  }

  const { lowest, highest } = bound;
  if (lowest === undefined && highest === undefined) return null;

  // No single value is between two bounds of different types, so no index can find the documents: the filter checks
  // them.
  return lowest !== undefined && highest !== undefined && rankOf(lowest) !== rankOf(highest) ? null : bound;
}

/** Whether an index contains all values of the value's type next to each other. */
const isOrdered = (value: Bson): boolean =>
  isNumber(value)
    ? !Number.isNaN(doubleOf(value))
    : typeof value === "string" ||
      typeof value === "boolean" ||
      value instanceof BsonDate ||
      value instanceof ObjectId;
