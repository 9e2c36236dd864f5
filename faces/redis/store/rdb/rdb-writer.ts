/** Writes the parts of values in RDB, each in its simplest form, which every version can read, and their checksum. */
import { stringTooLong } from "../../../../daemon/store/arguments/command-errors.js";
import { STRING_BYTES_MAX } from "../../../../daemon/store/values/value.js";
import { type ByteString, bytesOf } from "../../../../protocol/byte-string.js";

/** Initial size of the buffer, which is doubled when it is full. */
const CAPACITY_MIN = 256;
/** Maximum length that fits in one byte. */
const LENGTH_6_MAX = 0x3f;
/** Maximum length that fits in two bytes. */
const LENGTH_14_MAX = 0x3fff;

/** Counts bytes that are about to be written. */
export type CountBytes = (bytes: number) => void;

export class RdbWriter {
  readonly #count: CountBytes | null;
  #buffer = Buffer.allocUnsafe(CAPACITY_MIN);
  #size = 0;

  /** @param count counts the bytes of strings; its errors stop the writing; null if bytes are not counted */
  constructor(count: CountBytes | null = null) {
    this.#count = count;
  }

  /** The bytes written so far; valid until more are written. */
  get written(): Buffer {
    return this.#buffer.subarray(0, this.#size);
  }

  byte(value: number): void {
    const at = this.#grow(1);
    this.#buffer[at] = value;
  }

  /** @param length a number below 2³² */
  length(length: number): void {
    if (length <= LENGTH_6_MAX) this.byte(length);
    else if (length <= LENGTH_14_MAX) {
      this.byte(0x40 | (length >> 8));
      this.byte(length & 0xff);
    } else {
      this.byte(0x80);
      const at = this.#grow(4);
      this.#buffer.writeUInt32BE(length, at);
    }
  }

  /** @param length a number below 2⁶⁴ */
  bigLength(length: bigint): void {
    if (length < 2n ** 32n) {
      this.length(Number(length));
      return;
    }
    this.byte(0x81);
    const at = this.#grow(8);
    this.#buffer.writeBigUInt64BE(length, at);
  }

  /** Writes a string, preceded by its length. */
  string(bytes: ByteString): void {
    this.length(bytes.length);
    this.bytes(bytes);
  }

  bytes(bytes: ByteString): void {
    this.#count?.(bytes.length);
    const at = this.#grow(bytes.length);
    this.#buffer.write(bytes, at, "latin1");
  }

  double(value: number): void {
    const at = this.#grow(8);
    this.#buffer.writeDoubleLE(value, at);
  }

  uint16(value: number): void {
    const at = this.#grow(2);
    this.#buffer.writeUInt16LE(value, at);
  }

  uint32(value: number): void {
    const at = this.#grow(4);
    this.#buffer.writeUInt32LE(value, at);
  }

  int64(value: bigint): void {
    const at = this.#grow(8);
    this.#buffer.writeBigInt64LE(value, at);
  }

  raw(bytes: Uint8Array): void {
    const at = this.#grow(bytes.length);
    this.#buffer.set(bytes, at);
  }

  toBytes(): ByteString {
    return bytesOf(this.written);
  }

  /**
   * Makes room for more bytes, possibly in a new buffer.
   * @returns the offset at which to write them
   * @throws CommandFailure if the result would exceed the maximum length of a string
   */
  #grow(bytes: number): number {
    const at = this.#size;
    if (at + bytes > STRING_BYTES_MAX) throw stringTooLong();
    this.#size += bytes;
    if (this.#size > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#size, 2 * this.#buffer.length));
      larger.set(this.#buffer.subarray(0, at));
      this.#buffer = larger;
    }
    return at;
  }
}

/** The polynomial ad93d23594c935a9 with its bits reversed, as two halves. */
const POLYNOMIAL_LOW = 0xac4bc9b5;
const POLYNOMIAL_HIGH = 0x95ac9329;

const [LOW, HIGH] = makeTables();

/**
 * Returns the checksum of `bytes` from `start` to `end` as 8 bytes, little-endian: CRC-64 by Jones, reflected, initial
 * value 0, as at the end of a DUMP payload. Check: "123456789" → e9c6d914c4b8d9ca.
 */
export function crc64(bytes: Uint8Array, start = 0, end = bytes.length): Buffer {
  let low = 0;
  let high = 0;
  for (let at = start; at < end; at++) {
    const index = (low ^ (bytes[at] as number)) & 0xff;
    low = ((low >>> 8) | (high << 24)) ^ (LOW[index] as number);
    high = (high >>> 8) ^ (HIGH[index] as number);
  }
  const checksum = Buffer.alloc(8);
  checksum.writeInt32LE(low, 0);
  checksum.writeInt32LE(high, 4);
  return checksum;
}

/** Builds the tables of a byte's effect on the checksum, as two halves. */
function makeTables(): [Int32Array, Int32Array] {
  const lows = new Int32Array(256);
  const highs = new Int32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let low = byte;
    let high = 0;
    for (let bit = 0; bit < 8; bit++) {
      const isOdd = (low & 1) === 1;
      low = (low >>> 1) | (high << 31);
      high >>>= 1;
      if (!isOdd) continue;
      low ^= POLYNOMIAL_LOW;
      high ^= POLYNOMIAL_HIGH;
    }
    lows[byte] = low;
    highs[byte] = high;
  }
  return [lows, highs];
}
