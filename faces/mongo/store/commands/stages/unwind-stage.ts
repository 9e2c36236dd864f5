/** $unwind: returns a document for each element of an array. */
import type { ByteString } from "../../../../../protocol/byte-string.js";
import { STEP_ITEMS } from "../../../../../protocol/steps.js";
import { truthAt, unknownField } from "../../queries/command-fields.js";
import { pathTo } from "../../queries/document-paths.js";
import { MongoFailure, produce, spend, type Work } from "../../queries/mongo-failure.js";
import { type Bson, type BsonDocument, isArray, isDocument } from "../../values/bson.js";
import type { FieldPath } from "../../values/index-keys.js";

interface Unwinding {
  readonly path: FieldPath;
  /** The field that receives the element's index; null means that there is no such field. */
  readonly index: FieldPath | null;
  readonly keepsEmpty: boolean;
}

/** Units of work for a copy of a document, in addition to one for each field. */
const COPY_UNITS = 4;

/** @throws CommandFailure */
export function unwound(
  operand: Bson,
  work: Work,
): (documents: readonly BsonDocument[]) => Generator<void, readonly BsonDocument[]> {
  const unwinding = unwindingOf(operand);
  return function* (documents) {
    const result: BsonDocument[] = [];
    for (const [position, document] of documents.entries()) {
      const value = along(document, unwinding.path);
      for (const one of each(document, value, unwinding)) {
        if (isArray(value)) {
          spend(work, COPY_UNITS + document.size);
          produce(work, COPY_UNITS + document.size);
        }
        result.push(one);
        if (work.effort.endsSlice()) yield;
      }
      if (position % STEP_ITEMS === 0) yield;
    }
    return result;
  };
}

function unwindingOf(operand: Bson): Unwinding {
  const spec: BsonDocument = isDocument(operand) ? operand : new Map([["path", operand]]);
  for (const name of spec.keys())
    if (!["path", "includeArrayIndex", "preserveNullAndEmptyArrays"].includes(name)) throw unknownField(name);
  const path = spec.get("path");
  if (typeof path !== "string" || !path.startsWith("$") || path.startsWith("$$") || path.length < 2)
    throw new MongoFailure(28818, "path option to $unwind stage should be prefixed with a '$'");
  const index = spec.get("includeArrayIndex") ?? null;
  if (index !== null && (typeof index !== "string" || index === "" || index.startsWith("$")))
    throw new MongoFailure(28822, "includeArrayIndex option to $unwind stage should be a field's name");
  return {
    path: pathTo(path.slice(1)),
    index: index === null ? null : pathTo(index),
    keepsEmpty: truthAt(spec, "preserveNullAndEmptyArrays"),
  };
}

function* each(
  document: BsonDocument,
  value: Bson | undefined,
  { path, index, keepsEmpty }: Unwinding,
): Generator<BsonDocument> {
  const withIndex = (copy: BsonDocument, position: bigint | null) =>
    index === null ? copy : replaced(copy, index, position);
  if (isArray(value) && value.length > 0) {
    for (const [i, one] of value.entries()) yield withIndex(replaced(document, path, one), BigInt(i));
    return;
  }
  const isEmpty = value === undefined || value === null || isArray(value);
  if (isEmpty && !keepsEmpty) return;
  yield withIndex(isArray(value) ? replaced(document, path, undefined) : document, null);
}

function along(document: BsonDocument, path: FieldPath): Bson | undefined {
  let value: Bson | undefined = document;
  for (const name of path) value = isDocument(value) ? value.get(name) : undefined;
  return value;
}

/** Returns the document with the given value at a path. @param value undefined removes the value */
export function replaced(document: BsonDocument, path: FieldPath, value: Bson | undefined): BsonDocument {
  const [name, ...innerPath] = path as readonly [ByteString, ...ByteString[]];
  const copy = new Map(document);
  const inner = document.get(name);
  if (innerPath.length > 0) copy.set(name, replaced(isDocument(inner) ? inner : new Map(), innerPath, value));
  else if (value === undefined) copy.delete(name);
  else copy.set(name, value);
  return copy;
}
