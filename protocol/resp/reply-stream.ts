/**
 * Parses RESP2 replies from a stream of bytes. Until a reply is complete, each byte is checked only once, and long
 * strings are skipped.
 */
import { bytesOf } from "../byte-string.js";
import { MalformedFrame } from "../errors.js";
import { ReceiveBuffer } from "../receive-buffer.js";
import type { PlainReply } from "../reply.js";
import { RespReader } from "./resp-reader.js";

const END = "\r\n";
const DOLLAR = 0x24;
const STAR = 0x2a;
/** The types of one-line replies: a status, an error, an integer. */
const LINES: ReadonlySet<number> = new Set([0x2b, 0x2d, 0x3a]);
/** The maximum nesting. No server sends deeper replies. */
const NESTING_MAX = 32;
const LENGTH = /^(?:-1|0|[1-9]\d{0,9})$/;
const MALFORMED = "its answer is not a Redis reply";

export class RespReplyStream {
  /** The reason why the stream can no longer be parsed, or null if it can. */
  problem: string | null = null;
  readonly #input = new ReceiveBuffer();
  readonly #maxBytes: number;
  /** The offset in the reply at which the next line begins. It may be beyond the bytes that have arrived. */
  #scanned = 0;
  /** Whether an element ends at this offset. */
  #hasElement = false;
  /** For each array that has begun, the number of elements that are missing; the outermost array is first. */
  readonly #missing: number[] = [];

  /** Creates a parser. @param maxBytes  the maximum length of a reply */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get isMidAnswer(): boolean {
    return this.#input.length > 0;
  }

  /** Adds a chunk, which must not be changed afterwards. */
  push(chunk: Buffer): void {
    this.#input.push(chunk, this.#hasElement ? this.#scanned : undefined);
  }

  /** Returns the next complete reply; null if it has not arrived or the stream cannot be parsed. */
  next(): PlainReply | null {
    while (this.problem === null) {
      if (!this.#hasElement && !this.#readLine()) break;
      if (!this.#hasElement) continue;
      if (this.#scanned > this.#input.length) break;
      this.#hasElement = false;
      if (this.#endsReply()) return this.#read();
    }
    if (Math.max(this.#scanned, this.#input.length) > this.#maxBytes)
      this.problem ??= `a reply is longer than ${this.#maxBytes} bytes`;
    return null;
  }

  /** Reads the line that begins an element. Returns false if it has not arrived. */
  #readLine(): boolean {
    const { bytes, at, end } = this.#input;
    const start = at + this.#scanned;
    const cr = start < end ? bytes.subarray(start, end).indexOf(END) : -1;
    if (cr < 0) return false;
    this.#scanned += cr + END.length;
    this.#hasElement = true;
    const type = bytes[start] as number;
    if (type === DOLLAR || type === STAR) {
      const digits = bytesOf(bytes, start + 1, start + cr);
      if (!LENGTH.test(digits)) this.problem = MALFORMED;
      else if (type === DOLLAR) this.#scanned += digits === "-1" ? 0 : Number(digits) + END.length;
      else if (Number(digits) > 0) this.#begin(Number(digits));
    } else if (!LINES.has(type)) this.problem = MALFORMED;
    return true;
  }

  #begin(elements: number): void {
    this.#hasElement = false;
    if (this.#missing.length >= NESTING_MAX) this.problem = MALFORMED;
    this.#missing.push(elements);
  }

  /** Ends an element. Returns whether the reply ends with it. */
  #endsReply(): boolean {
    const missing = this.#missing;
    for (let last = missing.length - 1; last >= 0; last--) {
      const remaining = (missing[last] as number) - 1;
      missing[last] = remaining;
      if (remaining > 0) return false;
      missing.pop();
    }
    return true;
  }

  #read(): PlainReply | null {
    const { bytes, at } = this.#input;
    try {
      return new RespReader(bytes.subarray(at, at + this.#scanned)).readReply();
    } catch (problem) {
      if (!(problem instanceof MalformedFrame)) throw problem;
      this.problem = MALFORMED;
      return null;
    } finally {
      this.#input.skip(this.#scanned);
      this.#scanned = 0;
    }
  }
}
