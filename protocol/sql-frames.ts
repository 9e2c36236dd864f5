/**
 * Answers of the SQL line protocol: writes them, and parses them from a stream of bytes. Each is a frame that ends with a line END: a
 * message, an error, or pages of a relation followed by a message. Source: test/vectors/sql/GRAMMAR.md "Wire".
 */
import { type ByteString, bytesOf } from "./byte-string.js";
import { ReceiveBuffer } from "./receive-buffer.js";

/** Beginning of errors; clients look for it, whatever the language. */
export const ERROR_HEAD = "Hadisoana : ";
/** The earlier balancer's error for unreachable servers, without the head. */
export const BALANCER_ERROR = "Erreur de connexion backend";
const MESSAGE = "RESULT_MESSAGE";
const PAGE = "RELATION_JSON_PAGE ";
const PAGES_END = "RELATION_JSON_END";
const END = "END";
/** Characters to keep of an incomplete line; heads are shorter, and so is the beginning of an error. */
const LINE_KEPT = 64;

/** @param text  line breaks, which would end the frame, become blanks */
export function messageFrame(text: ByteString): ByteString {
  return `${MESSAGE}\n${text.replace(/[\r\n]+/g, " ")}\n${END}\n`;
}

export function errorFrame(text: ByteString): ByteString {
  return messageFrame(ERROR_HEAD + text);
}

/** The message of dbsyncd, before it reads anything, to a connection above the maximum. */
export const FULL_FRAME = errorFrame("too many connections");

export interface SqlFrame {
  /** The complete frame, as it was received. */
  readonly bytes: ByteString;
  readonly isError: boolean;
}

/** The kind of the next line. The first line after MESSAGE is text, whatever it contains. */
type Place = "head" | "page" | "text" | "more-text";

export class SqlFrameReader {
  /** Why the rest of the stream cannot be read; null: it can. */
  problem: "no-answer" | "too-long" | null = null;
  readonly #maxBytes: number;
  /** Bytes of the incomplete frame from before the current chunk. */
  readonly #unfinished = new ReceiveBuffer();
  /** The beginning of the line that has not ended. */
  #line: ByteString = "";
  #place: Place = "head";
  #isError = false;
  #hasPages = false;
  readonly #whole: SqlFrame[] = [];

  /** @param maxBytes  of a frame */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes of the incomplete frame. */
  get heldBytes(): number {
    return this.#unfinished.length;
  }

  /** The next whole frame; null: it has not arrived. */
  next(): SqlFrame | null {
    return this.#whole.shift() ?? null;
  }

  /** Takes received bytes; they are copied. */
  push(chunk: Buffer): void {
    const text = bytesOf(chunk);
    let frameAt = 0;
    for (let at = 0; this.problem === null; ) {
      const end = text.indexOf("\n", at);
      const kept = LINE_KEPT - this.#line.length;
      if (kept > 0) this.#line += text.slice(at, Math.min(end < 0 ? text.length : end, at + kept));
      if (end < 0) break;
      at = end + 1;
      if (!this.#endLine()) continue;
      this.#endFrame(text.slice(frameAt, at), chunk.subarray(frameAt, at));
      frameAt = at;
    }
    this.#keep(chunk.subarray(frameAt));
  }

  /** @returns whether the frame ends with it */
  #endLine(): boolean {
    const line = this.#line;
    this.#line = "";
    switch (this.#place) {
      case "head":
        this.#readHead(line);
        return false;
      case "page":
        this.#place = "head";
        return false;
      case "text":
        this.#isError = !this.#hasPages && (line.startsWith(ERROR_HEAD) || line === BALANCER_ERROR);
        this.#place = "more-text";
        return false;
      case "more-text":
        return line === END;
    }
  }

  #readHead(line: ByteString): void {
    if (line === MESSAGE) this.#place = "text";
    else if (line.startsWith(PAGE)) {
      this.#hasPages = true;
      this.#place = "page";
    } else if (line !== PAGES_END) this.problem = "no-answer";
  }

  /** @param text  the last part of the frame, and the same as bytes */
  #endFrame(text: ByteString, part: Buffer): void {
    const unfinished = this.#unfinished;
    if (unfinished.length > 0) unfinished.append(part, part.length);
    const bytes = unfinished.length === 0 ? text : bytesOf(unfinished.bytes, unfinished.at, unfinished.end);
    if (bytes.length > this.#maxBytes) this.problem = "too-long";
    else this.#whole.push({ bytes, isError: this.#isError });
    unfinished.clear();
    this.#place = "head";
    this.#isError = false;
    this.#hasPages = false;
  }

  #keep(part: Buffer): void {
    if (part.length === 0) return;
    this.#unfinished.append(part, part.length);
    // A line that is not a head may be endless.
    if (this.#place === "head" && this.#line.length === LINE_KEPT) this.problem ??= "no-answer";
    if (this.#unfinished.length > this.#maxBytes) this.problem ??= "too-long";
  }
}
