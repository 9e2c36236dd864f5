/** Parses messages of the MongoDB wire protocol from a stream of bytes, each limited by the length in its head. */
import { ReceiveBuffer } from "../receive-buffer.js";
import { HEAD_BYTES, lengthOf, MalformedMessage, type MongoMessage, readMessage } from "./message.js";

export class MongoMessageParser {
  /** Maximum bytes of a message. May be changed between two. */
  maxBytes: number;
  /** The error in the stream, after which nothing more is parsed; null: none. */
  fault: string | null = null;
  readonly #input = new ReceiveBuffer();
  /** Bytes of the message that has begun, once its head says so. */
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

  /** Copies what is left of the last chunk, which may then be changed. */
  keep(): void {
    this.#input.keep();
  }

  /** The next whole message, whose bytes are its own; null: it has not come, or the stream has a fault. */
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
