/** Writes values as BSON. The same value has the same bytes on every machine. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import {
  Binary,
  type Bson,
  BsonDate,
  type BsonDocument,
  BsonFault,
  countValues,
  DEPTH_MAX,
  DOCUMENT_BYTES_MAX,
  DocumentTooLarge,
  type Extreme,
  Int32,
  isArray,
  isLong,
  ObjectId,
  Regex,
  Timestamp,
  WRITTEN_VALUES,
  WrittenDouble,
} from "./bson.js";
import { Decimal } from "./decimal.js";

const scratch = new DataView(new ArrayBuffer(8));
const NAN: ByteString = "\0\0\0\0\0\0\xf8\x7f";

/** The maximum size and depth of a document. */
export interface BsonBounds {
  readonly bytes: number;
  readonly depth: number;
}

const OF_DOCUMENTS: BsonBounds = { bytes: DOCUMENT_BYTES_MAX, depth: DEPTH_MAX };

/** @throws BsonFault if the document is larger or deeper than the bounds permit, or a name contains a zero byte */
export function writeBson(document: BsonDocument, bounds = OF_DOCUMENTS): ByteString {
  return documentBytes(document, 1, bounds);
}

/** Writes a document as `writeBson` does, a large one in steps. @throws BsonFault */
export function* bsonInSteps(document: BsonDocument, bounds = OF_DOCUMENTS): Generator<void, ByteString> {
  return isLong(document) ? yield* documentInSteps(document, 1, bounds) : documentBytes(document, 1, bounds);
}

function* documentInSteps(
  fields: BsonDocument | readonly Bson[],
  depth: number,
  bounds: BsonBounds,
): Generator<void, ByteString> {
  checkDepth(depth, bounds);
  const joined: ByteString[] = [];
  let parts: ByteString[] = [];
  let [length, written] = [5, 0];
  for (const [name, value] of fields.entries()) {
    written += 1 + countValues(value, WRITTEN_VALUES);
    const element = isLong(value)
      ? `${isArray(value) ? "\x04" : "\x03"}${nameBytes(name)}${yield* documentInSteps(value, depth + 1, bounds)}`
      : elementBytes(nameBytes(name), value, depth, bounds);
    length += element.length;
    checkLength(length, bounds);
    parts.push(element);
    if (written < WRITTEN_VALUES) continue;
    joined.push(parts.join(""));
    [parts, written] = [[], 0];
    yield;
  }

  return `${int32(length)}${[...joined, ...parts].join("")}\0`;
}

function checkDepth(depth: number, bounds: BsonBounds): void {
  if (depth > bounds.depth) throw new BsonFault(`documents are nested more than ${bounds.depth} levels deep`);
}

function checkLength(length: number, bounds: BsonBounds): void {
  if (length > bounds.bytes) throw new DocumentTooLarge(null, bounds.bytes);
}

function documentBytes(
  fields: BsonDocument | readonly Bson[],
  depth: number,
  bounds: BsonBounds,
): ByteString {
  checkDepth(depth, bounds);
  const parts: ByteString[] = [];
  let length = 5;
  for (const [name, value] of fields.entries()) {
    const element = elementBytes(nameBytes(name), value, depth, bounds);
    length += element.length;
    checkLength(length, bounds);
    parts.push(element);
  }

  return `${int32(length)}${parts.join("")}\0`;
}

/**
 * Returns the bytes of a field's name, or of an element's index. A zero byte in the name would end it, and no reader
 * could read the document again.
 */
function nameBytes(name: ByteString | number): ByteString {
  if (typeof name === "string" && name.includes("\0"))
    throw new BsonFault("a field's name contains a zero byte");
  return `${name}\0`;
}

function elementBytes(name: ByteString, value: Bson, depth: number, bounds: BsonBounds): ByteString {
  switch (typeof value) {
    case "string":
      return `\x02${name}${int32(value.length + 1)}${value}\0`;
    case "number":
      return `\x01${name}${double(value)}`;
    case "boolean":
      return `\x08${name}${value ? "\x01" : "\0"}`;
    case "bigint":
      return `\x12${name}${int64(value)}`;
  }

  if (value === null) return `\x0a${name}`;
  if (value instanceof Int32) return `\x10${name}${int32(value.value)}`;
  if (value instanceof WrittenDouble) return `\x01${name}${double(value.value)}`;
  if (value instanceof ObjectId) return `\x07${name}${value.bytes}`;
  if (value instanceof Map) return `\x03${name}${documentBytes(value, depth + 1, bounds)}`;
  if (Array.isArray(value)) return `\x04${name}${documentBytes(value, depth + 1, bounds)}`;
  if (value instanceof BsonDate) return `\x09${name}${int64(value.at)}`;
  if (value instanceof Timestamp) return `\x11${name}${int64(value.value)}`;
  if (value instanceof Decimal) return `\x13${name}${value.bytes}`;
  if (value instanceof Binary)
    return `\x05${name}${int32(value.bytes.length)}${String.fromCharCode(value.subtype)}${value.bytes}`;
  if (value instanceof Regex) return `\x0b${name}${value.pattern}\0${value.options}\0`;

  return `${(value as Extreme).side === "min" ? "\xff" : "\x7f"}${name}`;
}

function int32(value: number): ByteString {
  return String.fromCharCode(value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >> 24) & 0xff);
}

function int64(value: bigint): ByteString {
  scratch.setBigInt64(0, BigInt.asIntN(64, value), true);
  return eight();
}

function double(value: number): ByteString {
  // NaN has many bit patterns; without this line the machine would choose one.
  if (Number.isNaN(value)) return NAN;
  scratch.setFloat64(0, value, true);
  return eight();
}

function eight(): ByteString {
  let bytes = "";
  for (let i = 0; i < 8; i++) bytes += String.fromCharCode(scratch.getUint8(i));
  return bytes;
}
