/**
 * Conversion between JSON values and BSON values, with which conditions and operators work. Integers of 32 and 64 bits
 * are int32 and int64, and all other numbers are doubles, as in Extended JSON; numbers that do not change keep their
 * digits. Source: docs/json-documents.md "Numbers and the format of answers".
 */

import { custom } from "../../../../daemon/store/arguments/command-errors.js";
import { type ByteString, bytesOfText, textOfBytes } from "../../../../protocol/byte-string.js";
import { parseJson } from "../../../../protocol/json/json-reader.js";
import {
  isContainer,
  isListLike,
  type JsonContainer,
  JsonNumber,
  JsonObject,
  type JsonValue,
  memberNames,
  memberOf,
  memberValues,
} from "../../../../protocol/json/json-value.js";
import { phpNumberOf } from "../../../../protocol/json/php-number.js";
import {
  type Bson,
  type BsonDocument,
  Int32,
  isArray,
  isDocument,
  typeOf,
  WrittenDouble,
} from "../../../mongo/store/values/bson.js";
import { endOfValue, type MemberName, valueAt } from "../values/member-value.js";

const INTEGER = /^-?\d+$/;
/** The first character of a list. */
const LIST = 0x5b;
const QUOTE = 0x22;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;

export function bsonOf(value: JsonValue): Bson {
  if (typeof value === "string") return bytesOfText(value);
  if (value instanceof JsonNumber) return numberOf(value.text);
  if (value instanceof JsonObject) return documentOf(value);
  return isContainer(value) ? value.map(bsonOf) : value;
}

/** Returns a number with its digits. */
function numberOf(text: string): Bson {
  const number = valueOfNumber(text);
  return typeof number === "number" && (String(number) !== text || Object.is(number, -0))
    ? new WrittenDouble(number, text)
    : number;
}

/** Returns the value of a number, whose digits a condition does not need. */
function valueOfNumber(text: string): Int32 | bigint | number {
  if (text === "-0") return -0;
  const number = phpNumberOf(text);
  if (typeof number === "bigint" || !Number.isSafeInteger(number) || !INTEGER.test(text)) return number;
  return (number | 0) === number ? new Int32(number) : BigInt(number);
}

/** Returns the members of an object or a list, whose names are 0, 1, 2, …, as a new document. */
export function documentOf(container: JsonContainer): Map<ByteString, Bson> {
  const values = memberValues(container);
  return new Map(
    memberNames(container).map((name, at) => [bytesOfText(name), bsonOf(values[at] as JsonValue)]),
  );
}

/** @throws CommandFailure if JSON has no such value */
export function jsonOf(value: Bson): JsonValue {
  if (typeof value === "string") return textOfBytes(value);
  if (value === null || typeof value === "boolean") return value;
  if (value instanceof WrittenDouble) return new JsonNumber(value.text);
  if (value instanceof Int32) return new JsonNumber(String(value.value));
  if (typeof value === "bigint" || Number.isFinite(value)) return new JsonNumber(String(value));
  if (isArray(value)) return value.map(jsonOf);
  if (isDocument(value)) return objectOf(value);
  const what =
    typeof value === "number" ? "a number that is not finite" : `a value of the type ${typeOf(value).name}`;
  throw custom(`ERR UPDATE: the result would be ${what}, which JSON does not have`);
}

function objectOf(document: BsonDocument): JsonObject {
  const object = new JsonObject();
  for (const [name, value] of document) object.set(textOfBytes(name), jsonOf(value));
  return object;
}

/** Returns a document as an object, or as a list if it was one and its names are still 0, 1, 2, …. */
export function containerOf(document: BsonDocument, wasList: boolean): JsonContainer {
  const object = objectOf(document);
  return wasList && isListLike(object.names) ? object.values : object;
}

/**
 * Returns the value of an entry's direct member, or undefined if there is no such member.
 * @param text the text of the entry as `writeJson` writes it
 */
export function bsonIn(text: ByteString, name: MemberName): Bson | undefined {
  if (text.charCodeAt(0) === LIST) {
    const member = memberOf(parseJson(textOfBytes(text)) as readonly JsonValue[], name.name);
    return member === undefined ? undefined : bsonOf(member);
  }

  const from = valueAt(text, name);
  if (from < 0) return undefined;
  const written = text.slice(from, endOfValue(text, from));
  const first = written.charCodeAt(0);
  if (first === QUOTE && !written.includes("\\")) return written.slice(1, -1);
  if (first === MINUS || (first >= ZERO && first <= NINE)) return valueOfNumber(written);

  return bsonOf(parseJson(textOfBytes(written)));
}
