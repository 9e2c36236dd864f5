/**
 * The sizes of values. The values of expressions share their parts, so a small expression can create a value whose size
 * is exponential in the number of its parts: every array and document that an expression creates is measured.
 */

import { STEP_ITEMS, sortedInSteps } from "../../../../protocol/steps.js";
import {
  Binary,
  type Bson,
  type BsonDocument,
  DEPTH_MAX,
  DOCUMENT_BYTES_MAX,
  isArray,
  isDocument,
} from "../values/bson.js";
import { compareBson, keyOf } from "../values/bson-order.js";
import { badValue, MongoFailure, spend, type Work } from "./mongo-failure.js";

type Container = readonly Bson[] | BsonDocument;

interface Size {
  /** Approximate number of bytes as BSON. */
  readonly bytes: number;
  /** Number of levels of arrays and documents. */
  readonly depth: number;
}

/**
 * Number of bytes that each array and each value in it count, in addition to the bytes of strings: about their memory.
 * So a value has at most half a million parts, and an operation on all of them ends within a turn or two.
 */
const VALUE_BYTES = 32;
/** Maximum number of parts of a flat array whose size is not remembered. */
const SMALL_PARTS = 16;
/**
 * Number of bytes whose comparison costs as much as checking one document; powers of two, so fractions add up exactly.
 */
const COMPARED_PER_UNIT = 256;
const COMPARED_TEXT_PER_UNIT = 8192;
/** Texts of fewer bytes count nothing. */
const TEXT_MIN = 256;
/** Number of bytes whose key costs as much as checking one document; also a power of two. */
const KEYED_PER_UNIT = 64;

/** Maximum size of a value by which documents are grouped, or that is a member of a set. */
const KEY_BYTES_MAX = DOCUMENT_BYTES_MAX / 4;
/** Cost in steps of an item that is merged with others while it is sorted. */
const MERGED_STEPS = 2;

/** The sizes of arrays and documents that contain others, or have many parts. */
const SIZES = new WeakMap<Container, Size>();

function sizeOf(container: Container): Size {
  const known = SIZES.get(container);
  if (known !== undefined) return known;
  let [bytes, depth, parts] = [VALUE_BYTES, 1, 0];
  for (const one of container.values()) {
    parts++;
    bytes += VALUE_BYTES;
    if (typeof one === "string") bytes += one.length;
    else if (isArray(one) || isDocument(one)) {
      const inner = sizeOf(one);
      bytes += inner.bytes;
      if (inner.depth >= depth) depth = inner.depth + 1;
    } else if (one instanceof Binary) bytes += one.bytes.length;
  }

  if (isDocument(container)) for (const name of container.keys()) bytes += name.length;
  const size = { bytes, depth };
  if (depth > 1 || parts > SMALL_PARTS) SIZES.set(container, size);
  return size;
}

/** Returns a new array or document. @throws CommandFailure if it is larger or deeper than a document may be */
export function measured<C extends Container>(container: C): C {
  const { bytes, depth } = sizeOf(container);
  if (bytes > DOCUMENT_BYTES_MAX) throw tooLarge(bytes);
  if (depth > DEPTH_MAX) throw badValue(`documents are nested more than ${DEPTH_MAX} levels deep`);
  return container;
}

/** @throws CommandFailure if an array of `count` elements is larger than a document may be */
export function checkCount(count: number): void {
  if ((count + 1) * VALUE_BYTES > DOCUMENT_BYTES_MAX) throw tooLarge((count + 1) * VALUE_BYTES);
}

const tooLarge = (bytes: number) =>
  new MongoFailure(10334, `a value of ${bytes} bytes; ${DOCUMENT_BYTES_MAX} at most`);

/** Compares two values and counts the cost, which is that of the smaller value. @throws CommandFailure */
export function compareCounted(a: Bson | undefined, b: Bson | undefined, work: Work): number {
  if (typeof a === "string") {
    if (typeof b === "string" && a.length >= TEXT_MIN)
      spend(work, Math.min(a.length, b.length) / COMPARED_TEXT_PER_UNIT);
  } else if (isArray(a) || isDocument(a)) {
    const bytes = Math.min(bytesOf(a), isArray(b) || isDocument(b) ? bytesOf(b) : 0);
    if (bytes > 0) spend(work, bytes / COMPARED_PER_UNIT);
  }
  return compareBson(a, b);
}

/** Returns the key of a value and counts the cost. @throws CommandFailure if the value is too large for a key */
export function keyCounted(value: Bson | undefined, work: Work): string {
  if (typeof value === "string") {
    if (value.length >= TEXT_MIN) spend(work, value.length / COMPARED_TEXT_PER_UNIT);
  } else if (isArray(value) || isDocument(value)) {
    const { bytes } = sizeOf(value);
    if (bytes > KEY_BYTES_MAX)
      throw new MongoFailure(
        10334,
        `the key of a group or a set has ${bytes} bytes; ${KEY_BYTES_MAX} at most`,
      );
    spend(work, bytes / KEYED_PER_UNIT);
  }
  return keyOf(value);
}

/**
 * Sorts items as `sortedInSteps` does, counts the cost, and yields at the end of each slice.
 * @param isLarge whether comparing an item may take long
 */
export function* sortedInSlices<Item>(
  items: readonly Item[],
  { effort }: Work,
  compare: (a: Item, b: Item) => number,
  isLarge: (item: Item) => boolean,
): Generator<void, readonly Item[]> {
  const steps = { endsNow: () => effort.isSliceOver };
  const sorting = sortedInSteps(items, compare, items.some(isLarge) ? { ...steps, items: 1 } : steps);
  for (;;) {
    const step = sorting.next();
    if (step.done === true) return step.value;
    effort.work(MERGED_STEPS * Math.min(STEP_ITEMS, items.length));
    if (effort.endsSlice()) yield;
  }
}

/** Whether comparing a value may take long. */
export const isLarge = (value: Bson | undefined): boolean =>
  typeof value === "string"
    ? value.length > COMPARED_TEXT_PER_UNIT
    : (isArray(value) || isDocument(value)) && bytesOf(value) > COMPARED_PER_UNIT;

/** Returns the bytes of an array or a document; 0 for other values. */
function bytesOf(value: Bson): number {
  return isArray(value) || isDocument(value) ? sizeOf(value).bytes : 0;
}
