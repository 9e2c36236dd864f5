/**
 * Parses the requests of the JSON protocol from a stream of bytes. A request is a line. A complete JSON text counts as
 * a request even before its line break arrives, because the original handles each packet as a request, and its clients
 * may send no line break. A line break that arrives later belongs to that request. A JSON text over several lines is
 * one request if it arrives in one piece.
 * Source: docs/json-documents.md "Lines"; test/vectors/json.
 */
import { ReceiveBuffer } from "../../../protocol/receive-buffer.js";

const LINE_FEED = 0x0a;
const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
/** The characters that PHP's trim removes. */
const BLANK = new Set([0x00, 0x09, 0x0a, 0x0b, 0x0d, 0x20]);
const OPENING = new Set([0x5b, 0x7b]);
const CLOSING = new Set([0x5d, 0x7d]);
/**
 * The length of a string after which indexOf searches for the next special byte. For shorter strings a loop is faster.
 */
const LONG_STRING = 64;
/** The only request that is not JSON. */
const QUIT = "quit";

export class JsonLineParser {
  /** The maximum length of a line in bytes. It may be changed between two chunks. */
  maxBytes: number;
  /** The complete requests, without surrounding spaces. */
  #lines: Buffer[] = [];
  /** The index of the first request that `next` has not returned. */
  #next = 0;
  #lineBytes = 0;
  readonly #unfinished = new ReceiveBuffer();
  /** The number of open brackets in the unfinished line. */
  #depth = 0;
  #inString = false;
  #isEscaped = false;
  /** Whether a request was complete without its line break, which may still arrive. */
  #awaitsBreak = false;
  #isTooLong = false;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** Whether a line was longer than permitted. The parser then accepts no further bytes. */
  get isTooLong(): boolean {
    return this.#isTooLong;
  }

  /** The number of bytes of the unfinished line and of waiting requests. */
  get heldBytes(): number {
    return this.#lineBytes + this.#unfinished.length;
  }

  get isMidRequest(): boolean {
    return this.#unfinished.length > 0;
  }

  /** Returns the next complete request; null if it has not arrived. */
  next(): Buffer | null {
    const line = this.#lines[this.#next];
    if (line === undefined) return null;
    this.#lineBytes -= line.length;
    if (++this.#next === this.#lines.length) {
      this.#lines = [];
      this.#next = 0;
    }
    return line;
  }

