/**
 * Splits a statement into words, numbers, texts and signs, and reads these tokens one after the other, with the
 * keywords of its language.
 */
import {
  type ByteString,
  detached,
  isAscii,
  isBlank,
  textOfBytes,
} from "../../../../protocol/byte-string.js";
import { DECIMAL } from "../values/number-text.js";
import { KEYWORDS, type KeywordName, PHRASES, type Phrases, RESERVED_WORDS } from "./keywords.js";
import { SqlMistake } from "./syntax-error.js";
import type { Form, Language, Query } from "./syntax-tree.js";

export interface Token {
  readonly kind: "word" | "number" | "text" | "sign" | "end";
  /** The token as written; for a text its contents. */
  readonly text: ByteString;
  /** The word in lower case; empty for a name in double quotes, which is never a keyword. */
  readonly lower: string;
  readonly at: number;
  readonly end: number;
  /** The next token, or null if this is the last one. */
  next: Token | null;
}

/** Signs that another character may follow, with the permitted characters. */
const PAIRS: Readonly<Record<string, string>> = { "!": "=", "<": "=>", ">": "=" };
const SIGNS: ReadonlySet<string> = new Set("()*,.:=!<>+-/^#@?;");
/**
 * Characters above ASCII that a name cannot contain: invalid UTF-8, control characters, spaces and signs. No version of
 * Unicode changes these properties, so daemons with different versions of Unicode read a statement in the same way,
 * even if one version does not contain a letter of the statement yet.
 */
const NO_NAME =
  /[\ufffd\ufeff\u0080-\u00a0\u1680\u2000-\u200d\u202f\u205f\u3000\p{Pattern_Syntax}\p{Pattern_White_Space}]/u;
const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };

/** @returns the first token @throws SqlMistake */
export function tokensOf(statement: ByteString, form: Form): Token {
  const first = tokenFrom(statement, 0, form);
  for (let token = first; token.kind !== "end"; ) {
    const next = tokenFrom(statement, token.end, form);
    token.next = next;
    token = next;
  }
  return first;
}

/**
 * Splits a word after its beginning, as if a space followed the beginning, and returns the first token of the remaining
 * word. The new tokens are linked to the existing tokens after the word.
 * @param length the length of the beginning
 * @throws SqlMistake
 */
export function restOfWord(statement: ByteString, word: Token, length: number): Token {
  const first = tokenFrom(statement, word.at + length, "original");
  let later = word.next;
  for (let token = first; ; ) {
    const next = tokenFrom(statement, token.end, "original");
    while (later !== null && later.at < next.at) later = later.next;
    token.next = later?.at === next.at ? later : next;
    if (token.next === later) return first;
    token = next;
  }
}

/** @param from byte offset of the token or of the spaces before it */
function tokenFrom(statement: ByteString, from: number, form: Form): Token {
  let at = from;
  while (isBlank(statement.charCodeAt(at))) at++;
  if (form === "standard") {
    const end = afterComments(statement, at);
    if (end !== at) return tokenFrom(statement, end, form);
  }
  return at < statement.length
    ? tokenAt(statement, at, form)
    : { kind: "end", text: "", lower: "", at, end: at, next: null };
}

function tokenAt(statement: ByteString, at: number, form: Form): Token {
  const code = statement.charCodeAt(at);
  if (isLetter(code)) return wordAt(statement, at);
  if (form === "standard" && isNumberStart(statement, at)) return standardNumberAt(statement, at);
  if (isDigit(code)) return numberAt(statement, at);

  const char = statement[at] as string;
  if (char === '"' && form === "standard") return { ...textAt(statement, at), kind: "word" };
  if (char === "'" || char === '"') return textAt(statement, at);
  if (!SIGNS.has(char))
    throw new SqlMistake("unexpected", { at, found: char }, "a word, a number, a text or a sign");

  const second = statement[at + 1];
  const isPair = second !== undefined && PAIRS[char]?.includes(second) === true;
  const text = isPair ? char + second : char;
  return { kind: "sign", text, lower: text, at, end: at + text.length, next: null };
}

function wordAt(statement: ByteString, at: number): Token {
  let end = at + 1;
  while (isLetter(statement.charCodeAt(end)) || isDigit(statement.charCodeAt(end))) end++;
  const text = statement.slice(at, end);
  if (!isAscii(text) && NO_NAME.test(textOfBytes(text)))
    throw new SqlMistake("unexpected", { at, found: text }, "a name of letters, digits and _");
  return { kind: "word", text, lower: text.toLowerCase(), at, end, next: null };
}

