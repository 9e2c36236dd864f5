/**
 * Parses BSON. It checks everything: lengths, terminators, types, names, texts and nesting depth. Bytes that were
 * checked on arrival may be read without checking their texts again.
 */
import { type ByteString, bytesOfText, textOfBytes } from "../../../../protocol/byte-string.js";
import {
  Binary,
  type Bson,
  BsonDate,
  type BsonDocument,
  BsonFault,
  DEPTH_MAX,
  DOCUMENT_BYTES_MAX,
  DocumentTooLarge,
  Int32,
  MAX_KEY,
  MIN_KEY,
  ObjectId,
  Regex,
  Timestamp,
} from "./bson.js";
import { Decimal } from "./decimal.js";

/** Length of a document without fields: its length field and its terminator. */
const DOCUMENT_BYTES_MIN = 5;
const OBJECT_ID_BYTES = 12;
const DECIMAL_BYTES = 16;
/** The subtype of binary data that contains its length a second time. */
const OLD_BINARY = 2;

/** The options of regular expressions that drivers accept. */
const REGEX_OPTIONS = /^[ilmsux]*$/;

const scratch = new DataView(new ArrayBuffer(8));

class BsonReader {
  readonly #bytes: ByteString;
  /** Whether the texts have been checked before. */
  readonly #isKnown: boolean;
  #at = 0;
  /** Number of values created so far. */
  values = 0;

  constructor(bytes: ByteString, isKnown: boolean) {
    this.#bytes = bytes;
    this.#isKnown = isKnown;
  }

  get at(): number {
    return this.#at;
  }

  /** @param only names of the fields to read; null means all fields */
  document(depth: number, only: ReadonlySet<ByteString> | null): BsonDocument {
    const end = this.#begin(depth);
    const fields = new Map<ByteString, Bson>();
    for (let type = this.#byte(); type !== 0; type = this.#byte()) {
      const name = this.#cstring();
      if (only !== null && !only.has(name)) {
        this.#skip(type);
        continue;
      }
      if (fields.has(name)) throw new BsonFault("a document contains a field twice");
      fields.set(name, this.#value(type, depth));
      if (fields.size === only?.size) {
        this.#at = end;
        return fields;
      }
    }

    this.#end(end);
    return fields;
  }

  #array(depth: number): readonly Bson[] {
    const end = this.#begin(depth);
    const items: Bson[] = [];
    for (let type = this.#byte(); type !== 0; type = this.#byte()) {
      // The names of an array's elements are ignored. Like drivers, this reader counts the elements itself.
      this.#cstring();
      items.push(this.#value(type, depth));
    }
    this.#end(end);
    return items;
  }

  #begin(depth: number): number {
    if (depth > DEPTH_MAX) throw new BsonFault(`documents are nested more than ${DEPTH_MAX} levels deep`);
    const start = this.#at;
    const length = this.#int32();
    if (length < DOCUMENT_BYTES_MIN || start + length > this.#bytes.length)
      throw new BsonFault("a document's length field differs from its length");
    return start + length;
  }

  #end(end: number): void {
    if (this.#at !== end) throw new BsonFault("a document does not end at its stated length");
  }

  #value(type: number, depth: number): Bson {
    this.values++;
    switch (type) {
      case 0x01:
        return this.#double();
      case 0x02:
        return this.#string();
      case 0x03:
        return this.document(depth + 1, null);
      case 0x04:
        return this.#array(depth + 1);
      case 0x05:
        return this.#binary();
      case 0x07:
        return new ObjectId(this.#take(OBJECT_ID_BYTES));
      case 0x08:
        return this.#boolean();
      case 0x09:
        return new BsonDate(this.#int64());
      case 0x0a:
        return null;
      case 0x0b:
        return this.#regex();
      case 0x10:
        return new Int32(this.#int32());
      case 0x11:
        return new Timestamp(BigInt.asUintN(64, this.#int64()));
      case 0x12:
        return this.#int64();
      case 0x13:
        return new Decimal(this.#take(DECIMAL_BYTES));
      case 0x7f:
        return MAX_KEY;
      case 0xff:
        return MIN_KEY;
      default:
        throw new BsonFault(`a value is of type ${type}, ${REFUSED.get(type) ?? "which does not exist"}`);
    }
  }

  /** Skips a value in bytes that have been checked. */
  #skip(type: number): void {
    const fixed = FIXED.get(type);
    if (fixed !== undefined) {
      this.#at += fixed;
      return;
    }

    const extra = EXTRA_LENGTH.get(type);
    if (extra === undefined) {
      this.#value(type, 0);
      return;
    }

    const length = this.#int32();
    this.#at += length + extra;
  }

  #byte(): number {
    if (this.#at >= this.#bytes.length) throw new BsonFault("a document ends too early");
    return this.#bytes.charCodeAt(this.#at++);
  }

  #take(length: number): ByteString {
    const start = this.#at;
    if (length < 0 || start + length > this.#bytes.length)
      throw new BsonFault("a value is longer than its document");
    this.#at += length;
    return this.#bytes.slice(start, this.#at);
  }

  #int32(): number {
    const bytes = this.#bytes;
    const at = this.#at;
    if (at + 4 > bytes.length) throw new BsonFault("a document ends too early");
    this.#at += 4;
    return (
      bytes.charCodeAt(at) |
      (bytes.charCodeAt(at + 1) << 8) |
      (bytes.charCodeAt(at + 2) << 16) |
      (bytes.charCodeAt(at + 3) << 24)
    );
  }

  #eight(): void {
    const bytes = this.#take(8);
    for (let i = 0; i < 8; i++) scratch.setUint8(i, bytes.charCodeAt(i));
  }

  #int64(): bigint {
    this.#eight();
    return scratch.getBigInt64(0, true);
  }

  #double(): number {
    this.#eight();
    return scratch.getFloat64(0, true);
  }

  #boolean(): boolean {
    const byte = this.#byte();
    if (byte > 1) throw new BsonFault("a boolean is neither true nor false");
    return byte === 1;
  }

