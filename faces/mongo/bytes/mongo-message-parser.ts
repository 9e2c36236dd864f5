/**
 * Splits a byte stream into messages of the MongoDB wire protocol, according to the length in each message's header.
 */
import { ReceiveBuffer } from "../../../protocol/receive-buffer.js";
import { HEAD_BYTES, lengthOf, MalformedMessage, type MongoMessage, readMessage } from "./mongo-message.js";

export class MongoMessageParser {
  /** The maximum length of a message. It may be changed between two messages. */
  maxBytes: number;
  /** The error in the stream, after which nothing more is parsed, or null if there is none. */
  fault: string | null = null;
  readonly #input = new ReceiveBuffer();
  /** The length of the message that has begun; undefined until its header has arrived. */
  #expected: number | undefined;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get heldBytes(): number {
    return this.#input.heldBytes;
  }

  get isMidRequest(): boolean {
    return this.#input.length > 0;
  }

  /**
   * Adds received bytes, which must not be changed before `copyUnread`. An announced message needs no memory until it
   * arrives.
   */
  push(chunk: Buffer): void {
    if (this.fault === null) this.#input.push(chunk, this.#expected);
  }

  /** Copies the unused part of the last chunk, which may then be changed. */
  copyUnread(): void {
    this.#input.copyUnread();
  }

  /**
   * Returns the next complete message with its own copy of the bytes; null if it has not arrived or the stream has a
   * fault.
   */
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
