/**
 * Parses requests of RESP clients from a stream that arrives in arbitrary pieces: arrays of bulk strings, and lines
 * that users type ("inline"). Errors have Redis's wording. Source: redis-server 7.0, faces/redis/test.
 */
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import { ReceiveBuffer } from "../../../protocol/receive-buffer.js";
import { splitLine } from "../../../protocol/resp/inline-command.js";
import type { ShortStrings } from "../../../protocol/resp/resp-reader.js";

const NUL = 0;
const LF = 0x0a;
const CR = 0x0d;
const DOLLAR = 0x24;
const STAR = 0x2a;
const MINUS = 0x2d;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;

/** Redis's PROTO_INLINE_MAX_SIZE, the maximum length of lines and of the headers of arrays and bulk strings. */
const LINE_BYTES_MAX = 64 * 1024;
/** Redis's INT_MAX. */
const ARGUMENTS_MAX = 0x7fffffff;
/** The maximum number of arguments from a client that has not logged in. A login needs no more. */
const UNAUTHENTICATED_ARGUMENTS_MAX = 10;
const UNAUTHENTICATED_BULK_BYTES_MAX = 16_384;
/** The maximum number of digits of an exact number. Longer numbers are above every limit. */
const DIGITS_MAX = 15;
/** The memory counted for each argument in addition to its length. Even an empty argument needs memory. */
const ARGUMENT_BYTES = 16;

export interface RequestBounds {
  /** The maximum number of bytes of one argument. */
  readonly bulkBytes: number;
  /** The maximum number of received bytes of one request. */
  readonly requestBytes: number;
}

export class RespRequestParser {
  /** The reason why the stream can no longer be parsed, without `ERR `, or null if it can. */
  problem: string | null = null;
  /** Whether the client has logged in or does not have to. */
  trusted = true;
  readonly #bounds: RequestBounds;
  readonly #input = new ReceiveBuffer();
  /** The complete arguments of the current request, or null between two requests. */
  #argv: ByteString[] | null = null;
  #missing = 0;
  #argvBytes = 0;
  /** The length of the bulk string that is being read, or -1 if its header is next. */
  #bulk = -1;
  readonly #strings: ShortStrings;

  /** Creates a parser. @param strings  may be shared by many parsers */
  constructor(bounds: RequestBounds, strings: ShortStrings) {
    this.#bounds = bounds;
    this.#strings = strings;
  }

  /** The number of received bytes that were not returned as requests. */
  get heldBytes(): number {
    return this.#input.heldBytes + this.#argvBytes;
  }

  /** Whether a request is incomplete. */
  get isMidRequest(): boolean {
    return this.#argv !== null || this.#input.length > 0;
  }

