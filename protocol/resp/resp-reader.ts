/**
 * Parses RESP2 from a buffer with a complete message. It is strict: lengths and integers must be canonical decimals,
 * every line must end with CR LF, and nesting is limited.
 */
import { type ByteString, bytesOf } from "../byte-string.js";
import { MalformedFrame } from "../errors.js";
import { bulk, error, integer, NIL, NIL_ARRAY, OK, type PlainReply, status } from "../reply.js";

/** The maximum nesting. Redis's most deeply nested reply (to COMMAND) has 6 levels. */
const NESTING_MAX = 32;
/**
 * The maximum number of elements in all replies of one message, including nested arrays, because parsing them blocks
 * the event loop.
 */
export const ELEMENTS_MAX = 16 * 1024 * 1024;
/** The maximum number of digits of a length, which is then a safe integer. */
const LENGTH_DIGITS_MAX = 10;
/** The maximum number of digits of a safe integer. */
const NUMBER_DIGITS_MAX = 16;
/**
 * The number of bytes to convert together when a short string is read. Extracting the next short string from the
 * converted text costs a quarter of a separate conversion. The engine copies a substring of fewer than 13 characters; a
 * longer substring would keep the complete text in memory.
 */
const TEXT_BYTES = 1024;
const SHORT_BYTES_MAX = 12;
/** The number of elements for which the engine reserves space when the first one is added to an array. */
const SIZED_MAX = 17;

const CR = 0x0d;
const LF = 0x0a;
const DOLLAR = 0x24;
const STAR = 0x2a;
const MINUS = 0x2d;
const ZERO = 0x30;
const ONE = 0x31;
const NINE = 0x39;
const LETTER_K = 0x4b;
const LETTER_O = 0x4f;

export class RespReader {
  readonly #buffer: Buffer;
  #at: number;
  #elements = 0;
  /** The last converted text, and its offset. */
  #text: ByteString = "";
  #textAt = 0;

  constructor(buffer: Buffer, start = 0) {
    this.#buffer = buffer;
    this.#at = start;
  }

  /** The offset of the next byte. */
  get offset(): number {
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#buffer.length;
  }

  /** Checks that the message has ended. @throws MalformedFrame  bytes remain */
  expectEnd(): void {
    if (!this.isAtEnd) throw this.malformed("expected the end of the message");
  }

  /** Returns the number of elements of an array. The elements follow. */
  readArrayHead(): number {
    return this.#readLength(STAR, "an array");
  }

  /** Reads a bulk string and returns a copy. */
  readBulk(): ByteString {
    const end = this.#startBulk();
    const bytes = end === this.#at ? "" : this.#bytes(this.#at, end);
    this.#at = end + 2;
    return bytes;
  }

