/** Writes the parts of values in RDB, each in its simplest form, which every version can read. */
import { stringTooLong } from "../../../../daemon/store/arguments/command-errors.js";
import { STRING_BYTES_MAX } from "../../../../daemon/store/values/value.js";
import { type ByteString, bytesOf } from "../../../../protocol/byte-string.js";

/** Initial size of the buffer, which is doubled when it is full. */
const CAPACITY_MIN = 256;
/** Maximum length that fits in one byte. */
const LENGTH_6_MAX = 0x3f;
/** Maximum length that fits in two bytes. */
const LENGTH_14_MAX = 0x3fff;
/** The first bytes of longer lengths: of two bytes, which contains their upper 6 bits, and of 4 and 8 further bytes. */
const LENGTH_14 = 0x40;
const LENGTH_32 = 0x80;
const LENGTH_64 = 0x81;

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
      this.byte(LENGTH_14 | (length >> 8));
      this.byte(length & 0xff);
    } else {
      this.byte(LENGTH_32);
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
    this.byte(LENGTH_64);
    const at = this.#grow(8);
    this.#buffer.writeBigUInt64BE(length, at);
  }

  /** Writes a string, preceded by its length. */
  string(bytes: ByteString): void {
    this.length(bytes.length);
    this.bytes(bytes);
  }

  /** Writes the bytes of a string, without a length, and counts them. */
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

  /** Writes bytes that are not counted. */
  raw(bytes: Uint8Array): void {
    const at = this.#grow(bytes.length);
    this.#buffer.set(bytes, at);
  }

  /** Returns a copy of the bytes written so far. */
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
