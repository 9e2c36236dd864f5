/** Messages of the MongoDB wire protocol out of a stream of bytes, each bounded by what is told at its head. */
import { HEAD_BYTES, lengthOf, MalformedMessage, type MongoMessage, readMessage } from "./message.js";

/** A larger buffer is given back once it is empty. */
const BUFFER_BYTES_KEPT = 64 * 1024;
const NO_BYTES = Buffer.alloc(0);

export class MongoMessageParser {
  /** Of a message. May be changed between two. */
  maxBytes: number;
  /** What is wrong with the stream: nothing more can be taken of it; null: nothing. */
  fault: string | null = null;
  #buffer: Buffer = NO_BYTES;
  #from = 0;
  #to = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get heldBytes(): number {
    return this.#to - this.#from;
  }

  get isMidRequest(): boolean {
    return this.heldBytes > 0;
  }

  /** Takes bytes as they came; they are copied. What is announced costs nothing until it is there. */
  push(chunk: Buffer): void {
    if (this.fault !== null) return;
    if (this.#buffer.length - this.#to < chunk.length) {
      const held = this.heldBytes;
      // Twice as much, so that a message in small pieces is not copied each time; never into a buffer that messages are parts of.
      const next = Buffer.allocUnsafeSlow(Math.max(2 * held, held + chunk.length));
      this.#buffer.copy(next, 0, this.#from, this.#to);
      [this.#buffer, this.#from, this.#to] = [next, 0, held];
    }
    chunk.copy(this.#buffer, this.#to);
    this.#to += chunk.length;
  }

  /** The next whole message, whose bytes are its own; null: it has not come, or the stream has a fault. */
  next(): MongoMessage | null {
    if (this.fault !== null || this.heldBytes < HEAD_BYTES) return null;
    try {
      const length = lengthOf(this.#buffer.subarray(this.#from, this.#to), this.maxBytes);
      if (this.heldBytes < length) return null;
      return readMessage(this.#take(length));
    } catch (problem) {
      if (!(problem instanceof MalformedMessage)) throw problem;
      this.fault = problem.message;
      return null;
    }
  }

  /** What stands alone in the buffer is handed over with it, without a copy. */
  #take(length: number): Buffer {
    const end = this.#from + length;
    const isAlone = this.#from === 0 && end === this.#to && length > BUFFER_BYTES_KEPT;
    const bytes = isAlone
      ? this.#buffer.subarray(0, end)
      : Buffer.from(this.#buffer.subarray(this.#from, end));
    this.#from = end;
    if (this.#from === this.#to) {
      [this.#from, this.#to] = [0, 0];
      if (isAlone || this.#buffer.length > BUFFER_BYTES_KEPT) this.#buffer = NO_BYTES;
    }
    return bytes;
  }
}
