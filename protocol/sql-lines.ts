/**
 * Statements of the SQL line protocol out of a stream of bytes: each ends with a `;` that stands in no text. Source:
 * test/vectors/sql/GRAMMAR.md "Wire"; there a `;` within a text ends the statement, which is mended.
 */
import { type ByteString, bytesOf, trimmed } from "./byte-string.js";

const SEMICOLON = 0x3b;
const BACKSLASH = 0x5c;
const SINGLE = 0x27;
const DOUBLE = 0x22;

export class SqlLineParser {
  /** Of a statement. May be changed whenever one has been taken: it holds for the next. */
  maxBytes: number;
  /** What has come of the statement that has not ended. */
  #parts: ByteString[] = [];
  #held = 0;
  /** Statements that have come whole. */
  #whole: ByteString[] = [];
  #wholeBytes = 0;
  /** The quote that the text which has begun ends with; 0: none has. */
  #quote = 0;
  #isEscaped = false;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get heldBytes(): number {
    return this.#held + this.#wholeBytes;
  }

  get isMidRequest(): boolean {
    return this.#whole.length > 0 || this.#parts.some((part) => trimmed(part) !== "");
  }

  /** Whether the next statement is longer than any may be: nothing more can be taken. */
  get isTooLong(): boolean {
    return (this.#whole[0]?.length ?? this.#held) > this.maxBytes;
  }

  /** Takes bytes as they came; they are copied. */
  push(chunk: Buffer): void {
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] as number;
      if (this.#isEscaped) this.#isEscaped = false;
      else if (this.#quote !== 0) {
        if (byte === BACKSLASH) this.#isEscaped = true;
        else if (byte === this.#quote) this.#quote = 0;
      } else if (byte === SINGLE || byte === DOUBLE) this.#quote = byte;
      else if (byte === SEMICOLON) {
        this.#keep(bytesOf(chunk, from, at));
        this.#endStatement();
        from = at + 1;
      }
    }
    this.#keep(bytesOf(chunk, from));
  }

  /** Nothing more comes: what has begun is a statement, as it is. */
  end(): void {
    this.#endStatement();
  }

  /** The next whole statement, without blanks around it; null: it has not come. */
  next(): ByteString | null {
    const [statement] = this.#whole;
    if (statement === undefined || statement.length > this.maxBytes) return null;
    this.#whole.shift();
    this.#wholeBytes -= statement.length;
    return statement;
  }

  #keep(part: ByteString): void {
    if (part === "") return;
    this.#parts.push(part);
    this.#held += part.length;
  }

  #endStatement(): void {
    const statement = trimmed(this.#parts.join(""));
    this.#quote = 0;
    this.#isEscaped = false;
    this.#parts = [];
    this.#held = 0;
    if (statement === "") return;
    this.#whole.push(statement);
    this.#wholeBytes += statement.length;
  }
}
