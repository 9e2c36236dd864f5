/** Reads the arguments of commands in documents: each field is known by name, and an unknown field is rejected. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { type Bson, type BsonDocument, isArray, isDocument } from "../../values/collections/bson.js";
import { integerOf, isNumber } from "../../values/collections/bson-numbers.js";
import { readBson } from "../../values/collections/bson-reader.js";
import { typeOf } from "../../values/collections/bson-type.js";
import { readExtendedJson } from "../../values/collections/extended-json.js";
import { badValue, guarded, MongoFailure, mismatch } from "./mongo-failure.js";

/** A document as an argument has it: BSON, or Extended JSON, which begins as no BSON does. @throws CommandFailure */
export function documentOf(argument: ByteString): BsonDocument {
  return guarded(() => (isJson(argument) ? readExtendedJson(argument) : readBson(argument)));
}

/** A brace, and what is not the last byte of a length. */
export const isJson = (argument: ByteString): boolean =>
  argument.startsWith("{") && (argument.length < 4 || argument.charCodeAt(3) > 1);

/** The end of an error for a field or a command that requires CLUSTER SEMANTICS 3. */
export const FROM_THIRD =
  "means something from version 3 of what commands mean on: an administrator sends CLUSTER SEMANTICS 2, then CLUSTER SEMANTICS 3";

/** @param known  names of all fields that there may be @throws CommandFailure */
export function specOf(argument: ByteString, known: readonly string[]): BsonDocument {
  const spec = documentOf(argument);
  for (const name of spec.keys()) if (!known.includes(name)) throw unknownField(name);
  return spec;
}

export const unknownField = (name: ByteString): MongoFailure =>
  new MongoFailure(40415, `the field '${name}' is unknown here`);

/** @throws CommandFailure  a field has a meaning from CLUSTER SEMANTICS 3 on, and that is not in force yet */
export function refuseLater(spec: BsonDocument, names: readonly string[]): void {
  const later = names.find((name) => spec.has(name));
  if (later !== undefined) throw new MongoFailure(40415, `the field '${later}' ${FROM_THIRD}`);
}

export function documentAt(spec: BsonDocument, name: string): BsonDocument | undefined {
  const value = spec.get(name);
  if (value === undefined || value === null) return undefined;
  if (isDocument(value)) return value;
  throw mismatch(`${name} is of type ${typeOf(value).name}, not a document`);
}

export function stringAt(spec: BsonDocument, name: string): ByteString {
  const value = spec.get(name);
  if (typeof value === "string") return value;
  throw mismatch(`${name} must be a string`);
}

export function arrayAt(spec: BsonDocument, name: string): readonly Bson[] {
  const value = spec.get(name);
  if (isArray(value)) return value;
  throw mismatch(`${name} has to be an array`);
}

export function truthAt(spec: BsonDocument, name: string): boolean {
  const value = spec.get(name);
  return value !== undefined && isTrue(value);
}

/** Whether a value is true where MongoDB expects a boolean. */
export function isTrue(value: Bson): boolean {
  if (isNumber(value)) return integerOf(value) !== 0n;
  return value !== false && value !== null;
}

/** A count that is not negative; left out: 0. @throws CommandFailure */
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

/** An integer with its sign. @throws CommandFailure */
export function integerIn(value: Bson, name: string): number {
  const integer = isNumber(value) ? integerOf(value) : undefined;
  if (integer === undefined) throw badValue(`${name} has to be an integer`);
  return Number(integer);
}
