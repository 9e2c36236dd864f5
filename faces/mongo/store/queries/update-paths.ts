/**
 * Follows the paths of updates in a document literally; numbers select array elements. The caller owns the document.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { type Bson, type BsonDocument, isArray, isDocument, typeOf } from "../values/bson.js";
import { type FieldPath, isArrayIndex } from "../values/index-keys.js";
import { badValue, ELEMENTS_PER_UNIT, MongoFailure, produce, spend, type Work } from "./mongo-failure.js";

/** Maximum number of elements with which an array is padded to reach an index, as in MongoDB. */
const PADDING_MAX = 1_500_000;

/** The change of a field. */
export interface Change {
  /**
   * Whether the change creates a missing field and the missing fields on its path; otherwise the field stays missing.
   */
  readonly makes: boolean;
  /**
   * @param old undefined if the field does not exist
   * @returns undefined if the field is removed
   * @throws CommandFailure
   */
  become(old: Bson | undefined): Bson | undefined;
}

type Writable = Map<ByteString, Bson>;

/** Returns the value at a path, or undefined if there is none. */
export function valueAt(document: BsonDocument, path: FieldPath): Bson | undefined {
  let value: Bson | undefined = document;
  for (const name of path) {
    if (isDocument(value)) value = value.get(name);
    else if (isArray(value) && isArrayIndex(name)) value = value[Number(name)];
    else return undefined;
  }
  return value;
}

/** Changes the value at a path. @throws CommandFailure */
export function changeAt(
  document: BsonDocument,
  path: FieldPath,
  { makes, become }: Change,
  work: Work,
): void {
  const old = valueAt(document, path);
  if (old === undefined && !makes) return;
  const value = become(old);
  if (value === undefined) removeAt(document, path);
  else putAt(document, path, value, work);
}

/** Moves a value to another path. @throws CommandFailure */
export function renameAt(document: BsonDocument, from: FieldPath, to: FieldPath, work: Work): void {
  for (const [i, name] of from.entries()) {
    const inside = valueAt(document, from.slice(0, i));
    if (inside === undefined) break;
    if (!isDocument(inside) && !(isArray(inside) && isArrayIndex(name)))
      throw notViable(`use the part '${name}'`, inside, from);
  }

  const value = valueAt(document, from);
  if (value === undefined) return;

  for (const path of [from, to]) {
    for (let length = 1; length < path.length; length++)
      if (isArray(valueAt(document, path.slice(0, length))))
        throw badValue(`$rename: the path '${path.join(".")}' goes through an array`);
  }

  removeAt(document, from);
  putAt(document, to, value, work);
}

/**
 * Sets the value at a path and creates missing documents along it.
 * @throws CommandFailure if another value blocks the path
 */
export function putAt(document: BsonDocument, path: FieldPath, value: Bson, work: Work): void {
  let inside: Bson = document;
  for (const [i, name] of path.slice(0, -1).entries()) {
    const next: Bson | undefined = child(inside, name);
    if (next === undefined || (next === null && isArray(inside) && Number(name) >= inside.length)) {
      // Creates all missing parts in one step, so that a failure creates none.
      let created: Bson = value;
      for (const field of path.slice(i + 1).reverse()) created = new Map([[field, created]]);
      setChild(inside, name, created, path, work);
      return;
    }
    inside = next;
  }
  setChild(inside, path.at(-1) as ByteString, value, path, work);
}

/**
 * Replaces values along a path, from the outermost to the innermost, and counts the work.
 * @param instead returns the replacement of a value, or undefined to keep it; `next` is the name that follows on the
 * path, or undefined at its end
 * @throws CommandFailure
 */
export function replaceAlong(
  document: BsonDocument,
  path: FieldPath,
  instead: (value: Bson, next: ByteString | undefined) => Bson | undefined,
  work: Work,
): void {
  spend(work, path.length / ELEMENTS_PER_UNIT);
  let inside: Bson = document;
  for (const [i, name] of path.entries()) {
    const value = child(inside, name);
    if (value === undefined) return;
    const replacement = instead(value, path[i + 1]);
    if (replacement !== undefined) setChild(inside, name, replacement, path, work);
    inside = replacement ?? value;
  }
}

function child(inside: Bson, name: ByteString): Bson | undefined {
  if (isDocument(inside)) return inside.get(name);
  return isArray(inside) && isArrayIndex(name) ? inside[Number(name)] : undefined;
}

function setChild(inside: Bson, name: ByteString, value: Bson, path: FieldPath, work: Work): void {
  if (isDocument(inside)) {
    (inside as Writable).set(name, value);
    return;
  }
  if (!isArray(inside) || !isArrayIndex(name)) throw notViable(`create field '${name}'`, inside, path);

  const index = Number(name);
  const array = inside as Bson[];
  if (index - array.length > PADDING_MAX) throw badValue(`can't backfill more than ${PADDING_MAX} elements`);

  const padding = Math.max(0, index - array.length);
  spend(work, padding / ELEMENTS_PER_UNIT);
  // The array is padded and then copied element by element.
  produce(work, 2 * padding);
  while (array.length < index) array.push(null);
  array[index] = value;
}

const notViable = (what: string, inside: Bson, path: FieldPath): MongoFailure =>
  new MongoFailure(28, `Cannot ${what} in an element of type ${typeOf(inside).name} (${path.join(".")})`);

/** Removes a field, or sets an array element to null. */
function removeAt(document: BsonDocument, path: FieldPath): void {
  const inside = path.length === 1 ? document : valueAt(document, path.slice(0, -1));
  const name = path.at(-1) as ByteString;
  if (isDocument(inside)) (inside as Writable).delete(name);
  else if (isArray(inside) && isArrayIndex(name) && Number(name) < inside.length)
    (inside as Bson[])[Number(name)] = null;
}
