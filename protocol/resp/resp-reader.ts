/**
 * Reads RESP2 from a buffer that holds a complete message. Strict: lengths and integers are canonical decimals, every line
 * ends with CR LF, and nothing is nested deeper than a reply can be.
 */
import { type ByteString, bytesOf } from "../byte-string.js";
import { MalformedFrame } from "../errors.js";
import { bulk, error, integer, NIL, NIL_ARRAY, OK, type PlainReply, status } from "../reply.js";
import type { ShortStrings } from "./short-strings.js";

/** Maximum nesting. Redis's most deeply nested reply (COMMAND's) has 6 levels. */
const NESTING_MAX = 32;
/** Maximum elements in all replies of one message, including those of nested arrays: reading them blocks the event loop. */
export const ELEMENTS_MAX = 16 * 1024 * 1024;
/** Maximum digits of a length, which is then a safe integer. */
const LENGTH_DIGITS_MAX = 10;
/** Maximum digits of a safe integer. */
const NUMBER_DIGITS_MAX = 16;
/**
 * How many bytes to convert together when a short string is read: taking the next short string out of the converted text costs a quarter
 * of converting it alone. The engine copies substrings shorter than 13; a longer one would keep the whole text alive.
 */
const TEXT_BYTES = 1024;
const SHORT_BYTES_MAX = 12;
/** The engine reserves room for this many elements when the first is added to an array, however few there will be. */
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
  /** The text that was last converted, and its offset. */
  #text: ByteString = "";
  #textAt = 0;

  constructor(buffer: Buffer, start = 0) {
    this.#buffer = buffer;
    this.#at = start;
  }

  /** Offset of the next byte. */
  get offset(): number {
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#buffer.length;
  }

  /** @throws MalformedFrame  if anything is left */
  expectEnd(): void {
    if (!this.isAtEnd) throw this.malformed("expected the end of the message");
  }

  /** Returns the number of elements of an array. The elements follow. */
  readArrayHead(): number {
    return this.#readLength(STAR, "an array");
  }

  /** A bulk string, copied. */
  readBulk(): ByteString {
    const end = this.#startBulk();
    const bytes = end === this.#at ? "" : this.#bytes(this.#at, end);
    this.#at = end + 2;
    return bytes;
  }

  /** Skips a bulk string of any length without copying it. @returns whether it equals `word` */
  readWord(word: ByteString): boolean {
    const end = this.#startBulk();
    const start = this.#at;
    this.#at = end + 2;
    if (end - start !== word.length) return false;
    for (let i = 0; i < word.length; i++) if (this.#buffer[start + i] !== word.charCodeAt(i)) return false;
    return true;
  }

  /** Reads a bulk string that is a canonical decimal; NaN: it is not one. Exact up to 2^53; a larger number is rounded, or NaN if it has more than 16 digits. */
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

  /** A bulk string as a view of the buffer. */
  readBulkView(): Buffer {
    const end = this.#startBulk();
    const view = this.#buffer.subarray(this.#at, end);
    this.#at = end + 2;
    return view;
  }

  /**
   * A command: an array of at least one bulk string.
   * @param known  recently read strings: commands repeat the same ones, so each is created and hashed only once
   */
  readCommand(known: ShortStrings): ByteString[] {
    const length = this.readArrayHead();
    if (length === 0) throw this.malformed("expected a command of at least one argument");
    // A short array gets its exact size, because it may be kept for long. A long one does not: the sender may have announced more than it sends.
    const argv: ByteString[] = length <= SIZED_MAX ? new Array(length) : [];
    for (let i = 0; i < length; i++) {
      const end = this.#startBulk();
      const start = this.#at;
      this.#at = end + 2;
      argv[i] = known.find(this.#buffer, start, end) ?? known.keep(this.#bytes(start, end));
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

  /** Any reply. */
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

  /** Skips the header of a bulk string. @returns where its bytes end */
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
    if (end >= last) throw this.malformed("expected a line's end");
    const line = bytesOf(buffer, this.#at + 1, end);
    this.#at = end + 2;
    return line;
  }

  #readInteger(): PlainReply {
    const place = this.#at;
    const line = this.#readLine();
    if (!/^(0|-?[1-9]\d{0,18})$/.test(line)) throw new MalformedFrame("expected a canonical integer", place);
    const value = Number(line);
    return integer(Number.isSafeInteger(value) ? value : BigInt(line));
  }

  /** Skips a length of -1 after the type, if there is one. */
  #readNil(): boolean {
    return this.#skip(MINUS, ONE);
  }

  /** Skips `OK`, the usual answer to a write, if it is next. */
  #readOk(): boolean {
    return this.#skip(LETTER_O, LETTER_K);
  }

  /** Skips a line that consists of its type and these two characters, if it is next. */
  #skip(first: number, second: number): boolean {
    const buffer = this.#buffer;
    const at = this.#at;
    const found = buffer[at + 1] === first && buffer[at + 2] === second;
    if (!found || buffer[at + 3] !== CR || buffer[at + 4] !== LF) return false;
    this.#at = at + 5;
    return true;
  }
}
