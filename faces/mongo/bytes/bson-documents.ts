/**
 * Writes BSON documents as bytes from their members, and reads the members of one document, without descending into
 * members that are themselves documents. The cost of reading therefore depends only on the document's length, not on
 * its contents or depth.
 */
import { type ByteString, bytesOf, bytesOfText } from "../../../protocol/byte-string.js";

/** The numbers of BSON's element types. Source: bsonspec.org, version 1.1. */
export const BSON = {
  double: 0x01,
  text: 0x02,
  document: 0x03,
  array: 0x04,
  binary: 0x05,
  undefined: 0x06,
  objectId: 0x07,
  boolean: 0x08,
  date: 0x09,
  nil: 0x0a,
  pattern: 0x0b,
  pointer: 0x0c,
  code: 0x0d,
  symbol: 0x0e,
  scopedCode: 0x0f,
  int32: 0x10,
  timestamp: 0x11,
  int64: 0x12,
  decimal: 0x13,
  maxKey: 0x7f,
  minKey: 0xff,
} as const;

/** A value: its type and its bytes. */
export interface BsonValue {
  readonly type: number;
  readonly bytes: ByteString;
}

const scratch = Buffer.alloc(8);

export function int32Bytes(value: number): ByteString {
  scratch.writeInt32LE(value, 0);
  return bytesOf(scratch, 0, 4);
}

function int64Bytes(value: bigint): ByteString {
  scratch.writeBigInt64LE(value, 0);
  return bytesOf(scratch, 0, 8);
}

function doubleBytes(value: number): ByteString {
  scratch.writeDoubleLE(value, 0);
  return bytesOf(scratch, 0, 8);
}

export const int32 = (value: number): BsonValue => ({ type: BSON.int32, bytes: int32Bytes(value) });
export const int64 = (value: bigint): BsonValue => ({ type: BSON.int64, bytes: int64Bytes(value) });
export const double = (value: number): BsonValue => ({ type: BSON.double, bytes: doubleBytes(value) });
export const boolean = (value: boolean): BsonValue => ({
  type: BSON.boolean,
  bytes: value ? "\x01" : "\x00",
});
/** Returns a date. @param value  milliseconds since 1970 */
export const date = (value: number): BsonValue => ({ type: BSON.date, bytes: int64Bytes(BigInt(value)) });
/** Returns a string. @param bytes  UTF-8 */
export const text = (bytes: ByteString): BsonValue => ({
  type: BSON.text,
  bytes: `${int32Bytes(bytes.length + 1)}${bytes}\0`,
});
/** Returns a string. @param value  characters */
export const textOf = (value: string): BsonValue => text(bytesOfText(value));
export const objectId = (bytes: ByteString): BsonValue => ({ type: BSON.objectId, bytes });
export const binary = (subtype: number, bytes: ByteString): BsonValue => ({
  type: BSON.binary,
  bytes: `${int32Bytes(bytes.length)}${String.fromCharCode(subtype)}${bytes}`,
});
/** Returns an embedded document. @param bytes  a complete document */
export const embedded = (bytes: ByteString): BsonValue => ({ type: BSON.document, bytes });

/** Returns the bytes of a member. @param name  UTF-8, without a 0 */
export function element(name: ByteString, { type, bytes }: BsonValue): ByteString {
  return `${String.fromCharCode(type)}${name}\0${bytes}`;
}

export type BsonMembers = Readonly<Record<string, BsonValue>>;

/** Returns the bytes of members. @param members  their names must be ASCII */
export function elements(members: BsonMembers): ByteString {
  let written = "";
  for (const [name, value] of Object.entries(members)) written += element(name, value);
  return written;
}

/** Returns a document with elements that are already written. */
export function documentBytes(written: ByteString): ByteString {
  return `${int32Bytes(written.length + 5)}${written}\0`;
}

export const document = (members: BsonMembers): BsonValue => embedded(documentBytes(elements(members)));

export function list(values: readonly BsonValue[]): BsonValue {
  let written = "";
  for (const [at, value] of values.entries()) written += element(String(at), value);
  return { type: BSON.array, bytes: documentBytes(written) };
}

/** Thrown if the bytes are not a valid document. */
export class MalformedBson extends Error {}

export interface Member {
  readonly type: number;
  /** The name, as UTF-8. */
  readonly name: ByteString;
  /** The offset of the element, which begins with its type and name. */
  readonly start: number;
  /** The offset of the value. */
  readonly from: number;
  readonly end: number;
}

const LENGTH_BYTES = 4;
/** The lengths of the types whose values have a fixed length. */
const LENGTHS: ReadonlyMap<number, number> = new Map([
  [BSON.double, 8],
  [BSON.undefined, 0],
  [BSON.objectId, 12],
  [BSON.boolean, 1],
  [BSON.date, 8],
  [BSON.nil, 0],
  [BSON.int32, 4],
  [BSON.timestamp, 8],
  [BSON.int64, 8],
  [BSON.decimal, 16],
  [BSON.maxKey, 0],
  [BSON.minKey, 0],
]);
/**
 * The number of bytes that the length of a value does not include: the length itself, and a subtype or an id after it.
 */
const UNCOUNTED: ReadonlyMap<number, number> = new Map([
  [BSON.text, LENGTH_BYTES],
  [BSON.document, 0],
  [BSON.array, 0],
  [BSON.binary, LENGTH_BYTES + 1],
  [BSON.pointer, LENGTH_BYTES + 12],
  [BSON.code, LENGTH_BYTES],
  [BSON.symbol, LENGTH_BYTES],
  [BSON.scopedCode, 0],
]);

/** Iterates over the members of a document. @param bytes  a complete document @throws MalformedBson */
export function* membersOf(bytes: Buffer): Generator<Member, void> {
  const last = bytes.length - 1;
  if (last < LENGTH_BYTES || bytes.readInt32LE(0) !== bytes.length || bytes[last] !== 0)
    throw new MalformedBson("a document with a wrong length");

  for (let start = LENGTH_BYTES; start < last; ) {
    const type = bytes[start] as number;
    const nameEnd = bytes.indexOf(0, start + 1);
    if (nameEnd >= last) throw new MalformedBson("a name without a terminator");
    const from = nameEnd + 1;
    const end = endOf(bytes, type, from, last);
    yield { type, name: bytesOf(bytes, start + 1, nameEnd), start, from, end };
    start = end;
  }
}

function endOf(bytes: Buffer, type: number, from: number, last: number): number {
  const end = type === BSON.pattern ? patternEnd(bytes, from) : from + lengthAt(bytes, type, from, last);
  if (end > last) throw new MalformedBson("a value beyond the end of its document");
  return end;
}

function lengthAt(bytes: Buffer, type: number, from: number, last: number): number {
  const fixed = LENGTHS.get(type);
  if (fixed !== undefined) return fixed;
  const uncounted = UNCOUNTED.get(type);
  if (uncounted === undefined) throw new MalformedBson(`a value of type ${type}`);
  const declared = from + LENGTH_BYTES > last ? -1 : bytes.readInt32LE(from);
  if (declared < 0) throw new MalformedBson("a value with a wrong length");
  // A value is at least as long as its length field, even if the field declares less.
  return Math.max(declared + uncounted, LENGTH_BYTES);
}

/** Returns the end of a pattern: two texts, each terminated by a 0. */
function patternEnd(bytes: Buffer, from: number): number {
  const middle = bytes.indexOf(0, from);
  const end = middle < 0 ? -1 : bytes.indexOf(0, middle + 1);
  return end < 0 ? bytes.length : end + 1;
}