function numberAt(statement: ByteString, at: number): Token {
  let end = at + 1;
  while (isDigit(statement.charCodeAt(end))) end++;
  if (statement[end] === "." && isDigit(statement.charCodeAt(end + 1))) {
    end += 2;
    while (isDigit(statement.charCodeAt(end))) end++;
  }
  const text = statement.slice(at, end);
  return { kind: "number", text, lower: text, at, end, next: null };
}

/** Returns the index after the comments that begin at `at`. @throws SqlMistake if a comment does not end */
function afterComments(statement: ByteString, at: number): number {
  let end = at;
  for (;;) {
    if (statement.startsWith("--", end)) {
      const line = statement.indexOf("\n", end);
      end = line < 0 ? statement.length : line + 1;
    } else if (statement.startsWith("/*", end)) {
      const close = statement.indexOf("*/", end + 2);
      if (close < 0)
        throw new SqlMistake("unexpected", { at: end, found: "/*" }, "*/ at the end of the comment");
      end = close + 2;
    } else return end;
    while (isBlank(statement.charCodeAt(end))) end++;
  }
}

const isNumberStart = (statement: ByteString, at: number) =>
  isDigit(statement.charCodeAt(at)) || (statement[at] === "." && isDigit(statement.charCodeAt(at + 1)));

/** Matches a hexadecimal number, which only statements may contain, or a decimal one, which texts represent too. */
const STANDARD_NUMBER = new RegExp(`0x[\\da-f]+|${DECIMAL}`, "iy");

function standardNumberAt(statement: ByteString, at: number): Token {
  STANDARD_NUMBER.lastIndex = at;
  const [text = ""] = STANDARD_NUMBER.exec(statement) ?? [];
  const end = at + text.length;
  if (isLetter(statement.charCodeAt(end)))
    throw new SqlMistake(
      "unexpected",
      { at, found: `${text}${wordAt(statement, end).text}` },
      "a number such as 12, 1.5, 1e5 or 0x1f",
    );
  return { kind: "number", text, lower: text, at, end, next: null };
}

/** Returns the text that begins at a quote. Within the text, a quote is escaped by doubling it or with a backslash. */
function textAt(statement: ByteString, at: number): Token {
  const quote = statement[at] as string;
  let text = "";
  let from = at + 1;
  for (let end = from; end < statement.length; end++) {
    const char = statement[end] as string;
    if (char === "\\" && end + 1 < statement.length) {
      const escaped = statement[end + 1] as string;
      text += statement.slice(from, end) + (ESCAPES[escaped] ?? escaped);
      from = end + 2;
      end++;
    } else if (char === quote) {
      text += statement.slice(from, end);
      if (statement[end + 1] !== quote)
        // A table may store the text, which must not keep a long statement in memory.
        return { kind: "text", text: detached(text), lower: "", at, end: end + 1, next: null };
      text += quote;
      from = end + 2;
      end++;
    }
  }

  throw new SqlMistake(
    "unexpected",
    { at, found: statement.slice(at, at + 8) },
    "a quote at the end of the text",
  );
}

