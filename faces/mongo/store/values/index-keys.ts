/**
 * Computes the keys of a document in an index. Source: MongoDB's manual, "Multikey Indexes": an array has a key for
 * each of its elements.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { type Bson, type BsonDocument, BsonFault, DOCUMENT_BYTES_MAX, isArray, isDocument } from "./bson.js";
import { keyOf } from "./bson-order.js";
import { type FieldPath, isArrayIndex } from "./field-path.js";

/** Thrown if the fields of one index lead through two arrays. */
export class ParallelArrays extends BsonFault {}

/** Thrown if a document has more keys in one index than permitted. */
export class TooManyKeys extends BsonFault {}

/**
 * The maximum number of keys of one document in one index, as in MongoDB. Together, their texts must not be longer than
 * the largest document.
 */
const KEYS_MAX = 100_000;

/** The key of an array without elements, which is neither null nor missing. */
const EMPTY = Symbol("empty");

interface Point {
  readonly value: Bson | undefined | typeof EMPTY;
  /** The part of the path that remains to be followed. */
  readonly rest: FieldPath;
  readonly isDone: boolean;
}

/** A key of a document: its text, which is the same for equal values, and the values themselves. */
export interface IndexKey {
  readonly text: ByteString;
  /** The values of the indexed fields; undefined for an array without elements. */
  readonly values: readonly (Bson | undefined)[];
}

/**
 * Returns a document's keys, each text once.
 * @param isSparse whether a document has no key if all indexed fields are missing
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
  /** Number of bytes in the keys' texts. */
  bytes: number;
}

function collect(points: readonly Point[], isSparse: boolean, found: Found): void {
  const reached = points.map(walked);
  const arrays = new Set(
    reached.flatMap(({ value, isDone }) => (!isDone && isArray(value as Bson) ? [value] : [])),
  );
  // As in MongoDB: the keys of two arrays would be all pairs of their elements.
  if (arrays.size > 1) throw new ParallelArrays("two fields of one index are arrays");

  const [array] = arrays as Set<readonly Bson[]>;
  if (array === undefined) {
    if (isSparse && reached.every(({ value }) => value === undefined)) return;
    const texts = reached.map(({ value }) => (value === EMPTY ? "e;" : keyOf(value ?? null)));
    for (const { length } of texts) found.bytes += length;
    if (found.keys.size === KEYS_MAX || found.bytes > DOCUMENT_BYTES_MAX)
      throw new TooManyKeys(
        `a document has at most ${KEYS_MAX} keys in one index, of ${DOCUMENT_BYTES_MAX} bytes`,
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

/** Follows the path up to the first array. */
function walked(point: Point): Point {
  let { value, rest } = point;
  if (point.isDone) return point;

  for (; rest.length > 0; rest = rest.slice(1)) {
    const [name = ""] = rest;
    if (isDocument(value as Bson)) value = (value as BsonDocument).get(name);
    // The name is the position of an array element. Only sorts use such paths; an index cannot contain them.
    else if (isArray(value as Bson) && isArrayIndex(name)) value = (value as readonly Bson[])[Number(name)];
    else break;
  }
  if (isArray(value as Bson)) return { value, rest, isDone: false };

  return { value: rest.length > 0 ? undefined : value, rest: [], isDone: true };
}

function entered({ rest }: Point, element: Bson | typeof EMPTY): Point {
  if (rest.length === 0) return { value: element, rest, isDone: true };
  // Arrays within arrays are not indexed element by element.
  if (element === EMPTY || !isDocument(element)) return { value: undefined, rest: [], isDone: true };
  return { value: element, rest, isDone: false };
}
