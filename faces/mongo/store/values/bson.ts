/**
 * The values of MongoDB: how each BSON type is represented. A document is a map whose order is part of the state, an
 * array is an array, strings and field names are UTF-8 bytes, a double is a number and an int64 a bigint. Values are
 * immutable.
 * Source: bsonspec.org, version 1.1.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { Decimal } from "./decimal.js";

/** The maximum size of a document, as in MongoDB. */
export const DOCUMENT_BYTES_MAX = 16 * 1024 * 1024;
/** The maximum size of a statement or a command, which may contain a document of the maximum size, as in MongoDB. */
export const STATEMENT_BYTES_MAX = DOCUMENT_BYTES_MAX + 16 * 1024;
/** The maximum nesting depth of documents and arrays, as in MongoDB for stored documents. */
export const DEPTH_MAX = 100;

export type BsonDocument = ReadonlyMap<ByteString, Bson>;

export type Bson =
  | null
  | boolean
  | number
  | bigint
  | ByteString
  | Int32
  | WrittenDouble
  | Decimal
  | ObjectId
  | BsonDate
  | Timestamp
  | Binary
  | Regex
  | Extreme
  | readonly Bson[]
  | BsonDocument;

export class Int32 {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** A double of a JSON document, with its digits as the client wrote them. No BSON document contains it. */
export class WrittenDouble {
  readonly value: number;
  readonly text: string;

  constructor(value: number, text: string) {
    this.value = value;
    this.text = text;
  }
}

export class ObjectId {
  /** The twelve bytes of the id. */
  readonly bytes: ByteString;

  constructor(bytes: ByteString) {
    this.bytes = bytes;
  }
}

export class BsonDate {
  /** The time as signed milliseconds since 1970, 64 bits. */
  readonly at: bigint;

  constructor(at: bigint) {
    this.at = at;
  }
}

export class Timestamp {
  /** The unsigned 64-bit value: seconds since 1970 in the upper half, a counter in the lower half. */
  readonly value: bigint;

  constructor(value: bigint) {
    this.value = value;
  }
}

export class Binary {
  readonly subtype: number;
  readonly bytes: ByteString;

  constructor(subtype: number, bytes: ByteString) {
    this.subtype = subtype;
    this.bytes = bytes;
  }
}

export class Regex {
  readonly pattern: ByteString;
  readonly options: ByteString;

  constructor(pattern: ByteString, options: ByteString) {
    this.pattern = pattern;
    this.options = options;
  }
}

/** The value that sorts before or after all other values. */
export class Extreme {
  readonly side: "min" | "max";

  constructor(side: "min" | "max") {
    this.side = side;
  }
}

export const MIN_KEY = new Extreme("min");
export const MAX_KEY = new Extreme("max");

export const isDocument = (value: Bson | undefined): value is BsonDocument => value instanceof Map;
export const isArray = (value: Bson | undefined): value is readonly Bson[] => Array.isArray(value);

/** Number of values that are written in one step. */
export const WRITTEN_VALUES = 2048;

/** Whether a value contains so many values, including those inside them, that it is written in steps. */
export const isLong = (value: Bson): value is BsonDocument | readonly Bson[] =>
  countValues(value, WRITTEN_VALUES) >= WRITTEN_VALUES;

/** Counts the values in a document or an array, including those inside them, up to about `max`. */
export function countValues(value: Bson, max: number): number {
  if (!(isDocument(value) || isArray(value))) return 0;
  let count = isDocument(value) ? value.size : value.length;
  if (count >= max) return count;
  for (const one of value.values()) {
    count += countValues(one, max - count);
    if (count >= max) break;
  }
  return count;
}

/** Thrown for bytes that cannot be read and for values that cannot be stored. */
export class BsonFault extends Error {}

/** Thrown for a document that is larger than permitted. */
export class DocumentTooLarge extends BsonFault {
  /** @param bytes the size of the document, or null if only a part of it was written */
  constructor(bytes: number | null, max: number) {
    super(
      bytes === null
        ? `a document would have more than ${max} bytes`
        : `a document has ${bytes} bytes, more than ${max}`,
    );
  }
}

interface BsonType {
  /** The type's number in BSON. */
  readonly number: number;
  /** The type's name in $type. */
  readonly name: string;
  /** Position in the order of all values: values of a smaller rank come first; all types of numbers share a rank. */
  readonly rank: number;
}

const type = (number: number, name: string, rank: number): BsonType => ({ number, name, rank });

/**
 * The types of BSON: the number, the name and the rank of each in the order of all values. Source: MongoDB's manual,
 * "Comparison/Sort Order".
 */
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
const MISSING_RANK = 0;
export const NUMBER_RANK = TYPES.int.rank;

const byName = new Map<string, BsonType>(Object.values(TYPES).map((one) => [one.name, one]));
const byNumber = new Map<number, BsonType>(Object.values(TYPES).map((one) => [one.number, one]));

export const typeNamed = (name: string): BsonType | undefined => byName.get(name);
export const typeNumbered = (number: number): BsonType | undefined => byNumber.get(number);

/** Returns the type of a value. */
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
