/** Reads a statement's tokens one after the other, with the keywords of its language. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { KEYWORDS, type KeywordName, PHRASES, type Phrases, RESERVED_WORDS } from "./keywords.js";
import { restOfWord, type Token } from "./lexer.js";
import { SqlMistake } from "./syntax-error.js";
import type { Form, Language, Query } from "./syntax-tree.js";

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
