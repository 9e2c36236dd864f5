/**
 * The bytes of a long string while parts of it are changed in place: a string of the engine would have to be copied for each change, which
 * from some size on takes milliseconds. Once all of it is read twice without a change it is a string again.
 */
import { type ByteString, bytesOf } from "../../protocol/byte-string.js";
import { STRING_BYTES_MAX } from "./value.js";

/** Shorter strings are copied: the engine has memory at hand for them. */
export const DRAFT_BYTES_MIN = 64 * 1024;

export class StringDraft {
  /** A buffer as long as the string, or longer. */
  #buffer: Buffer;
  #length: number;
  /** Whether all of it was read since the last change. */
  isRead = false;

  constructor(bytes: ByteString) {
    this.#buffer = Buffer.allocUnsafeSlow(bytes.length);
    this.#buffer.write(bytes, "latin1");
    this.#length = bytes.length;
  }

  get length(): number {
    return this.#length;
  }

  /** Bytes `from` ≤ index < `to`, as far as there are any; a string of their own. */
  slice(from: number, to: number): ByteString {
    return bytesOf(this.#buffer, Math.min(from, this.#length), Math.min(to, this.#length));
  }

  /** Writes bytes from an offset on; zeros fill what lies between. */
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

  /** Makes room, and more than is needed, as there may be more to come. */
  #grow(bytes: number): void {
    const room = Math.min(STRING_BYTES_MAX, Math.max(bytes, 2 * this.#buffer.length));
    const larger = Buffer.allocUnsafeSlow(room);
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}
