/**
 * The bytes of a long string while commands change parts of it in place. A JavaScript string would have to be copied
 * for each change, which takes milliseconds for large strings. After two complete reads without a change in between,
 * the draft becomes a string again.
 */
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import { STRING_BYTES_MAX } from "./value.js";

/**
 * Minimum length of a string that becomes a draft. Shorter strings are copied, since the JavaScript engine allocates
 * memory for them quickly.
 */
export const DRAFT_BYTES_MIN = 64 * 1024;

export class StringDraft {
  /** A buffer that is at least as long as the string. */
  #buffer: Buffer;
  #length: number;
  /** Whether the complete string was read since the last change. */
  isRead = false;

  constructor(bytes: ByteString) {
    this.#buffer = Buffer.allocUnsafeSlow(bytes.length);
    this.#buffer.write(bytes, "latin1");
    this.#length = bytes.length;
  }

  get length(): number {
    return this.#length;
  }

  /** Returns the bytes `from` ≤ index < `to`, limited to those that exist, as a separate string. */
  slice(from: number, to: number): ByteString {
    return bytesOf(this.#buffer, Math.min(from, this.#length), Math.min(to, this.#length));
  }

  /** Writes bytes, starting at an offset; zeros fill a gap after the old end. */
  patch(offset: number, bytes: ByteString): void {
    this.isRead = false;
    const end = offset + bytes.length;
    if (end > this.#buffer.length) this.#grow(end);
    if (offset > this.#length) this.#buffer.fill(0, this.#length, offset);
    this.#buffer.write(bytes, offset, "latin1");
    this.#length = Math.max(this.#length, end);
  }

  truncate(length: number): void {
    this.isRead = false;
    this.#length = Math.min(this.#length, length);
  }

  toString(): ByteString {
    return bytesOf(this.#buffer, 0, this.#length);
  }

  /** Grows the buffer beyond the required size, in case more bytes follow. */
  #grow(bytes: number): void {
    const capacity = Math.min(STRING_BYTES_MAX, Math.max(bytes, 2 * this.#buffer.length));
    const larger = Buffer.allocUnsafeSlow(capacity);
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}
