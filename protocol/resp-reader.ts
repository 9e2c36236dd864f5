/**
 * RESP2, the reading half, over a buffer that holds a whole message. Strict: lengths and integers are canonical decimals,
 * every line ends with CR LF, nothing is nested deeper than a reply can be.
 */
import { type ByteString, bytesOf } from "./byte-string.js";
import { MalformedFrame } from "./errors.js";
import { array, bulk, error, integer, NIL, NIL_ARRAY, type Reply, status } from "./reply.js";

/** Deeper replies are nobody's: the deepest of Redis's (COMMAND's) has 6. */
const NESTING_MAX = 32;
/** Digits of a length; its number is safe. */
const LENGTH_DIGITS_MAX = 10;

const CR = 0x0d;
const LF = 0x0a;
const DOLLAR = 0x24;
const STAR = 0x2a;
const ZERO = 0x30;
const NINE = 0x39;

export class RespReader {
  readonly #buffer: Buffer;
  #at: number;

  constructor(buffer: Buffer, start = 0) {
    this.#buffer = buffer;
    this.#at = start;
  }

  /** Place of the next byte. */
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

  /** How many elements an array has; they follow. */
  readArrayHead(): number {
    return this.#readLength(STAR, "an array");
  }

  /** A bulk string, copied. */
  readBulk(): ByteString {
    const end = this.#startBulk();
    const bytes = bytesOf(this.#buffer, this.#at, end);
    this.#at = end + 2;
    return bytes;
  }

  /** A bulk string as a view of the buffer. */
  readBulkView(): Buffer {
    const end = this.#startBulk();
    const view = this.#buffer.subarray(this.#at, end);
    this.#at = end + 2;
    return view;
  }

  /** A command: an array of at least one bulk string. */
  readCommand(): ByteString[] {
    const length = this.readArrayHead();
    if (length === 0) throw this.malformed("expected a command of at least one argument");
    // Not sized beforehand: the length is the sender's word, the bytes are not there yet.
    const argv: ByteString[] = [];
    for (let i = 0; i < length; i++) argv.push(this.readBulk());
    return argv;
  }

  /** Any reply. */
  readReply(nesting = 0): Reply {
    switch (this.#buffer[this.#at]) {
      case DOLLAR:
        return this.#readNil("$-1\r\n") ? NIL : bulk(this.readBulk());
      case 0x2b:
        return status(this.#readLine());
      case 0x2d:
        return error(this.#readLine());
      case 0x3a:
        return this.#readInteger();
      case STAR: {
        if (this.#readNil("*-1\r\n")) return NIL_ARRAY;
        if (nesting === NESTING_MAX) throw this.malformed(`expected at most ${NESTING_MAX} levels of arrays`);
        const length = this.readArrayHead();
        const items: Reply[] = [];
        for (let i = 0; i < length; i++) items.push(this.readReply(nesting + 1));
        return array(items);
      }
      default:
        throw this.malformed("expected a reply");
    }
  }

  malformed(problem: string): MalformedFrame {
    return new MalformedFrame(problem, this.#at);
  }

  /** Steps over the head of a bulk string. @returns where its bytes end */
  #startBulk(): number {
    const length = this.#readLength(DOLLAR, "a bulk string");
    const end = this.#at + length;
    if (end + 2 > this.#buffer.length) throw this.malformed("expected more bytes of a bulk string");
    if (this.#buffer[end] !== CR || this.#buffer[end + 1] !== LF) {
      throw this.malformed("expected CR LF behind a bulk string");
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
    const end = this.#buffer.indexOf("\r\n", this.#at, "latin1");
    if (end < 0) throw this.malformed("expected a line's end");
    const line = bytesOf(this.#buffer, this.#at + 1, end);
    this.#at = end + 2;
    return line;
  }

  #readInteger(): Reply {
    const place = this.#at;
    const line = this.#readLine();
    if (!/^(0|-?[1-9]\d{0,18})$/.test(line)) throw new MalformedFrame("expected a canonical integer", place);
    const value = Number(line);
    return integer(Number.isSafeInteger(value) ? value : BigInt(line));
  }

  #readNil(bytes: string): boolean {
    const found =
      bytesOf(this.#buffer, this.#at, Math.min(this.#at + bytes.length, this.#buffer.length)) === bytes;
    if (found) this.#at += bytes.length;
    return found;
  }
}
