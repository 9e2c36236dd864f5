/** Splits a byte stream into messages of the MongoDB wire protocol, by the length in each message's header. */
import { ReceiveBuffer } from "../receive-buffer.js";
import { HEAD_BYTES, lengthOf, MalformedMessage, type MongoMessage, readMessage } from "./message.js";

export class MongoMessageParser {
  /** Maximum bytes of a message. May be changed between two messages. */
  maxBytes: number;
  /** The error in the stream, after which nothing more is parsed; null: none. */
  fault: string | null = null;
  readonly #input = new ReceiveBuffer();
  /** Length of the message that has begun; undefined until its header is here. */
  #expected: number | undefined;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get heldBytes(): number {
    return this.#input.held;
  }

  get isMidRequest(): boolean {
    return this.#input.length > 0;
  }

  /**
   * Takes received bytes, which must not be changed before `keep`. An announced message takes no memory until it arrives.
   */
  push(chunk: Buffer): void {
    if (this.fault === null) this.#input.push(chunk, this.#expected);
  }

  /** Copies the rest of the last chunk; after that the chunk may be changed. */
  keep(): void {
    this.#input.keep();
  }

  /** The next complete message, with its own copy of the bytes; null: it has not arrived, or the stream has a fault. */
  next(): MongoMessage | null {
    if (this.fault !== null || this.#input.length < HEAD_BYTES) return null;
    try {
      const { bytes, at, end } = this.#input;
      const length = lengthOf(bytes.subarray(at, end), this.maxBytes);
      this.#expected = length;
      if (end - at < length) return null;
      this.#expected = undefined;
      return readMessage(this.#input.take(length));
    } catch (problem) {
      if (!(problem instanceof MalformedMessage)) throw problem;
      this.fault = problem.message;
      return null;
    }
  }
}
