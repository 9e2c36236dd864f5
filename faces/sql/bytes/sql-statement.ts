/**
 * Parses requests of the SQL line protocol that are not statements, and converts statements for the original server.
 * The original ends a statement at every `;`, and repeats its lines in errors, where a line END would end the answer.
 */
import type { ByteString } from "../../../protocol/byte-string.js";

/** Matches a login. It allows only ASCII spaces, because byte A0 may be a part of a letter. */
const LOGIN = /^login[ \t\r\n]+([^ \t\r\n]+)[ \t\r\n]+([^ \t\r\n]+)$/i;
/** Matches a request that sets the number of rows per page for the connection. */
const PAGES = /^(?:pages|pejy)\s+([1-9]\d{0,8})$/i;
/**
 * Matches HTTP: a web page has made a browser connect here, and its data must not be interpreted as statements, even if
 * a `;` in its path ends the first one.
 */
const HTTP = /^(?:[A-Z]+ \S+ HTTP\/|(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|TRACE|CONNECT) \/)/i;
/** Matches a statement without quotes, semicolons, line breaks and comments. */
const PLAIN = /^(?:(?!--|\/\*)[^'";\r\n])*$/;
export type SessionRequest =
  | { readonly kind: "login"; readonly name: ByteString; readonly password: ByteString }
  | { readonly kind: "pages"; readonly rows: number }
  /** A client that speaks HTTP. */
  | { readonly kind: "http" };

/** Parses a request that concerns the connection. Returns null if it is a statement. */
export function readSessionRequest(statement: ByteString): SessionRequest | null {
  const login = LOGIN.exec(statement);
  if (login !== null) return { kind: "login", name: login[1] as string, password: login[2] as string };
  const pages = PAGES.exec(statement);
  if (pages !== null) return { kind: "pages", rows: Number(pages[1]) };
  return HTTP.test(statement) ? { kind: "http" } : null;
}

/** Matches a text whose last quote follows a backslash, up to that quote. */
const ESCAPED_END = /(['"])[^'"]*\\\1(?=[\s,);]|$)/;

/**
 * Describes an unfinished text or comment in a statement, because of which a server would wait for more input or
 * include the following bytes. Returns null if there is none.
 */
export function unfinishedPart(statement: string): string | null {
  const { open } = partsOf(statement);
  if (open === null) return null;
  if (open === "comment") return "a comment in this statement has no */ at its end";
  const [text] = ESCAPED_END.exec(statement) ?? [];
  const hint = text === undefined ? "" : `; ${text} does not end there: write \\\\ for a backslash`;
  return `a text in this statement has no closing quote${hint}`;
}

/**
 * Whether the original interprets a statement identically, because the statement has no `;`, line breaks, quotes or
 * comments.
 */
export function isPlain(statement: string): boolean {
  return PLAIN.test(statement);
}

/**
 * Returns an equivalent statement for the original, on one line.
 * @returns null if the original would not interpret it as one statement
 */
export function statementForOriginal(statement: string): string | null {
  if (statement.includes(";")) return null;
  let written = "";
  let at = 0;
  for (const [from, to] of partsOf(statement).texts) {
    written += blanked(statement.slice(at, from));
    written += statement.slice(from, to).replaceAll("\r", "\\r").replaceAll("\n", "\\n");
    at = to;
  }
  return written + blanked(statement.slice(at));
}

const blanked = (piece: string) => piece.replace(/[\r\n]+/g, " ");

/** Returns the statement with its final `;`, which a comment on its last line must not hide. */
export function terminated(statement: string): string {
  return statement.includes("--") ? `${statement}\n;` : `${statement};`;
}

interface Parts {
  /** The starts and ends of the texts that end, including quotes. */
  readonly texts: readonly (readonly [from: number, to: number])[];
  /** The part that does not end; null if there is none. */
  readonly open: SqlScanner["open"];
}

function partsOf(statement: string): Parts {
  const scanner = new SqlScanner();
  const texts: (readonly [number, number])[] = [];
  let from = -1;
  for (let at = 0; at < statement.length; at++) {
    if (scanner.ends(statement.charCodeAt(at))) scanner.reset();
    if (scanner.isInText === from >= 0) continue;
    if (from >= 0) texts.push([from, at + 1]);
    from = scanner.isInText ? at : -1;
  }
  return { texts, open: scanner.open };
}

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

/**
 * The positions of the texts, the comments and the end of a statement of the SQL line protocol, byte by byte. A
 * statement ends with a `;` outside of texts and, in English statements, outside of comments. Every program that splits
 * or checks statements uses this class: two programs with different rules would wait for each other. Source:
 * test/vectors/sql/GRAMMAR.md "Wire". In the original, a `;` inside a text ends the statement; this class fixes that.
 */
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
