/**
 * Writes the answers of the SQL line protocol, and parses them from a stream of bytes. Each answer is a frame that ends
 * with a line END: a message, an error, or pages of a relation followed by a message. Source:
 * test/vectors/sql/GRAMMAR.md "Wire".
 */
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import { ReceiveBuffer } from "../../../protocol/receive-buffer.js";

/** The prefix of errors. Clients detect errors by it, regardless of the language. */
export const ERROR_HEAD = "Hadisoana : ";
/** The earlier balancer's error for unreachable servers, which does not have this prefix. */
export const BALANCER_ERROR = "Erreur de connexion backend";
const MESSAGE = "RESULT_MESSAGE";
const PAGE = "RELATION_JSON_PAGE ";
const PAGES_END = "RELATION_JSON_END";
const END = "END";
/** The number of characters of an incomplete line to store. Headers and the prefix of an error are shorter. */
const LINE_KEPT = 64;

/** Returns a frame with a message. @param text  line breaks, which would end the frame, are replaced by spaces */
export function messageFrame(text: ByteString): ByteString {
  return `${MESSAGE}\n${text.replace(/[\r\n]+/g, " ")}\n${END}\n`;
}

export function errorFrame(text: ByteString): ByteString {
  return messageFrame(ERROR_HEAD + text);
}

/** The message that dbsyncd immediately sends to a connection above the maximum number. */
export const FULL_FRAME = errorFrame("too many connections");

export interface SqlFrame {
  /** The complete frame as received. */
  readonly bytes: ByteString;
  readonly isError: boolean;
}

/** The kind of the next line. The first line after MESSAGE is always text. */
type LineKind = "head" | "page" | "text" | "more-text";

export class SqlFrameReader {
  /** The reason why the stream can no longer be parsed, or null if it can. */
  problem: "no-answer" | "too-long" | null = null;
  readonly #maxBytes: number;
  /** The bytes of the incomplete frame in earlier chunks. */
  readonly #unfinished = new ReceiveBuffer();
  /** The beginning of the unfinished line. */
  #line: ByteString = "";
  #lineKind: LineKind = "head";
  #isError = false;
  #hasPages = false;
  readonly #complete: SqlFrame[] = [];

  /** Creates a parser. @param maxBytes  the maximum length of a frame */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The number of bytes of the incomplete frame. */
  get heldBytes(): number {
    return this.#unfinished.length;
  }

  /** Returns the next complete frame; null if it has not arrived. */
  next(): SqlFrame | null {
    return this.#complete.shift() ?? null;
  }

  /** Adds received bytes, and copies them. */
  push(chunk: Buffer): void {
    const text = bytesOf(chunk);
    let frameAt = 0;
    for (let at = 0; this.problem === null; ) {
      const end = text.indexOf("\n", at);
      const room = LINE_KEPT - this.#line.length;
      if (room > 0) this.#line += text.slice(at, Math.min(end < 0 ? text.length : end, at + room));
      if (end < 0) break;
      at = end + 1;
      if (!this.#endLine()) continue;
      this.#endFrame(text.slice(frameAt, at), chunk.subarray(frameAt, at));
      frameAt = at;
    }
    this.#append(chunk.subarray(frameAt));
  }

  /** Handles the end of a line. @returns whether the frame ends with it */
  #endLine(): boolean {
    const line = this.#line;
    this.#line = "";
    switch (this.#lineKind) {
      case "head":
        this.#readHead(line);
        return false;
      case "page":
        this.#lineKind = "head";
        return false;
      case "text":
        this.#isError = !this.#hasPages && (line.startsWith(ERROR_HEAD) || line === BALANCER_ERROR);
        this.#lineKind = "more-text";
        return false;
      case "more-text":
        return line === END;
    }
  }

  #readHead(line: ByteString): void {
    if (line === MESSAGE) this.#lineKind = "text";
    else if (line.startsWith(PAGE)) {
      this.#hasPages = true;
      this.#lineKind = "page";
    } else if (line !== PAGES_END) this.problem = "no-answer";
  }

  /** Adds a complete frame. @param text  the last part of the frame @param part  the same part as bytes */
  #endFrame(text: ByteString, part: Buffer): void {
    const unfinished = this.#unfinished;
    if (unfinished.length > 0) unfinished.append(part, part.length);
    const bytes = unfinished.length === 0 ? text : bytesOf(unfinished.bytes, unfinished.at, unfinished.end);
    if (bytes.length > this.#maxBytes) this.problem = "too-long";
    else this.#complete.push({ bytes, isError: this.#isError });
    unfinished.clear();
    this.#lineKind = "head";
    this.#isError = false;
    this.#hasPages = false;
  }

  #append(part: Buffer): void {
    if (part.length === 0) return;
    this.#unfinished.append(part, part.length);
    // A line that is not a header is not an answer. The end of such a line may never arrive, so the
    // parser refuses the line earlier.
    if (this.#lineKind === "head" && this.#line.length === LINE_KEPT) this.problem ??= "no-answer";
    if (this.#unfinished.length > this.#maxBytes) this.problem ??= "too-long";
  }
}
