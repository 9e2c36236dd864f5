/** Reads the fields of the documents in commands' arguments; rejects unknown fields. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import {
  type Bson,
  type BsonDocument,
  DOCUMENT_BYTES_MAX,
  isArray,
  isDocument,
  STATEMENT_BYTES_MAX,
  typeOf,
} from "../values/bson.js";
import { integerOf, isNumber } from "../values/bson-numbers.js";
import { readBson } from "../values/bson-reader.js";
import { readExtendedJson } from "../values/extended-json.js";
import { badValue, guarded, MongoFailure, typeMismatch } from "./mongo-failure.js";

/**
 * Parses a document in an argument: BSON, or Extended JSON, which is recognized by its first bytes.
 * @param max the maximum number of bytes
 * @throws CommandFailure
 */
export function documentOf(argument: ByteString, max = DOCUMENT_BYTES_MAX): BsonDocument {
  return guarded(() => (isJson(argument) ? readExtendedJson(argument, max) : readBson(argument, max)));
}

/** Whether an argument begins with a brace and cannot be BSON. */
export const isJson = (argument: ByteString): boolean =>
  argument.startsWith("{") && (argument.length < 4 || argument.charCodeAt(3) > 1);

/** @param known names of all permitted fields @throws CommandFailure */
export function specOf(argument: ByteString, known: readonly string[]): BsonDocument {
  const spec = documentOf(argument, STATEMENT_BYTES_MAX);
  for (const name of spec.keys()) if (!known.includes(name)) throw unknownField(name);
  return spec;
}

export const unknownField = (name: ByteString): MongoFailure =>
  new MongoFailure(40415, `the field '${name}' is unknown here`);

export function documentAt(spec: BsonDocument, name: string): BsonDocument | undefined {
  const value = spec.get(name);
  if (value === undefined || value === null) return undefined;
  if (isDocument(value)) return value;
  throw typeMismatch(`${name} is of type ${typeOf(value).name}, not a document`);
}

export function stringAt(spec: BsonDocument, name: string): ByteString {
  const value = spec.get(name);
  if (typeof value === "string") return value;
  throw typeMismatch(`${name} must be a string`);
}

export function arrayAt(spec: BsonDocument, name: string): readonly Bson[] {
  const value = spec.get(name);
  if (isArray(value)) return value;
  throw typeMismatch(`${name} has to be an array`);
}

export function truthAt(spec: BsonDocument, name: string): boolean {
  const value = spec.get(name);
  return value !== undefined && isTrue(value);
}

/** Whether a value counts as true where MongoDB expects a boolean. */
export function isTrue(value: Bson): boolean {
  if (isNumber(value)) return integerOf(value) !== 0n;
  return value !== false && value !== null;
}

/** Returns a count, which must not be negative; 0 if it is left out. @throws CommandFailure */
export function countAt(spec: BsonDocument, name: string): number {
  const value = spec.get(name);
  return value === undefined || value === null ? 0 : countOf(value, name);
}

export function countOf(value: Bson, name: string): number {
  const count = isNumber(value) ? integerOf(value) : undefined;
  if (count === undefined) throw badValue(`${name} has to be an integer`);
  if (count < 0n) throw badValue(`${name} must not be negative`);
  return Number(count);
}

/** Returns an integer, which may be negative. @throws CommandFailure */
export function integerIn(value: Bson, name: string): number {
  const integer = isNumber(value) ? integerOf(value) : undefined;
  if (integer === undefined) throw badValue(`${name} has to be an integer`);
  return Number(integer);
}
