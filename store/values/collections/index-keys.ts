/** The keys of a document in an index. Source: MongoDB's manual, "Multikey Indexes": an array has a key for each of its elements. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { type Bson, type BsonDocument, BsonFault, DOCUMENT_BYTES_MAX, isArray, isDocument } from "./bson.js";
import { keyOf } from "./bson-order.js";

/** A field's way to its value. */
export type FieldPath = readonly ByteString[];

export const pathOf = (name: ByteString): FieldPath => name.split(".");

/** Whether a part of a way may mean an element of an array. */
export const isArrayIndex = (name: ByteString): boolean => /^\d+$/.test(name);

/** Two fields of one index go through two arrays. */
export class ParallelArrays extends BsonFault {}

/** A document has more keys in one index than are kept. */
export class TooManyKeys extends BsonFault {}

/** Maximum keys of one document in one index, as in MongoDB; all together are no longer than a document. */
const KEYS_MAX = 100_000;

/** An array without elements, which is neither null nor missing. */
const EMPTY = Symbol("empty");

interface Point {
  readonly value: Bson | undefined | typeof EMPTY;
  /** The rest of the path. */
  readonly rest: FieldPath;
  readonly isDone: boolean;
}

/** A key of a document: its text, equal for equal values, and the values themselves. */
export interface IndexKey {
  readonly text: ByteString;
  /** undefined: an array without elements. */
  readonly values: readonly (Bson | undefined)[];
}

/**
 * A document's keys, no two with the same text.
 * @param isSparse  whether a document without any of the fields has none
 * @throws ParallelArrays, TooManyKeys
 */
export function indexKeys(
  document: BsonDocument,
  paths: readonly FieldPath[],
  isSparse: boolean,
): readonly IndexKey[] {
  const found: Found = { keys: new Map(), bytes: 0 };
  collect(
    paths.map((rest) => ({ value: document, rest, isDone: false })),
    isSparse,
    found,
  );
  return [...found.keys.values()];
}

interface Found {
  readonly keys: Map<ByteString, IndexKey>;
  /** Bytes of their texts. */
  bytes: number;
}

function collect(points: readonly Point[], isSparse: boolean, found: Found): void {
  const reached = points.map(walked);
  const arrays = new Set(
    reached.flatMap(({ value, isDone }) => (!isDone && isArray(value as Bson) ? [value] : [])),
  );
  if (arrays.size > 1) throw new ParallelArrays("two fields of one index are arrays");
  const [array] = arrays as Set<readonly Bson[]>;
  if (array === undefined) {
    if (isSparse && reached.every(({ value }) => value === undefined)) return;
    const texts = reached.map(({ value }) => (value === EMPTY ? "e;" : keyOf(value ?? null)));
    for (const { length } of texts) found.bytes += length;
    if (found.keys.size === KEYS_MAX || found.bytes > DOCUMENT_BYTES_MAX)
      throw new TooManyKeys(
        `a document has ${KEYS_MAX} keys at most in one index, of ${DOCUMENT_BYTES_MAX} bytes`,
      );
    const text = texts.join("");
    const values = reached.map(({ value }) => (value === EMPTY ? undefined : (value ?? null)));
    found.keys.set(text, { text, values });
    return;
  }
  const elements: readonly (Bson | typeof EMPTY)[] = array.length === 0 ? [EMPTY] : array;
  for (const element of elements)
    collect(
      reached.map((point) => (point.value === array && !point.isDone ? entered(point, element) : point)),
      isSparse,
      found,
    );
}

/** Follows the path as far as no array is in the way. */
function walked(point: Point): Point {
  let { value, rest } = point;
  if (point.isDone) return point;
  for (; rest.length > 0; rest = rest.slice(1)) {
    const [name = ""] = rest;
    if (isDocument(value as Bson)) value = (value as BsonDocument).get(name);
    // The place of an element: only where values are sorted by it, for no index has such a way.
    else if (isArray(value as Bson) && isArrayIndex(name)) value = (value as readonly Bson[])[Number(name)];
    else break;
  }
  if (isArray(value as Bson)) return { value, rest, isDone: false };
  return { value: rest.length > 0 ? undefined : value, rest: [], isDone: true };
}

function entered({ rest }: Point, element: Bson | typeof EMPTY): Point {
  if (rest.length === 0) return { value: element, rest, isDone: true };
  // Arrays that are elements themselves are not gone into.
  if (element === EMPTY || !isDocument(element)) return { value: undefined, rest: [], isDone: true };
  return { value: element, rest, isDone: false };
}
