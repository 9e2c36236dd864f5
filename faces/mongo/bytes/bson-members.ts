/**
 * Reads the members of one document, without descending into members that are themselves documents. The cost therefore
 * depends only on the document's length, not on its contents or depth.
 */
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import { BSON } from "./bson-types.js";

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
