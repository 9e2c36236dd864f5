/**
 * The order of all BSON values, and a text for each value by which equal values are found. Source: MongoDB's manual,
 * "Comparison/Sort Order".
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import {
  Binary,
  type Bson,
  BsonDate,
  type BsonDocument,
  NUMBER_RANK,
  ObjectId,
  Regex,
  rankOf,
  Timestamp,
} from "./bson.js";
import { type BsonNumber, compareNumbers, numberKey } from "./bson-numbers.js";

/** Compares two values of any type. @param a undefined if the field is missing */
export function compareBson(a: Bson | undefined, b: Bson | undefined): number {
  const rank = rankOf(a);
  const difference = rank - rankOf(b);
  if (difference !== 0) return difference;
  if (rank === NUMBER_RANK) return compareNumbers(a as BsonNumber, b as BsonNumber);
  if (typeof a === "string") return order(a, b as ByteString);
  if (a instanceof Map) return compareDocuments(a, b as BsonDocument);
  if (Array.isArray(a)) return compareArrays(a, b as readonly Bson[]);
  if (a instanceof ObjectId) return order(a.bytes, (b as ObjectId).bytes);
  if (a instanceof BsonDate) return order(a.at, (b as BsonDate).at);
  if (typeof a === "boolean") return Number(a) - Number(b);
  if (a instanceof Timestamp) return order(a.value, (b as Timestamp).value);
  if (a instanceof Binary) {
    const other = b as Binary;
    return a.bytes.length - other.bytes.length || a.subtype - other.subtype || order(a.bytes, other.bytes);
  }
  if (a instanceof Regex)
    return order(a.pattern, (b as Regex).pattern) || order(a.options, (b as Regex).options);

  return 0;
}

function order<T extends ByteString | bigint>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Compares field by field: first the values' types, then the names, then the values. */
function compareDocuments(a: BsonDocument, b: BsonDocument): number {
  const entriesOfB = b.entries();
  for (const [name, value] of a) {
    const { value: other, done } = entriesOfB.next();
    if (done === true) return 1;
    const difference =
      rankOf(value) - rankOf(other[1]) || order(name, other[0]) || compareBson(value, other[1]);
    if (difference !== 0) return difference;
  }
  return a.size - b.size;
}

function compareArrays(a: readonly Bson[], b: readonly Bson[]): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const difference = compareBson(a[i], b[i]);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Returns a text that is the same for values that are equal in this order. No text is the beginning of another one. */
export function keyOf(value: Bson | undefined): ByteString {
  const rank = rankOf(value);
  if (rank === NUMBER_RANK) return `n${numberKey(value as BsonNumber)};`;
  if (typeof value === "string") return `s${value.length}:${value}`;
  if (value instanceof ObjectId) return `o${value.bytes}`;
  if (value instanceof BsonDate) return `t${value.at};`;

  if (value instanceof Map) {
    let text = "{";
    for (const [name, field] of value) text += `.${name.length}:${name}${keyOf(field)}`;
    return `${text}}`;
  }

  if (Array.isArray(value)) return `[${value.map(keyOf).join("")}]`;
  if (value instanceof Timestamp) return `T${value.value};`;
  if (value instanceof Binary) return `b${value.subtype}:${value.bytes.length}:${value.bytes}`;
  if (value instanceof Regex) return `r${value.pattern}\0${value.options}\0`;

  return typeof value === "boolean" ? `z${Number(value)}` : `x${rank};`;
}
