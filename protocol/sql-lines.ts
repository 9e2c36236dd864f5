/**
 * Statements of the SQL line protocol from a stream of bytes: each ends with a `;` outside of texts, and outside of comments in English
 * statements. Source: test/vectors/sql/GRAMMAR.md "Wire"; there a `;` within a text ends the statement, which is fixed here.
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

/** Statements that may contain comments begin with this, or with a comment. */
const ENGLISH: ReadonlySet<string> = new Set(
  "select insert update delete create drop show use describe".split(" "),
);
const FIRST_WORD_CHARS = 8;

export class SqlLineParser {
  /** Maximum bytes of a statement. May be changed between two: it applies to the next. */
  maxBytes: number;
  /** Bytes of the incomplete statement. */
  readonly #unfinished = new ReceiveBuffer();
  /** Complete statements. */
  #whole: ByteString[] = [];
  #wholeBytes = 0;
  /** The quote that the text which has begun ends with; 0: none has. */
  #quote = 0;
  #isEscaped = false;
  /** End of the comment that has begun: the end of the line, or a STAR before a SLASH; 0: none has begun. */
  #comment = 0;
  /** Whether comments may be in the statement; null: its first word has not ended. */
  #mayHaveComments: boolean | null = null;
  #firstWord = "";
  /** The byte before, where a comment may begin or end with it; 0: another one. */
  #last = 0;
  /** Whether the statement consists of more than comments. */
  #hasCode = false;
  #hasComment = false;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get heldBytes(): number {
    return this.#unfinished.length + this.#wholeBytes;
  }

  get isMidRequest(): boolean {
    return this.#whole.length > 0 || !this.#isBlank;
  }

  /** Whether the next statement is longer than any may be: nothing more can be taken. */
  get isTooLong(): boolean {
    return (this.#whole[0]?.length ?? this.#unfinished.length) > this.maxBytes;
  }

  /** Takes received bytes; they are copied. */
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
    const rest = chunk.subarray(from);
    this.#unfinished.append(rest, rest.length);
  }

  /** Ends the stream: what has begun is a statement, as it is. */
  end(): void {
    this.#endStatement(Buffer.alloc(0));
  }

  /** The next whole statement, without blanks around it; null: it has not arrived. */
  next(): ByteString | null {
    const [statement] = this.#whole;
    if (statement === undefined || statement.length > this.maxBytes) return null;
    this.#whole.shift();
    this.#wholeBytes -= statement.length;
    return statement;
  }

  /** Returns the statement that ends with these bytes. */
  #joined(rest: Buffer): ByteString {
    const unfinished = this.#unfinished;
    if (unfinished.length === 0) return bytesOf(rest);
    unfinished.append(rest, rest.length);
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

  /** Whether a comment begins with this byte and the one before. */
  #beginsComment(byte: number): boolean {
    if (this.#mayHaveComments === false) {
      this.#hasCode = true;
      return false;
    }
    // A sign ends the first word: two signs are a comment in an English statement alone.
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

  #endStatement(rest: Buffer): void {
    const text = trimmed(this.#joined(rest));
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
    this.#whole.push(statement);
    this.#wholeBytes += statement.length;
  }
}

const isLetter = (byte: number) => (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a;
