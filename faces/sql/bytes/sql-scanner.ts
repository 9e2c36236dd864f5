/**
 * Finds the texts, the comments and the end of a statement of the SQL line protocol, byte by byte. A statement ends with
 * a `;` outside of texts and, in English statements, outside of comments. Every program that splits or checks statements
 * uses this class: two programs with different rules would wait for each other. Source: test/vectors/sql/GRAMMAR.md
 * "Wire". In the original, a `;` inside a text ends the statement; this class fixes that.
 */
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

export class SqlScanner {
  /** The quote that ends the current text, or 0 outside of a text. */
  #quote = 0;
  #isEscaped = false;
  /** The byte that ends the current comment: a line end, or a STAR before a SLASH. It is 0 outside of a comment. */
  #comment = 0;
  /** Whether the statement may contain comments, or null if its first word has not ended. */
  #mayHaveComments: boolean | null = null;
  #firstWord = "";
  /** The previous byte if a comment may begin or end with it, otherwise 0. */
  #last = 0;
  #hasCode = false;
  #hasComment = false;

  /** Whether the last byte is inside a text, which does not include its closing quote. */
  get isInText(): boolean {
    return this.#quote !== 0;
  }

  /** The part that hides a `;`, also one on a new line, because it has not ended; null if there is none. */
  get open(): "text" | "comment" | null {
    if (this.#quote !== 0) return "text";
    return this.#comment === STAR ? "comment" : null;
  }

  /** Whether the statement so far consists of comments and spaces, with at least one comment. */
  get isOnlyComments(): boolean {
    return this.#hasComment && !this.#hasCode;
  }

  /** Scans the next byte, or character. @returns whether it ends the statement; call `reset` before the next one */
  ends(byte: number): boolean {
    if (this.#comment !== 0) this.#passComment(byte);
    else if (this.#isEscaped) this.#isEscaped = false;
    else if (this.#quote !== 0) {
      if (byte === BACKSLASH) this.#isEscaped = true;
      else if (byte === this.#quote) this.#quote = 0;
    } else if (this.#beginsComment(byte)) this.#hasComment = true;
    else if (byte === SINGLE || byte === DOUBLE) this.#quote = byte;
    else return byte === SEMICOLON;
    return false;
  }

  /** Prepares for the next statement. */
  reset(): void {
    this.#quote = 0;
    this.#isEscaped = false;
    this.#comment = 0;
    this.#mayHaveComments = null;
    this.#firstWord = "";
    this.#last = 0;
    this.#hasCode = false;
    this.#hasComment = false;
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
}

const isLetter = (byte: number) => (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a;
