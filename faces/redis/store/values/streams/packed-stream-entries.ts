/**
 * Stream entries that are expected not to change, in two byte strings: the ids as fixed-width differences from the
 * first entry's time, and the values, each preceded by its length. Separate objects would cost more than the entries
 * themselves.
 */
import { type ByteString, bytesOf } from "../../../../../protocol/byte-string.js";
import type { StreamEntry } from "./stream-entry.js";
import { msOf, type StreamId, seqOf, streamId } from "./stream-id.js";

/** Names of an entry's fields. */
export type Names = readonly ByteString[];

/**
 * Entries as parallel columns: `values` contains the values of all entries in a row, one for each of an entry's names.
 */
export interface EntryColumns {
  readonly ids: readonly StreamId[];
  readonly names: readonly Names[];
  readonly values: readonly ByteString[];
}

/**
 * Maximum number of bytes of a sealed value. Longer values are stored as separate strings, because a long string should
 * not be created again for each read.
 */
export const SEALED_VALUES_BYTES_MAX = 64 * 1024;

/** Number of bits of a length in one byte; the highest bit means that another byte follows. */
const LENGTH_BITS = 7;
const MORE = 1 << LENGTH_BITS;

/** Maximum number of bytes that are read and written as a number; longer ones are written as a bigint. */
const NUMBER_BYTES_MAX = 6;
/** Bytes of each part of an id. */
const PART_BYTES = 8;
/** Bytes of the second number when a bigint is read as two numbers. */
const LOW_BYTES = 4;
/** The two parts of an id that is written or searched, and their bytes. */
const PARTS = new DataView(new ArrayBuffer(2 * PART_BYTES));
const PARTS_BYTES = new Uint8Array(PARTS.buffer);
const LENGTHS: readonly ByteString[] = Array.from({ length: MORE }, (_, length) =>
  String.fromCharCode(length),
);

export class SealedEntries {
  readonly size: number;
  readonly first: StreamId;
  readonly last: StreamId;
  /** Number of bytes in all values. */
  readonly valueBytes: number;
  /** Number of bytes in each id for the time since the first entry, and for the sequence number. */
  readonly #msBytes: number;
  readonly #seqBytes: number;
  readonly #ids: ByteString;
  /** The names of each entry, or only one list if all entries have the same names. */
  readonly #names: Names | readonly Names[];
  readonly #hasSameNames: boolean;
  readonly #values: ByteString;

