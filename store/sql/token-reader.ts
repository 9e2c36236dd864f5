/** Reads a statement's tokens one after the other, with the words of its language. */
import type { ByteString } from "../../protocol/byte-string.js";
import { ENGLISH_WORDS, KEYWORDS, type KeywordName, PHRASES, type Phrases } from "./keywords.js";
import { type Token, tokensOf } from "./lexer.js";
import { SqlMistake } from "./mistake.js";
import type { Language } from "./tree.js";

/** Parentheses, queries and signs within each other: each level takes stack here and when it is carried out. */
const NESTING_MAX = 32;
/** Operators of one condition or value, for the same reason. */
const OPERATORS_MAX = 500;
const DIGITS = /^\d/;

export class TokenReader {
  readonly statement: ByteString;
  readonly language: Language;
  /** How many `?` there have been. */
  parameters = 0;
  readonly #phrases: Readonly<Record<KeywordName, Phrases>>;
  #tokens: Token[];
  #next = 0;
  #depth = 0;
  #operators = 0;

  constructor(statement: ByteString, tokens: Token[], language: Language) {
    this.statement = statement;
    this.language = language;
    this.#tokens = tokens;
    this.#phrases = PHRASES[language];
  }

  get token(): Token {
    return this.#tokens[this.#next] as Token;
  }

  get following(): Token {
    return this.#tokens[this.#next + 1] ?? this.token;
  }

  advance(): Token {
    const { token } = this;
    if (token.kind !== "end") this.#next++;
    return token;
  }

  /** Takes a keyword, with the marks that Malagasy ones may have (`#` before it, `@` behind it), if it comes next. */
  accept(name: KeywordName): boolean {
    const start = this.#next;
    const first = this.#tokens[start] as Token;
    // Most of what is asked for is not there.
    if (first.kind !== "word" && (first.text !== "#" || this.language === "english")) return false;
    for (const phrase of this.#phrases[name]) {
      if (phrase.every((word) => this.#acceptWord(word))) {
        if (this.language === "malagasy") this.acceptSign("@");
        return true;
      }
      this.#next = start;
    }
    return false;
  }

  /** Whether a keyword comes next. */
  sees(name: KeywordName): boolean {
    const start = this.#next;
    const tokens = this.#tokens;
    const found = this.accept(name);
    this.#next = start;
    this.#tokens = tokens;
    return found;
  }

  expect(name: KeywordName): void {
    if (!this.accept(name)) throw this.mistake(KEYWORDS[name][this.language][0] as string);
  }

  acceptSign(sign: string): boolean {
    const { token } = this;
    if (token.kind !== "sign" || token.text !== sign) return false;
    this.#next++;
    return true;
  }

  /** A sign that Malagasy statements may mark with `#`. */
  acceptMarkedSign(sign: string): boolean {
    const start = this.#next;
    this.acceptSign("#");
    if (this.acceptSign(sign)) return true;
    this.#next = start;
    return false;
  }

  expectSign(sign: string): void {
    if (!this.acceptSign(sign)) throw this.mistake(`'${sign}'`);
  }

  /** @param what  how the mistake calls it, if there is none */
  name(what: string): ByteString {
    if (this.token.kind !== "word") throw this.mistake(what);
    return this.advance().text;
  }

  /**
   * A name that stands behind what it names, without a word between. English keywords are none; of Malagasy ones only those with a mark
   * are not.
   */
  bareAlias(): ByteString | null {
    const { token } = this;
    if (token.kind !== "word") return null;
    if (this.language === "english" ? ENGLISH_WORDS.has(token.lower) : this.#isMarked()) return null;
    this.#next++;
    return token.text;
  }

  /** What comes next is wrong. */
  mistake(expected: string): SqlMistake {
    return new SqlMistake("unexpected", this.place, expected);
  }

  get place(): { at: number; found: ByteString } {
    const { at, end } = this.token;
    return { at, found: this.statement.slice(at, end) };
  }

  /** @throws SqlMistake  too many things stand within each other */
  nested<T>(read: () => T): T {
    if (++this.#depth > NESTING_MAX)
      throw new SqlMistake("limit", this.place, `more than ${NESTING_MAX} levels`);
    const result = read();
    this.#depth--;
    return result;
  }

  /** Counts an operator of a clause. */
  countOperator(): void {
    if (++this.#operators > OPERATORS_MAX)
      throw new SqlMistake("limit", this.place, `more than ${OPERATORS_MAX} operators`);
  }

  /** A clause with operators of its own. */
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

  #acceptWord(word: string): boolean {
    const start = this.#next;
    if (this.language === "malagasy") this.acceptSign("#");
    const { kind, lower, at } = this.token;
    if (kind === "word" && lower === word) {
      this.#next++;
      return true;
    }
    // `alaivo1`, `na0`: a digit may follow at once.
    if (this.language === "malagasy" && kind === "word" && lower.startsWith(word)) {
      if (DIGITS.test(lower.slice(word.length))) {
        this.#tokens = [...this.#tokens.slice(0, this.#next), ...tokensOf(this.statement, at + word.length)];
        return true;
      }
    }
    this.#next = start;
    return false;
  }
}