  /** Skips a bulk string of any length without copying it. @returns whether it equals `expected` */
  readIfEqual(expected: ByteString): boolean {
    const end = this.#startBulk();
    const start = this.#at;
    this.#at = end + 2;
    if (end - start !== expected.length) return false;
    for (let i = 0; i < expected.length; i++)
      if (this.#buffer[start + i] !== expected.charCodeAt(i)) return false;
    return true;
  }

  /**
   * Reads a bulk string with a canonical decimal; returns NaN if it is not one. The result is exact up to 2^53; a
   * larger number is rounded, or NaN if it has more than 16 digits.
   */
  readBulkDecimal(): number {
    const buffer = this.#buffer;
    const end = this.#startBulk();
    const start = this.#at;
    this.#at = end + 2;

    const digits = end - start;
    const canonical = digits === 1 || (digits > 1 && digits <= NUMBER_DIGITS_MAX && buffer[start] !== ZERO);
    if (!canonical) return Number.NaN;

    let value = 0;
    for (let at = start; at < end; at++) {
      const byte = buffer[at] as number;
      if (byte < ZERO || byte > NINE) return Number.NaN;
      value = value * 10 + (byte - ZERO);
    }
    return value;
  }

  /** Reads a bulk string and returns a view of the buffer. */
  readBulkView(): Buffer {
    const end = this.#startBulk();
    const view = this.#buffer.subarray(this.#at, end);
    this.#at = end + 2;
    return view;
  }

  /**
   * Reads a command: an array of at least one bulk string.
   * @param known  recently read strings; commands repeat them, so each one is created and hashed only once
   */
  readCommand(known: ShortStrings): ByteString[] {
    const length = this.readArrayHead();
    if (length === 0) throw this.malformed("expected a command with at least one argument");

    // A short array is created with its exact size, because it may be stored for a long time. A long array is not,
    // because the sender may announce more elements than it sends.
    const argv: ByteString[] = length <= SIZED_MAX ? new Array(length) : [];
    for (let i = 0; i < length; i++) {
      const end = this.#startBulk();
      const start = this.#at;
      this.#at = end + 2;
      argv[i] = known.find(this.#buffer, start, end) ?? known.store(this.#bytes(start, end));
    }
    return argv;
  }

  #bytes(start: number, end: number): ByteString {
    const buffer = this.#buffer;
    if (end - start > SHORT_BYTES_MAX) return bytesOf(buffer, start, end);
    if (start < this.#textAt || end > this.#textAt + this.#text.length) {
      this.#textAt = start;
      this.#text = bytesOf(buffer, start, Math.min(buffer.length, start + TEXT_BYTES));
    }
    return this.#text.substring(start - this.#textAt, end - this.#textAt);
  }

  /** Reads any reply. */
  readReply(nesting = 0): PlainReply {
    switch (this.#buffer[this.#at]) {
      case DOLLAR:
        return this.#readNil() ? NIL : bulk(this.readBulk());
      case 0x2b:
        return this.#readOk() ? OK : status(this.#readLine());
      case 0x2d:
        return error(this.#readLine());
      case 0x3a:
        return this.#readInteger();
      case STAR: {
        if (this.#readNil()) return NIL_ARRAY;
        if (nesting === NESTING_MAX) throw this.malformed(`expected at most ${NESTING_MAX} levels of arrays`);
        const length = this.readArrayHead();
        this.#elements += length;
        if (this.#elements > ELEMENTS_MAX) throw this.malformed(`expected at most ${ELEMENTS_MAX} elements`);
        const items: PlainReply[] = [];
        for (let i = 0; i < length; i++) items.push(this.readReply(nesting + 1));
        return { kind: "array", items };
      }
      default:
        throw this.malformed("expected a reply");
    }
  }

  malformed(problem: string): MalformedFrame {
    return new MalformedFrame(problem, this.#at);
  }

  /** Skips the header of a bulk string. @returns the end of its bytes */
  #startBulk(): number {
    const length = this.#readLength(DOLLAR, "a bulk string");
    const end = this.#at + length;
    if (end + 2 > this.#buffer.length) throw this.malformed("expected more bytes of a bulk string");
    if (this.#buffer[end] !== CR || this.#buffer[end + 1] !== LF) {
      throw this.malformed("expected CR LF after a bulk string");
    }
    return end;
  }

  #readLength(type: number, what: string): number {
    const buffer = this.#buffer;
    const start = this.#at + 1;
    if (buffer[this.#at] !== type) throw this.malformed(`expected ${what}`);

    let at = start;
    let length = 0;
    for (; at - start <= LENGTH_DIGITS_MAX; at++) {
      const byte = buffer[at] ?? CR;
      if (byte < ZERO || byte > NINE) break;
      length = length * 10 + (byte - ZERO);
    }

    const digits = at - start;
    const canonical = digits === 1 || (digits > 1 && digits <= LENGTH_DIGITS_MAX && buffer[start] !== ZERO);
    if (!canonical || buffer[at] !== CR || buffer[at + 1] !== LF) {
      throw this.malformed(`expected the length of ${what}, a canonical decimal and CR LF`);
    }
    this.#at = at + 2;
    return length;
  }

  #readLine(): ByteString {
    const buffer = this.#buffer;
    const last = buffer.length - 1;
    let end = this.#at;
    while (end < last && (buffer[end] !== CR || buffer[end + 1] !== LF)) end++;
    if (end >= last) throw this.malformed("expected the end of a line");
    const line = bytesOf(buffer, this.#at + 1, end);
    this.#at = end + 2;
    return line;
  }

  #readInteger(): PlainReply {
    const start = this.#at;
    const line = this.#readLine();
    if (!/^(0|-?[1-9]\d{0,18})$/.test(line)) throw new MalformedFrame("expected a canonical integer", start);
    const value = Number(line);
    return integer(Number.isSafeInteger(value) ? value : BigInt(line));
  }

  /** Skips a length of -1 after the type, if there is one. */
  #readNil(): boolean {
    return this.#skip(MINUS, ONE);
  }

  /** Skips `OK`, the usual reply to a write, if it is next. */
  #readOk(): boolean {
    return this.#skip(LETTER_O, LETTER_K);
  }

  /** Skips a line with only its type and these two characters, if it is next. */
  #skip(first: number, second: number): boolean {
    const buffer = this.#buffer;
    const at = this.#at;
    const found = buffer[at + 1] === first && buffer[at + 2] === second;
    if (!found || buffer[at + 3] !== CR || buffer[at + 4] !== LF) return false;
    this.#at = at + 5;
    return true;
  }
}

/** The maximum length of cached strings. Comparing longer ones would cost as much as creating them. */
const CACHED_LENGTH_MAX = 32;
/** The number of slots, a power of two. If all are full, they need about 30 KiB. */
const SLOTS = 512;

/**
 * A cache of recently read short byte strings. Clients send the same commands, keys and fields repeatedly. Comparing a
 * few bytes with an existing string costs a fraction of creating a new one, and produces no garbage.
 */
export class ShortStrings {
  readonly #strings: ByteString[] = new Array(SLOTS).fill("");

  /** The slot of the last search. */
  #slot = 0;

  /** Returns the bytes of a buffer from `start` up to `end`. */
  take(buffer: Buffer, start: number, end: number): ByteString {
    return this.find(buffer, start, end) ?? this.store(bytesOf(buffer, start, end));
  }

  /** Returns these bytes if they are cached; null if they are not, or are too long. */
  find(buffer: Buffer, start: number, end: number): ByteString | null {
    const length = end - start;
    this.#slot = -1;
    if (length > CACHED_LENGTH_MAX) return null;
    if (length === 0) return "";

    // The hash covers the last four bytes, because names usually differ at their end.
    let hash = length;
    for (let at = end - 1; at >= start && at > end - 5; at--)
      hash = Math.imul(hash, 31) + (buffer[at] as number);
    const slot = (hash ^ (hash >>> 9)) & (SLOTS - 1);
    this.#slot = slot;
    const known = this.#strings[slot] as ByteString;
    return known.length === length && isAt(known, buffer, start) ? known : null;
  }

  /**
   * Caches a string.
   * @param made  the string that the last search did not find; not a slice, which would retain the longer string
   */
  store(made: ByteString): ByteString {
    if (this.#slot >= 0) this.#strings[this.#slot] = made;
    return made;
  }
}

function isAt(bytes: ByteString, buffer: Buffer, start: number): boolean {
  for (let i = bytes.length - 1; i >= 0; i--) if (bytes.charCodeAt(i) !== buffer[start + i]) return false;
  return true;
}
