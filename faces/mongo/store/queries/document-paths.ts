/**
 * Paths through documents, as filters follow them: in an array, a path continues in every element, and a number selects
 * a single element. Source: MongoDB's manual, "Query an Array of Embedded Documents".
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { type Bson, type BsonDocument, isArray, isDocument } from "../values/bson.js";
import { type FieldPath, isArrayIndex, pathOf } from "../values/index-keys.js";
import { badValue, ELEMENTS_PER_UNIT, MongoFailure, spend, type Work } from "./mongo-failure.js";

/** Maximum number of names in a path, as in MongoDB. Documents are not nested that deeply. */
const NAMES_MAX = 200;

/** @throws CommandFailure if the path is longer than the maximum, or a name contains a zero byte */
export function checkedPath(path: FieldPath): FieldPath {
  if (path.length > NAMES_MAX) throw badValue(`the path to a field has at most ${NAMES_MAX} names`);
  // Values of operands contain such names; the keys of documents do not.
  if (path.some((name) => name.includes("\0")))
    throw new MongoFailure(16411, "FieldPath field names may not contain '\\0'.");
  return path;
}

/** @throws CommandFailure if the path is longer than the maximum, or a name contains a zero byte */
export const pathTo = (name: ByteString): FieldPath => checkedPath(pathOf(name));

/** The names of the fields of a reference to another document (DBRef). */
export const REFERENCE_FIELDS: readonly ByteString[] = ["$ref", "$id", "$db"];

/** Whether no field in a path can have this name. */
export const isRefusedName = (name: ByteString): boolean =>
  name.startsWith("$") && !REFERENCE_FIELDS.includes(name);

/** A test of a value, which is undefined if there is no value at the end of the path. */
export type ValueTest = (value: Bson | undefined) => boolean;

/**
 * The values that a test receives for an array at the end of a path: its elements followed by the array, only its
 * elements, or only the array.
 */
export type Leaf = "both" | "elements" | "itself";

/** Whether a value at the end of a path passes a test; the search ends with the first that does. */
export function isAny(document: BsonDocument, search: Search): boolean {
  return anyInDocument(document, search, 0);
}

export interface Search {
  readonly path: FieldPath;
  readonly leaf: Leaf;
  readonly test: ValueTest;
  /** Counts the cost of checking arrays. */
  readonly work: Work;
}

/**
 * Whether a value at the end of a path passes a test.
 * @param value the value to which the first `at` names of the path lead
 */
export function isAnyFrom(value: Bson | undefined, search: Search, at: number): boolean {
  if (isArray(value)) return anyInArray(value, search, at);
  if (at === search.path.length) return search.test(value);
  return isDocument(value) ? anyInDocument(value, search, at) : search.test(undefined);
}

function anyInDocument(document: BsonDocument, search: Search, from: number): boolean {
  const { path, test } = search;
  let value: Bson | undefined = document;
  for (let at = from; at < path.length; at++) {
    if (!isDocument(value)) return test(undefined);
    value = value.get(path[at] as string);
    if (isArray(value)) return anyInArray(value, search, at + 1);
  }
  return test(value);
}

function anyInArray(array: readonly Bson[], search: Search, at: number): boolean {
  const { path, leaf, test, work } = search;
  spend(work, array.length / ELEMENTS_PER_UNIT);
  if (at === path.length) {
    if (leaf === "itself") return test(array);
    return array.some(test) || (leaf === "both" && test(array));
  }
  const next = path[at] as string;
  const index = isArrayIndex(next) ? Number(next) : -1;
  for (const [i, element] of array.entries()) {
    if (isDocument(element) && anyInDocument(element, search, at)) return true;
    if (i !== index || String(i) !== next) continue;
    if (at + 1 === path.length) {
      if (test(element)) return true;
    } else if (isArray(element)) {
      if (anyInArray(element, search, at + 1)) return true;
    } else if (isDocument(element) && anyInDocument(element, search, at + 1)) return true;
  }

  return false;
}
