/**
 * Parses statements of the SQL line protocol from a stream of bytes. A statement ends with a `;` outside of string
 * literals and, in English statements, outside of comments. Source: test/vectors/sql/GRAMMAR.md "Wire". In the
 * original, a `;` inside a literal ends the statement; this parser fixes that.
 */
import { type ByteString, bytesOf, isBlank, trimmed } from "./byte-string.js";
import { ReceiveBuffer } from "./receive-buffer.js";

const SEMICOLON = 0x3b;
const BACKSLASH = 0x5c;
const SINGLE = 0x27;
const DOUBLE = 0x22;

const DASH = 0x2d;
const SLASH = 0x2f;
const STAR = 0x2a;
const NEWLINE = 0x0a;

/** The first words of statements that may contain comments. Such a statement may also begin with a comment. */
const ENGLISH: ReadonlySet<string> = new Set(
  "select insert update delete create drop show use describe".split(" "),
);
const FIRST_WORD_CHARS = 8;
const BEGINNING_BYTES = 1024;

export class SqlLineParser {
  /** The maximum length of a statement in bytes. It may be changed between two statements. */
  maxBytes: number;
  /** The bytes of the incomplete statement. */
  readonly #unfinished = new ReceiveBuffer();
  /** The complete statements. */
  #complete: ByteString[] = [];
  #completeBytes = 0;
  /** The quote that ends the current string literal, or 0 outside of a literal. */
  #quote = 0;
  #isEscaped = false;
  /** The byte that ends the current comment: a line end, or a STAR before a SLASH. It is 0 outside of a comment. */
  #comment = 0;
  /** Whether the statement may contain comments, or null if its first word has not ended. */
  #mayHaveComments: boolean | null = null;
  #firstWord = "";
  /** The previous byte if a comment may begin or end with it, otherwise 0. */
  #last = 0;
  /** Whether the statement contains more than comments. */
  #hasCode = false;
  #hasComment = false;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get heldBytes(): number {
    return this.#unfinished.length + this.#completeBytes;
  }

  get isMidRequest(): boolean {
    return this.#complete.length > 0 || !this.#isBlank;
  }

  /** Whether the next statement is too long. The parser then returns no more statements. */
  get isTooLong(): boolean {
    return (this.#complete[0]?.length ?? this.#unfinished.length) > this.maxBytes;
  }

  /** The beginning of the next statement, which shows its language. */
  get beginning(): ByteString {
    const { bytes, at, end } = this.#unfinished;
    return (
      this.#complete[0]?.slice(0, BEGINNING_BYTES) ?? bytesOf(bytes, at, Math.min(end, at + BEGINNING_BYTES))
    );
  }

  /** Adds received bytes, and copies them. */
  push(chunk: Buffer): void {
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] as number;
      if (this.#comment !== 0) this.#passComment(byte);
      else if (this.#isEscaped) this.#isEscaped = false;
      else if (this.#quote !== 0) {
        if (byte === BACKSLASH) this.#isEscaped = true;
        else if (byte === this.#quote) this.#quote = 0;
      } else if (this.#beginsComment(byte)) this.#hasComment = true;
      else if (byte === SINGLE || byte === DOUBLE) this.#quote = byte;
      else if (byte === SEMICOLON) {
        this.#endStatement(chunk.subarray(from, at));
        from = at + 1;
      }
    }
    const part = chunk.subarray(from);
    this.#unfinished.append(part, part.length);
  }

  /** Ends the stream. The unfinished bytes are a statement. */
  end(): void {
    this.#endStatement(Buffer.alloc(0));
  }

  /** Returns the next complete statement without surrounding spaces; null if it has not arrived. */
  next(): ByteString | null {
    const [statement] = this.#complete;
    if (statement === undefined || statement.length > this.maxBytes) return null;
    this.#complete.shift();
    this.#completeBytes -= statement.length;
    return statement;
  }

  /** Returns the statement that ends with these bytes. */
  #joined(part: Buffer): ByteString {
    const unfinished = this.#unfinished;
    if (unfinished.length === 0) return bytesOf(part);
    unfinished.append(part, part.length);
    const { bytes, at, end } = unfinished;
    const text = bytesOf(bytes, at, end);
    unfinished.clear();
    return text;
  }

  #passComment(byte: number): void {
    if (byte === NEWLINE ? this.#comment === NEWLINE : byte === SLASH && this.#last === STAR)
      this.#comment = 0;
    this.#last = this.#comment === STAR ? byte : 0;
  }

  /** Whether a comment begins with the previous byte and this byte. */
  #beginsComment(byte: number): boolean {
    if (this.#mayHaveComments === false) {
      this.#hasCode = true;
      return false;
    }
    // A sign ends the first word. Two signs are a comment only in an English statement.
    if (this.#mayHaveComments === null && this.#firstWord !== "" && !isLetter(byte)) {
      this.#mayHaveComments = ENGLISH.has(this.#firstWord);
      if (!this.#mayHaveComments) return false;
    }
    const before = this.#last;
    this.#last = byte;
    if ((byte === DASH && before === DASH) || (byte === STAR && before === SLASH)) {
      this.#comment = byte === DASH ? NEWLINE : STAR;
      this.#last = 0;
      return true;
    }
    if (byte === DASH || byte === SLASH) return false;
    if (byte > 0x20 && byte !== SEMICOLON) this.#hasCode = true;
    if (this.#mayHaveComments === null) this.#readFirstWord(byte);
    return false;
  }

  #readFirstWord(byte: number): void {
    if (isLetter(byte)) {
      this.#firstWord += String.fromCharCode(byte | 0x20);
      if (this.#firstWord.length > FIRST_WORD_CHARS) this.#mayHaveComments = false;
    } else if (byte > 0x20) this.#mayHaveComments = false;
  }

  get #isBlank(): boolean {
    const { bytes, at, end } = this.#unfinished;
    for (let i = at; i < end; i++) if (!isBlank(bytes[i] as number)) return false;
    return true;
  }

  #endStatement(part: Buffer): void {
    const text = trimmed(this.#joined(part));
    const statement = this.#hasComment && !this.#hasCode ? "" : text;
    this.#comment = 0;
    this.#mayHaveComments = null;
    this.#firstWord = "";
    this.#last = 0;
    this.#hasCode = false;
    this.#hasComment = false;
    this.#quote = 0;
    this.#isEscaped = false;
    if (statement === "") return;
    this.#complete.push(statement);
    this.#completeBytes += statement.length;
  }
}

const isLetter = (byte: number) => (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a;