  /** @param valueBytes number of bytes in all values together */
  constructor({ ids, names, values }: EntryColumns, valueBytes: number) {
    this.size = ids.length;
    this.first = ids[0] as StreamId;
    this.last = ids[ids.length - 1] as StreamId;
    this.valueBytes = valueBytes;
    const ms = msOf(this.first);
    this.#msBytes = widthOf(msOf(this.last) - ms);
    // All bits that are set in at least one of the sequence numbers.
    this.#seqBytes = widthOf(ids.reduce((bits, id) => bits | seqOf(id), 0n));
    const width = this.#msBytes + this.#seqBytes;
    const bytes = Buffer.alloc(width * ids.length);
    for (const [index, id] of ids.entries()) {
      writeUint(bytes, index * width, this.#msBytes, msOf(id) - ms);
      writeUint(bytes, index * width + this.#msBytes, this.#seqBytes, seqOf(id));
    }
    this.#ids = bytesOf(bytes);
    this.#hasSameNames = names.every((each) => each === names[0]);
    this.#names = this.#hasSameNames ? (names[0] as Names) : names.slice();
    const pieces: ByteString[] = [];
    for (const value of values) pieces.push(lengthBytes(value.length), value);
    this.#values = pieces.join("");
  }

  id(index: number): StreamId {
    const at = index * (this.#msBytes + this.#seqBytes);
    const ms = msOf(this.first) + uintAt(this.#ids, at, this.#msBytes);
    return streamId(ms, uintAt(this.#ids, at + this.#msBytes, this.#seqBytes));
  }

  /** Counts the entries before the given id. */
  countBefore(id: StreamId): number {
    if (id <= this.first) return 0;
    if (id > this.last) return this.size;
    this.#writeSearched(id);
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#isBeforeSearched(middle)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /**
   * Writes an id to `PARTS`, as it is stored; if its sequence number is too long for the stored form, the next id that
   * fits. The id must not be after the last one.
   */
  #writeSearched(id: StreamId): void {
    const seq = seqOf(id);
    const isOver = this.#seqBytes < PART_BYTES && seq >> BigInt(8 * this.#seqBytes) > 0n;
    PARTS.setBigUint64(0, msOf(id) - msOf(this.first) + (isOver ? 1n : 0n));
    PARTS.setBigUint64(PART_BYTES, isOver ? 0n : seq);
  }

  #isBeforeSearched(index: number): boolean {
    const [msBytes, seqBytes] = [this.#msBytes, this.#seqBytes];
    const at = index * (msBytes + seqBytes);
    for (let i = 0; i < msBytes; i++) {
      const difference = this.#ids.charCodeAt(at + i) - (PARTS_BYTES[PART_BYTES - msBytes + i] as number);
      if (difference !== 0) return difference < 0;
    }
    for (let i = 0; i < seqBytes; i++) {
      const stored = this.#ids.charCodeAt(at + msBytes + i);
      const difference = stored - (PARTS_BYTES[2 * PART_BYTES - seqBytes + i] as number);
      if (difference !== 0) return difference < 0;
    }
    return false;
  }

  names(index: number): Names {
    return (this.#hasSameNames ? this.#names : this.#names[index]) as Names;
  }

  /** Yields the entries `from` ≤ index < `to`, in order; they keep the sealed string alive. */
  *entries(from: number, to: number): Generator<StreamEntry> {
    const cursor = new ValueCursor(this.#values);
    for (let index = 0; index < from; index++) cursor.skip(this.names(index).length);
    for (let index = from; index < to; index++) yield this.#entry(index, cursor);
  }

  /** Yields the same entries, the last one first. */
  *reverseEntries(from: number, to: number): Generator<StreamEntry> {
    const cursor = new ValueCursor(this.#values);
    const indexes: number[] = [];
    for (let index = 0; index < to; index++) {
      indexes.push(cursor.at);
      cursor.skip(this.names(index).length);
    }
    for (let index = to - 1; index >= from; index--) {
      cursor.at = indexes[index] as number;
      yield this.#entry(index, cursor);
    }
  }

  #entry(index: number, cursor: ValueCursor): StreamEntry {
    const fields: ByteString[] = [];
    for (const name of this.names(index)) fields.push(name, cursor.take());
    return { id: this.id(index), fields };
  }
}

/** Reads values that are preceded by their lengths. */
class ValueCursor {
  at = 0;
  readonly #bytes: ByteString;

  constructor(bytes: ByteString) {
    this.#bytes = bytes;
  }

  take(): ByteString {
    const length = this.#length();
    const start = this.at;
    this.at += length;
    return this.#bytes.substring(start, this.at);
  }

  skip(values: number): void {
    for (let remaining = values; remaining > 0; remaining--) {
      const length = this.#length();
      this.at += length;
    }
  }

  #length(): number {
    let length = 0;
    for (let shift = 0; ; shift += LENGTH_BITS) {
      const code = this.#bytes.charCodeAt(this.at++);
      length |= (code & (MORE - 1)) << shift;
      if (code < MORE) return length;
    }
  }
}

function lengthBytes(length: number): ByteString {
  return length < MORE
    ? (LENGTHS[length] as ByteString)
    : String.fromCharCode((length & (MORE - 1)) | MORE) + lengthBytes(length >> LENGTH_BITS);
}

/** Returns the number of bytes that a number needs; 0 for the number 0. */
function widthOf(value: bigint): number {
  let bytes = 0;
  for (let remaining = value; remaining > 0n; remaining >>= 8n) bytes++;
  return bytes;
}

function writeUint(buffer: Buffer, at: number, width: number, value: bigint): void {
  if (width === 0) return;
  if (width <= NUMBER_BYTES_MAX) {
    buffer.writeUIntBE(Number(value), at, width);
    return;
  }
  PARTS.setBigUint64(0, value);
  buffer.set(PARTS_BYTES.subarray(PART_BYTES - width, PART_BYTES), at);
}

function uintAt(bytes: ByteString, at: number, width: number): bigint {
  if (width <= NUMBER_BYTES_MAX) return BigInt(numberAt(bytes, at, at + width));
  const middle = at + width - LOW_BYTES;
  const high = BigInt(numberAt(bytes, at, middle)) << BigInt(8 * LOW_BYTES);
  return high | BigInt(numberAt(bytes, middle, at + width));
}

function numberAt(bytes: ByteString, start: number, end: number): number {
  let value = 0;
  for (let i = start; i < end; i++) value = value * 256 + bytes.charCodeAt(i);
  return value;
}
