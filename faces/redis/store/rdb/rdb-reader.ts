/** Reads the parts of values in RDB: lengths, strings in their encodings, doubles. Source: redis-server 7.0's dumps. */

import { parseDouble } from "../../../../daemon/store/arguments/number-arguments.js";
import { STRING_BYTES_MAX } from "../../../../daemon/store/values/value.js";
import { type ByteString, bytesOf } from "../../../../protocol/byte-string.js";

/** Thrown for bytes that are not a value in RDB. The caller reports the error; nothing has been changed. */
export class MalformedRdb extends Error {
  override readonly name = "MalformedRdb";
}

/** The first bytes of lengths in wider forms. */
const LENGTH_32 = 0x80;
const LENGTH_64 = 0x81;

/** String encodings, in the low bits of the first byte. */
const INT8 = 0;
const INT16 = 1;
const INT32 = 2;
const LZF = 3;

/** The first bytes of textual doubles that are not lengths. */
const NOT_A_NUMBER = 253;
const INFINITY = 254;
const NEGATIVE_INFINITY = 255;

/**
 * Maximum total length of a payload's decompressed strings: the maximum length of one string. One compressed byte can
 * expand to 88 bytes.
 */
const EXPANDED_BYTES_MAX = STRING_BYTES_MAX;

/** Number of bytes in the smallest element of a packed collection. */
const ELEMENT_BYTES_MIN = 2;

/** Counts the elements and bytes into which a compressed string is about to expand. */
export type Expand = (elements: number, bytes: number) => void;

export class RdbReader {
  readonly #buffer: Buffer;
  readonly #expand: Expand;
  #at = 0;
  /** Number of bytes decompressed so far. */
  #expanded = 0;

  /** @param expand called before a string is decompressed; may throw */
  constructor(buffer: Buffer, expand: Expand = () => {}) {
    this.#buffer = buffer;
    this.#expand = expand;
  }

  get hasMore(): boolean {
    return this.#at < this.#buffer.length;
  }

  readByte(): number {
    return this.#take(1)[0] as number;
  }

  /**
   * Reads a length, or another number in the form of a length.
   * @throws MalformedRdb if the length belongs to an encoded string or is above 2⁵³
   */
  readLength(): number {
    const first = this.readByte();
    if (first >> 6 === 3) throw new MalformedRdb("expected a length, found an encoded string");
    return this.#lengthFrom(first);
  }

  /** Reads a number of up to 64 bits. */
  readBigLength(): bigint {
    if (this.#buffer[this.#at] !== LENGTH_64) return BigInt(this.readLength());
    this.#at++;
    return this.#take(8).readBigUInt64BE();
  }

  /** Reads a string as a copy; integers as decimal texts. @throws the error of `expand` */
  readString(): ByteString {
    return bytesOf(this.#readBytes(false));
  }

  /**
   * Reads the bytes of several elements, possibly as a view, which the caller must not change.
   * @throws the error of `expand`
   */
  readBytes(): Buffer {
    return this.#readBytes(true);
  }

  #readBytes(isPacked: boolean): Buffer {
    const first = this.readByte();
    if (first >> 6 !== 3) return this.#take(this.#lengthFrom(first));

    switch (first & 0x3f) {
      case INT8:
        return Buffer.from(String(this.#take(1).readInt8()));
      case INT16:
        return Buffer.from(String(this.#take(2).readInt16LE()));
      case INT32:
        return Buffer.from(String(this.#take(4).readInt32LE()));
      case LZF: {
        const length = this.readLength();
        const size = this.readLength();
        this.#expanded += size;
        if (this.#expanded > EXPANDED_BYTES_MAX) throw new MalformedRdb("compressed strings are too long");
        const compressed = this.#take(length);
        this.#expand(isPacked ? size / ELEMENT_BYTES_MIN : 0, size);
        return decompressLzf(compressed, size);
      }
      default:
        throw new MalformedRdb("a string is in an unknown encoding");
    }
  }

  /** Reads bytes without a length, possibly as a view, which the caller must not change. */
  readRaw(length: number): Buffer {
    return this.#take(length);
  }

  readInt64(): bigint {
    return this.#take(8).readBigInt64LE();
  }

  /** Reads a double of 8 bytes. */
  readDouble(): number {
    return this.#take(8).readDoubleLE();
  }

  /** Reads a double as text, the form of older versions. */
  readTextDouble(): number {
    const length = this.readByte();
    if (length === NOT_A_NUMBER) return Number.NaN;
    if (length === INFINITY) return Number.POSITIVE_INFINITY;
    if (length === NEGATIVE_INFINITY) return Number.NEGATIVE_INFINITY;
    return parseDouble(bytesOf(this.#take(length))) ?? Number.NaN;
  }

  #lengthFrom(first: number): number {
    if (first >> 6 === 0) return first;
    if (first >> 6 === 1) return ((first & 0x3f) << 8) | this.readByte();
    if (first === LENGTH_32) return this.#take(4).readUInt32BE();
    const length = first === LENGTH_64 ? Number(this.#take(8).readBigUInt64BE()) : Number.NaN;
    if (!Number.isSafeInteger(length)) throw new MalformedRdb("a length is in an unknown form, or too large");
    return length;
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#buffer.length) throw new MalformedRdb("expected more bytes");
    const view = this.#buffer.subarray(this.#at, end);
    this.#at = end;
    return view;
  }
}

/**
 * A control byte of LZF below this value is the number of literal bytes minus one; any other begins a back reference.
 */
const LZF_LITERAL_MAX = 32;
/** A back reference with this length in its control byte has another length byte. */
const BACK_LENGTH_LONG = 7;
/**
 * The maximum number of bytes to which a compressed byte can expand: the three bytes of a long back reference encode
 * up to 7 + 255 + 2 bytes.
 */
const LZF_EXPANSION_MAX = (BACK_LENGTH_LONG + 255 + 2) / 3;

/**
 * Decompresses LZF, with which Redis compresses long strings. Source: the format of liblzf 3.6.
 * @param size the length of the result
 * @throws MalformedRdb if the result has another size, or a back reference points before the beginning
 */
function decompressLzf(input: Uint8Array, size: number): Buffer {
  // Checked before memory is allocated, because the sender states the size.
  if (size > input.length * LZF_EXPANSION_MAX)
    throw new MalformedRdb("a compressed string is too short for its size");

  const output = Buffer.alloc(size);
  let from = 0;
  let to = 0;
  while (from < input.length) {
    const control = input[from++] as number;
    if (control < LZF_LITERAL_MAX) {
      const end = from + control + 1;
      if (end > input.length || to + control + 1 > size)
        throw new MalformedRdb("a compressed string is truncated");
      output.set(input.subarray(from, end), to);
      to += control + 1;
      from = end;
      continue;
    }

    let length = (control >> 5) + 2;
    if (length === BACK_LENGTH_LONG + 2) length += input[from++] ?? 0;
    const back = ((control & 0x1f) << 8) + (input[from++] ?? 0) + 1;
    if (from > input.length || back > to || to + length > size)
      throw new MalformedRdb("a compressed string refers to bytes before its beginning");

    // Copied byte by byte, because a back reference may overlap its own output.
    for (const end = to + length; to < end; to++) output[to] = output[to - back] as number;
  }
  if (to !== size) throw new MalformedRdb("a compressed string has a different size than stated");

  return output;
}
