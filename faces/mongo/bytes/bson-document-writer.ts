/** Writes BSON documents as bytes from their members. */
import { type ByteString, bytesOf, bytesOfText } from "../../../protocol/byte-string.js";
import { BSON } from "./bson-types.js";

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
