/**
 * Values of MongoDB: the representation of each BSON type. A document is a map whose order is state, an array is an array, a string and a
 * field's name are UTF-8 bytes, a double is a number and an int64 a bigint. Values are immutable.
 * Source: bsonspec.org, version 1.1.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Decimal } from "./decimal.js";

/** MongoDB's limit. */
export const DOCUMENT_BYTES_MAX = 16 * 1024 * 1024;
/** Documents and arrays in each other; as MongoDB's, of what is stored. */
export const DEPTH_MAX = 100;

export type BsonDocument = ReadonlyMap<ByteString, Bson>;

export type Bson =
  | null
  | boolean
  | number
  | bigint
  | ByteString
  | Int32
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

export class ObjectId {
  /** Twelve. */
  readonly bytes: ByteString;

  constructor(bytes: ByteString) {
    this.bytes = bytes;
  }
}

export class BsonDate {
  /** Milliseconds since 1970, of 64 bits. */
  readonly at: bigint;

  constructor(at: bigint) {
    this.at = at;
  }
}

export class Timestamp {
  /** 64 bits, unsigned: seconds since 1970 in the upper half, a number in the lower. */
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

/** The minimum or the maximum of all values. */
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

/** Bytes that cannot be read, or a value that cannot be kept. */
export class BsonFault extends Error {}