  /**
   * Adds a chunk.
   * @param chunk  is not copied if no other bytes are waiting, so it must not be changed before `copyUnread`
   */
  push(chunk: Buffer): void {
    if (this.#input.length > 0) this.#join(chunk);
    else this.#input.borrow(chunk, 0);
  }

  #join(chunk: Buffer): void {
    const input = this.#input;
    const missing = this.#bulk < 0 ? 0 : this.#bulk + 2 - input.length;
    if (missing > 0 && missing <= chunk.length) {
      // The bytes after a long argument do not have to be copied.
      input.append(chunk, missing, this.#bulk + 2);
      this.#takeArgument();
      input.borrow(chunk, missing);
    } else input.append(chunk, chunk.length, this.#bulk < 0 ? undefined : this.#bulk + 2);
  }

  /** Copies the unused part of a chunk, which may then be changed. */
  copyUnread(): void {
    this.#input.copyUnread();
  }

  /**
   * Returns the next complete request, beginning with the name; null if more bytes must arrive, or if `problem` is set.
   */
  next(): readonly ByteString[] | null {
    if (this.problem !== null) return null;
    for (;;) {
      if (this.#argv === null) {
        if (this.#input.at === this.#input.end) return this.#release();
        const isArray = this.#input.bytes[this.#input.at] === STAR;
        const request = isArray ? this.#readShortRequest() : null;
        if (request !== null) return request;
        const argv = isArray ? this.#startArray() : this.#readLine();
        if (argv !== undefined) return argv;
        if (this.#argv === null) continue;
      }
      return this.#readArguments();
    }
  }

  /**
   * Parses a complete request with a few short arguments, like most requests. Returns null if the request is incomplete
   * or must be parsed step by step. It refuses no requests, and accepts none that parsing step by step would refuse.
   */
  #readShortRequest(): readonly ByteString[] | null {
    const buffer = this.#input.bytes;
    const end = this.#input.end;
    let count = (buffer[this.#input.at + 1] as number) - DIGIT_0;
    let at = this.#input.at + 2;
    if (!(count >= 1 && count <= 9)) return null;

    if (buffer[at] !== CR) {
      const digit = (buffer[at++] as number) - DIGIT_0;
      if (!(digit >= 0 && digit <= 9)) return null;
      count = count * 10 + digit;
    }
    if (buffer[at] !== CR || (count > UNAUTHENTICATED_ARGUMENTS_MAX && !this.trusted)) return null;
    at += 2;

    const argv: ByteString[] = new Array(count);
    for (let i = 0; i < count; i++) {
      let length = (buffer[at + 1] as number) - DIGIT_0;
      if (buffer[at] !== DOLLAR || !(length >= 0 && length <= 9)) return null;

      at += 2;
      if (length > 0 && buffer[at] !== CR) {
        const digit = (buffer[at++] as number) - DIGIT_0;
        if (!(digit >= 0 && digit <= 9)) return null;
        length = length * 10 + digit;
      }

      const start = at + 2;
      if (buffer[at] !== CR || start + length + 2 > end || length > this.#bounds.bulkBytes) return null;
      argv[i] = this.#strings.take(buffer, start, start + length);
      at = start + length + 2;
    }

    this.#input.at = at;
    return argv;
  }

  /** Begins an array. @returns undefined to continue; null to wait for more bytes */
  #startArray(): null | undefined {
    const end = this.#headEnd("mbulk");
    if (end < 0) return null;

    const count = this.#number(this.#input.at + 1, end);
    if (count === null || count > ARGUMENTS_MAX) return this.#fail("invalid multibulk length");
    if (count > UNAUTHENTICATED_ARGUMENTS_MAX && !this.trusted)
      return this.#fail("unauthenticated multibulk length");
    this.#input.at = end + 2;
    if (count <= 0) return undefined;

    // The array is not preallocated, because the sender may announce more arguments than it sends.
    this.#argv = [];
    this.#missing = count;
    this.#argvBytes = 0;
    return undefined;
  }

  #readArguments(): readonly ByteString[] | null {
    const argv = this.#argv as ByteString[];
    while (this.#missing > 0) {
      if (this.#bulk < 0 && !this.#readBulkHead()) return this.problem === null ? this.#checkSize() : null;
      if (this.#input.at + this.#bulk + 2 > this.#input.end) return this.#checkSize();
      this.#takeArgument();
    }
    this.#argv = null;
    this.#argvBytes = 0;
    return argv;
  }

  /** Adds the current argument, which is complete. */
  #takeArgument(): void {
    const end = this.#input.at + this.#bulk;
    (this.#argv as ByteString[]).push(this.#strings.take(this.#input.bytes, this.#input.at, end));
    this.#argvBytes += this.#bulk + ARGUMENT_BYTES;
    this.#input.at = end + 2;
    this.#bulk = -1;
    this.#missing--;
  }

  #readBulkHead(): boolean {
    const end = this.#headEnd("bulk");
    if (end < 0) return false;

    const buffer = this.#input.bytes;
    if (buffer[this.#input.at] !== DOLLAR) {
      const got = String.fromCharCode(buffer[this.#input.at] as number).replace(/[\r\n]/, " ");
      this.#fail(`expected '$', got '${got}'`);
      return false;
    }

    const length = this.#number(this.#input.at + 1, end);
    if (length === null || length < 0 || length > this.#bounds.bulkBytes) {
      this.#fail("invalid bulk length");
      return false;
    }
    if (length > UNAUTHENTICATED_BULK_BYTES_MAX && !this.trusted) {
      this.#fail("unauthenticated bulk length");
      return false;
    }

    this.#input.at = end + 2;
    this.#bulk = length;
    return true;
  }

  /**
   * Returns the end of the header that begins here: its CR, which must be followed by a byte. Returns -1 if it is
   * incomplete.
   */
  #headEnd(what: "mbulk" | "bulk"): number {
    const buffer = this.#input.bytes;
    const last = this.#input.end - 1;
    let at = this.#input.at;
    // As in Redis, which is written in C, a NUL ends a header.
    while (at < last && buffer[at] !== CR && buffer[at] !== NUL) at++;
    if (at < last && buffer[at] === CR) return at;
    if (buffer[at] !== CR && this.#input.end - this.#input.at > LINE_BYTES_MAX)
      this.#fail(`too big ${what} count string`);
    return -1;
  }

  /** Parses a canonical decimal between two indexes. Returns null if it is not one, and infinity if it is too long. */
  #number(from: number, end: number): number | null {
    const buffer = this.#input.bytes;
    const isNegative = buffer[from] === MINUS;
    const start = isNegative ? from + 1 : from;
    if (end === start || (buffer[start] === DIGIT_0 && (end - start > 1 || isNegative))) return null;

    let value = 0;
    for (let at = start; at < end; at++) {
      const byte = buffer[at] as number;
      if (byte < DIGIT_0 || byte > DIGIT_9) return null;
      value = value * 10 + (byte - DIGIT_0);
    }
    if (end - start > DIGITS_MAX) return isNegative ? null : Number.POSITIVE_INFINITY;

    return isNegative ? -value : value;
  }

  /** Parses a line. @returns an inline request; undefined if the line was empty; null to wait for more bytes */
  #readLine(): readonly ByteString[] | null | undefined {
    const buffer = this.#input.bytes;
    let end = this.#input.at;
    while (end < this.#input.end && buffer[end] !== LF && buffer[end] !== NUL) end++;
    if (end === this.#input.end || buffer[end] === NUL)
      return this.#input.end - this.#input.at > LINE_BYTES_MAX ? this.#fail("too big inline request") : null;
    const last = end > this.#input.at && buffer[end - 1] === CR ? end - 1 : end;
    const argv = splitLine(bytesOf(buffer, this.#input.at, last));
    if (!Array.isArray(argv)) return this.#fail("unbalanced quotes in request");
    this.#input.at = end + 1;
    return argv.length === 0 ? undefined : argv;
  }

  /** Releases the buffer when it is empty. Otherwise each idle client would keep its last chunk in memory. */
  #release(): null {
    this.#input.clear();
    return null;
  }

  #checkSize(): null {
    if (this.heldBytes <= this.#bounds.requestBytes) return null;
    return this.#fail(`request above ${this.#bounds.requestBytes} bytes`);
  }

  #fail(problem: string): null {
    this.problem = `Protocol error: ${problem}`;
    this.#argv = null;
    return this.#release();
  }
}