  #string(): ByteString {
    const length = this.#int32();
    if (length < 1) throw new BsonFault("a string has no terminator");
    const bytes = this.#take(length);
    if (bytes.charCodeAt(length - 1) !== 0) throw new BsonFault("a string has no terminator");
    return this.#checked(bytes.slice(0, -1));
  }

  #cstring(): ByteString {
    const end = this.#bytes.indexOf("\0", this.#at);
    if (end < 0) throw new BsonFault("a name has no terminator");
    return this.#checked(this.#take(end + 1 - this.#at).slice(0, -1));
  }

  #checked(bytes: ByteString): ByteString {
    if (!this.#isKnown && bytesOfText(textOfBytes(bytes)) !== bytes)
      throw new BsonFault("a string is not UTF-8");
    return bytes;
  }

  #regex(): Regex {
    const regex = new Regex(this.#cstring(), this.#cstring());
    if (!REGEX_OPTIONS.test(regex.options)) throw new BsonFault("a regex has an unknown option");
    return regex;
  }

  #binary(): Binary {
    const length = this.#int32();
    const subtype = this.#byte();
    const start = this.#at;
    const bytes = this.#take(length);
    if (subtype === OLD_BINARY) {
      this.#at = start;
      if (this.#int32() !== length - 4) throw new BsonFault("binary of subtype 2 has inconsistent lengths");
      this.#at = start + length;
    }
    return new Binary(subtype, bytes);
  }
}

/** Lengths of the values of fixed length. */
const FIXED: ReadonlyMap<number, number> = new Map([
  [0x01, 8],
  [0x07, OBJECT_ID_BYTES],
  [0x08, 1],
  [0x09, 8],
  [0x0a, 0],
  [0x10, 4],
  [0x11, 8],
  [0x12, 8],
  [0x13, DECIMAL_BYTES],
  [0x7f, 0],
  [0xff, 0],
]);

/**
 * Number of bytes in addition to those that a value's length field counts; negative if the length field counts itself.
 */
const EXTRA_LENGTH: ReadonlyMap<number, number> = new Map([
  [0x02, 0],
  [0x03, -4],
  [0x04, -4],
  [0x05, 1],
]);

const REFUSED: ReadonlyMap<number, string> = new Map([
  [0x06, "undefined, which is not supported"],
  [0x0c, "a database pointer, which is not supported"],
  [0x0d, "JavaScript code, which is not supported"],
  [0x0e, "a symbol, which is not supported"],
  [0x0f, "JavaScript code with scope, which is not supported"],
]);

/** @throws BsonFault if the bytes are not a document that can be stored */
export function readBson(bytes: ByteString, max = DOCUMENT_BYTES_MAX): BsonDocument {
  if (bytes.length > max) throw new DocumentTooLarge(bytes.length, max);
  const reader = new BsonReader(bytes, false);
  const document = reader.document(1, null);
  if (reader.at !== bytes.length) throw new BsonFault("bytes follow the document");
  return document;
}

/** Reads bytes that readBson has accepted. @param only names of the fields to read; null means all fields */
export function readKnownBson(bytes: ByteString, only: ReadonlySet<ByteString> | null = null): BsonDocument {
  return new BsonReader(bytes, true).document(1, only);
}

/** Reads bytes that readBson has accepted, and returns the number of values created, which is the cost of reading. */
export function countedBson(
  bytes: ByteString,
  only: ReadonlySet<ByteString> | null,
): { readonly document: BsonDocument; readonly values: number } {
  const reader = new BsonReader(bytes, true);
  const document = reader.document(1, only);
  return { document, values: reader.values };
}