const isDigit = (code: number) => code >= 48 && code <= 57;
/** Whether a byte is part of a letter, as all bytes of UTF-8 above ASCII are. */
const isLetter = (code: number) =>
  (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code === 95 || code >= 128;

/** Maximum nesting of parentheses, queries and signs: each level uses stack space here and during execution. */
const NESTING_MAX = 32;
/** Maximum number of operators in one condition or value: each operator may use stack space too. */
const OPERATORS_MAX = 500;
const DIGITS = /^\d/;

interface ReaderOptions {
  readonly language: Language;
  readonly form: Form;
  /** Parses a query in an expression: the grammar of queries uses that of expressions. */
  readonly query: (reader: TokenReader) => Query;
}

export class TokenReader {
  readonly statement: ByteString;
  readonly language: Language;
  readonly form: Form;
  /** The query in parentheses that was read last. */
  endedQuery: Query | null = null;
  /** Number of `?` so far. */
  parameters = 0;
  /** Number of queries in expressions so far; null where an expression cannot contain one. */
  subqueries: number | null = null;
  /** Parses a query. */
  readonly query: (reader: TokenReader) => Query;
  readonly #phrases: Readonly<Record<KeywordName, Phrases>>;
  /** The next token. */
  token: Token;
  #depth = 0;
  #operators = 0;

  /** @param first the first token */
  constructor(statement: ByteString, first: Token, { language, form, query }: ReaderOptions) {
    this.statement = statement;
    this.language = language;
    this.form = form;
    this.query = query;
    this.token = first;
    this.#phrases = PHRASES[language];
  }

  get following(): Token {
    return this.token.next ?? this.token;
  }

  advance(): Token {
    const { token } = this;
    this.token = this.following;
    return token;
  }

  /** Accepts a keyword if it comes next, with the marks that Malagasy ones may have (`#` before it, `@` after it). */
  accept(name: KeywordName): boolean {
    const first = this.token;
    // Fast path: usually the requested keyword does not come next.
    if (first.kind !== "word" && (first.text !== "#" || this.language === "english")) return false;

    const isEnglish = this.language === "english";
    for (const phrase of this.#phrases[name]) {
      if (isEnglish && phrase[0] !== first.lower) continue;
      if (this.#acceptWords(phrase)) {
        if (!isEnglish) this.acceptSign("@");
        return true;
      }
      this.token = first;
    }

    return false;
  }

  /** Whether a keyword comes next. */
  sees(name: KeywordName): boolean {
    const { token } = this;
    const isNext = this.accept(name);
    this.token = token;
    return isNext;
  }

  expect(name: KeywordName): void {
    if (!this.accept(name)) throw this.mistake(KEYWORDS[name][this.language][0] as string);
  }

  acceptSign(sign: string): boolean {
    const { token } = this;
    if (token.kind !== "sign" || token.text !== sign) return false;
    this.advance();
    return true;
  }

  /** Accepts a sign that Malagasy statements may mark with `#`. */
  acceptMarkedSign(sign: string): boolean {
    const { token } = this;
    this.acceptSign("#");
    if (this.acceptSign(sign)) return true;
    this.token = token;
    return false;
  }

  expectSign(sign: string): void {
    if (!this.acceptSign(sign)) throw this.mistake(`'${sign}'`);
  }

  /** @param what the kind of name that is expected, for the error */
  name(what: string): ByteString {
    if (this.token.kind !== "word") throw this.mistake(what);
    if (this.form === "standard" && RESERVED_WORDS.has(this.token.lower))
      throw new SqlMistake("reserved", this.position, `${what}; write "${this.token.text}" for the name`);
    return this.advance().text;
  }

  /**
   * Accepts an alias that directly follows the item that it names. English keywords are not accepted; Malagasy
   * keywords are accepted unless they are marked.
   */
  bareAlias(): ByteString | null {
    const { token } = this;
    if (token.kind !== "word") return null;
    const isKeyword = this.form === "standard" ? RESERVED_WORDS.has(token.lower) : this.#isMarked();
    if (isKeyword) return null;
    return this.advance().text;
  }

  /** Returns the error for the next token. */
  mistake(expected: string): SqlMistake {
    return new SqlMistake("unexpected", this.position, expected);
  }

  get position(): { at: number; found: ByteString } {
    const { at, end } = this.token;
    return { at, found: this.statement.slice(at, end) };
  }

  /** @throws SqlMistake if the nesting is too deep */
  nested<T>(read: () => T): T {
    if (++this.#depth > NESTING_MAX)
      throw new SqlMistake("limit", this.position, `more than ${NESTING_MAX} levels`);
    const result = read();
    this.#depth--;
    return result;
  }

  /** Counts an operator of a clause. */
  countOperator(): void {
    if (++this.#operators > OPERATORS_MAX)
      throw new SqlMistake("limit", this.position, `more than ${OPERATORS_MAX} operators`);
  }

  /** Parses a clause that has its own count of operators. */
  clause<T>(read: () => T): T {
    const outer = this.#operators;
    this.#operators = 0;
    const result = read();
    this.#operators = outer;
    return result;
  }

  #isMarked(): boolean {
    if (this.following.text !== "@" || this.following.kind !== "sign") return false;
    return this.sees("from") || this.sees("join");
  }

  #acceptWords(words: readonly string[]): boolean {
    for (const word of words) if (!this.#acceptWord(word)) return false;
    return true;
  }

  #acceptWord(word: string): boolean {
    const start = this.token;
    if (this.language === "malagasy") this.acceptSign("#");
    const { kind, lower } = this.token;
    if (kind === "word" && lower === word) {
      this.advance();
      return true;
    }

    // `alaivo1`, `na0`: a digit may follow a Malagasy keyword immediately.
    if (this.language === "malagasy" && kind === "word" && lower.startsWith(word)) {
      if (DIGITS.test(lower.slice(word.length))) {
        this.token = restOfWord(this.statement, this.token, word.length);
        return true;
      }
    }

    this.token = start;
    return false;
  }
}
