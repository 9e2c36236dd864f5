/**
 * Stream entries that are expected not to change, in two byte strings: the ids as fixed-width differences from the
 * first entry's time, and the values, each preceded by its length. Separate objects would cost more than the entries
 * themselves.
 */
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
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
    const key = this.#keyOf(id);
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#isBefore(middle, key)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /**
   * Returns an id in the stored form or, if its sequence number is too long for this form, the next id that fits. The
   * id must not be after the last one.
   */
  #keyOf(id: StreamId): Buffer {
    const isOver = widthOf(seqOf(id)) > this.#seqBytes;
    const key = Buffer.alloc(this.#msBytes + this.#seqBytes);
    writeUint(key, 0, this.#msBytes, msOf(id) - msOf(this.first) + (isOver ? 1n : 0n));
    writeUint(key, this.#msBytes, this.#seqBytes, isOver ? 0n : seqOf(id));
    return key;
  }

  #isBefore(index: number, key: Buffer): boolean {
    const at = index * key.length;
    for (let i = 0; i < key.length; i++) {
      const difference = this.#ids.charCodeAt(at + i) - (key[i] as number);
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
  let remaining = value;
  for (let i = at + width - 1; i >= at; i--) {
    buffer[i] = Number(remaining & 0xffn);
    remaining >>= 8n;
  }
}

function uintAt(bytes: ByteString, at: number, width: number): bigint {
  let value = 0;
  const small = Math.min(width, NUMBER_BYTES_MAX);
  for (let i = at; i < at + small; i++) value = value * 256 + bytes.charCodeAt(i);
  let result = BigInt(value);
  for (let i = at + small; i < at + width; i++) result = (result << 8n) | BigInt(bytes.charCodeAt(i));
  return result;
}