  /** Copies the parts of the last chunk that are still needed. The caller may then overwrite it. */
  copyUnread(): void {
    for (let at = this.#next; at < this.#lines.length; at++)
      this.#lines[at] = Buffer.from(this.#lines[at] as Buffer);
    this.#unfinished.copyUnread();
  }

  /** Adds received bytes. They are not copied, so the caller must not change them before `copyUnread`. */
  push(chunk: Buffer): void {
    let from = 0;
    let hasRequest = false;
    let joins = true;
    while (!this.#isTooLong) {
      let end = chunk.indexOf(LINE_FEED, from);
      if (end < 0) break;

      if (joins && this.#unfinished.length === 0 && isBegun(chunk, from, end)) {
        const close = endOfText(chunk, from);
        // After one failed search, this chunk is not searched again. Otherwise the parser would search the complete
        // chunk for each of many unclosed lines.
        if (close < 0) joins = false;
        else if ((end = chunk.indexOf(LINE_FEED, close)) < 0) break;
      }
      const line = this.#take(chunk.subarray(from, end));
      if (this.#isTooLong) return;

      from = end + 1;
      // Blank lines after a request belong to it, because the original trims its packets.
      if (line.length > 0 || !(hasRequest || this.#awaitsBreak)) this.#add(line);
      hasRequest = true;
      this.#awaitsBreak = false;
    }
    if (from < chunk.length && !this.#isTooLong) this.#append(chunk.subarray(from));
  }

  /** Returns the complete line that ends with these bytes. */
  #take(end: Buffer): Buffer {
    if (this.#unfinished.length + end.length > this.maxBytes) this.#isTooLong = true;
    const line = this.#isTooLong ? Buffer.alloc(0) : this.#joined(end);
    this.#forget();
    return trimmed(line);
  }

  #append(piece: Buffer): void {
    if (this.#unfinished.length + piece.length > this.maxBytes) {
      this.#isTooLong = true;
      return;
    }

    this.#unfinished.push(piece);
    const last = trimmed(piece).at(-1) ?? 0;
    const isClosed = this.#isClosedBy(piece) && CLOSING.has(last);
    if (!isClosed && !this.#isQuit()) return;
    const line = trimmed(this.#unfinished.take(this.#unfinished.length));
    this.#forget();
    this.#add(line);
    this.#awaitsBreak = true;
  }

  #joined(end: Buffer): Buffer {
    const unfinished = this.#unfinished;
    if (unfinished.length === 0) return end;
    unfinished.append(end, end.length, unfinished.length + end.length);
    return unfinished.take(unfinished.length);
  }

  #add(line: Buffer): void {
    this.#lines.push(line);
    this.#lineBytes += line.length;
  }

  #isQuit(): boolean {
    const { bytes, at, end, length } = this.#unfinished;
    return length <= 2 * QUIT.length && trimmed(bytes.subarray(at, end)).equals(Buffer.from(QUIT));
  }

  /** Whether all brackets are closed after a piece. */
  #isClosedBy(piece: Buffer): boolean {
    let at = this.#isEscaped ? 1 : 0;
    let inString = this.#inString;
    /** The number of consecutive plain bytes in a string, and the index of the next quotation mark (at first -1). */
    let [plain, quote] = [0, -1];
    for (; at < piece.length; at++) {
      if (inString && plain++ === LONG_STRING) {
        if (quote < at) quote = indexOr(piece, QUOTE, at);
        at += indexOr(piece.subarray(at, quote), BACKSLASH, 0);
        plain = 0;
        if (at === piece.length) break;
      }

      const byte = piece[at] as number;
      if (inString) {
        if (byte === BACKSLASH) at++;
        else if (byte === QUOTE) inString = false;
      } else if (byte === QUOTE) {
        inString = true;
        plain = 0;
      } else if (OPENING.has(byte)) this.#depth++;
      else if (CLOSING.has(byte)) this.#depth--;
    }

    this.#isEscaped = at > piece.length;
    this.#inString = inString;
    return !inString && this.#depth <= 0;
  }

  #forget(): void {
    this.#unfinished.clear();
    this.#depth = 0;
    this.#inString = this.#isEscaped = false;
  }
}

/** Returns the index of a byte; the length if it is absent. */
function indexOr(bytes: Buffer, byte: number, from: number): number {
  const found = bytes.indexOf(byte, from);
  return found < 0 ? bytes.length : found;
}

/** Whether a line begins a list or an object but does not end it, judged by its last byte and the one after it. */
function isBegun(chunk: Buffer, from: number, end: number): boolean {
  let start = from;
  while (start < end && BLANK.has(chunk[start] as number)) start++;
  if (!OPENING.has(chunk[start] as number)) return false;
  let last = end - 1;
  while (last > start && BLANK.has(chunk[last] as number)) last--;
  return last === start || !CLOSING.has(chunk[last] as number) || continuesAt(chunk, end);
}

/** Whether the next text continues a list or an object: no request begins like this. */
function continuesAt(chunk: Buffer, end: number): boolean {
  let at = end;
  while (at < chunk.length && BLANK.has(chunk[at] as number)) at++;
  return chunk[at] === COMMA || CLOSING.has(chunk[at] as number);
}

/** Returns the index after the bracket that closes the first one; -1 if it is missing. */
function endOfText(chunk: Buffer, from: number): number {
  let depth = 0;
  let inString = false;
  for (let at = from; at < chunk.length; at++) {
    const byte = chunk[at] as number;
    if (inString) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (OPENING.has(byte)) depth++;
    else if (CLOSING.has(byte) && --depth === 0) return at + 1;
  }

  return -1;
}

function trimmed(bytes: Buffer): Buffer {
  let start = 0;
  let end = bytes.length;
  while (start < end && BLANK.has(bytes[start] as number)) start++;
  while (end > start && BLANK.has(bytes[end - 1] as number)) end--;
  return bytes.subarray(start, end);
}
