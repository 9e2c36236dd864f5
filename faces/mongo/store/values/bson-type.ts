/**
 * The types of BSON: the number, the name and the rank of each in the order of all values. Source: MongoDB's manual,
 * "Comparison/Sort Order".
 */

import {
  Binary,
  type Bson,
  BsonDate,
  type Extreme,
  Int32,
  ObjectId,
  Regex,
  Timestamp,
  WrittenDouble,
} from "./bson.js";
import { Decimal } from "./decimal.js";

export interface BsonType {
  /** The type's number in BSON. */
  readonly number: number;
  /** The type's name in $type. */
  readonly name: string;
  /** Position in the order of all values: values of a smaller rank come first; all types of numbers share a rank. */
  readonly rank: number;
}

const type = (number: number, name: string, rank: number): BsonType => ({ number, name, rank });

export const TYPES = {
  minKey: type(-1, "minKey", -1),
  null: type(10, "null", 5),
  double: type(1, "double", 10),
  int: type(16, "int", 10),
  long: type(18, "long", 10),
  decimal: type(19, "decimal", 10),
  string: type(2, "string", 15),
  object: type(3, "object", 20),
  array: type(4, "array", 25),
  binData: type(5, "binData", 30),
  objectId: type(7, "objectId", 35),
  bool: type(8, "bool", 40),
  date: type(9, "date", 45),
  timestamp: type(17, "timestamp", 47),
  regex: type(11, "regex", 50),
  maxKey: type(127, "maxKey", 127),
} as const;

/** The rank of a missing value: it sorts before null, but queries treat the two as equal. */
export const MISSING_RANK = 0;
export const NUMBER_RANK = TYPES.int.rank;

const byName = new Map<string, BsonType>(Object.values(TYPES).map((one) => [one.name, one]));
const byNumber = new Map<number, BsonType>(Object.values(TYPES).map((one) => [one.number, one]));

export const typeNamed = (name: string): BsonType | undefined => byName.get(name);
export const typeNumbered = (number: number): BsonType | undefined => byNumber.get(number);

export function typeOf(value: Bson): BsonType {
  switch (typeof value) {
    case "string":
      return TYPES.string;
    case "number":
      return TYPES.double;
    case "bigint":
      return TYPES.long;
    case "boolean":
      return TYPES.bool;
  }
  if (value === null) return TYPES.null;
  if (value instanceof Int32) return TYPES.int;
  if (value instanceof WrittenDouble) return TYPES.double;
  if (value instanceof ObjectId) return TYPES.objectId;
  if (Array.isArray(value)) return TYPES.array;
  if (value instanceof Map) return TYPES.object;
  if (value instanceof BsonDate) return TYPES.date;
  if (value instanceof Decimal) return TYPES.decimal;
  if (value instanceof Binary) return TYPES.binData;
  if (value instanceof Timestamp) return TYPES.timestamp;
  if (value instanceof Regex) return TYPES.regex;
  return (value as Extreme).side === "min" ? TYPES.minKey : TYPES.maxKey;
}

export const rankOf = (value: Bson | undefined): number =>
  value === undefined ? MISSING_RANK : typeOf(value).rank;
