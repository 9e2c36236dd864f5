/**
 * Parses a statement from its bytes alone. The trees of recent short statements are cached, because the daemon needs
 * the tree of a statement several times while it executes it, and clients repeat statements.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { ENGLISH_WORDS, MALAGASY_BEGINNINGS } from "./keywords.js";
import { tokensOf } from "./lexer.js";
import { query } from "./query-grammar.js";
import { statement } from "./statement-grammar.js";
import { SqlMistake } from "./syntax-error.js";
import type { Form, Language, Statement } from "./syntax-tree.js";
import { TokenReader } from "./token-reader.js";
import { unsupported } from "./unsupported-features.js";

/** Maximum number of bytes in a statement: its tokens and its tree take a hundred times as much memory. */
export const STATEMENT_BYTES_MAX = 4 * 1024 * 1024;

export interface Parsed {
  /** The statement, or its syntax error. */
  readonly statement: Statement | SqlMistake;
  readonly language: Language;
  /** Number of `?` in the statement. */
  readonly parameters: number;
}

/**
 * Number of different statements after which a new period of the cache begins. The cache contains only the trees that
 * were used in the current period or the previous one. The periods are short, because the garbage collector copies
 * trees that exist for longer, which costs more than parsing the statements again.
 */
const RECENT_MAX = 64;
const KEPT_CHARS_MAX = 2048;
const LONG_MAX = 16;

/** A cache of recent trees. */
class KnownTrees {
  /** Statements that were parsed, or used again, in the current period. */
  #recent = new Map<ByteString, Parsed>();
  /** Statements of the previous period. */
  #previous: ReadonlyMap<ByteString, Parsed> = new Map();
  /**
   * The trees of the last long statements. Each tree is used several times until its statement has been executed, and
   * may be garbage-collected afterwards.
   */
  readonly #long: WeakRef<{ readonly text: ByteString; readonly parsed: Parsed }>[] = [];

  of(text: ByteString): Parsed {
    if (text.length > KEPT_CHARS_MAX) return this.#ofLong(text);
    const known = this.#recent.get(text);
    if (known !== undefined) return known;
    const parsed = this.#previous.get(text) ?? parsedAgain(text);
    if (this.#recent.size >= RECENT_MAX) {
      this.#previous = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(text, parsed);
    return parsed;
  }

  #ofLong(text: ByteString): Parsed {
    for (const each of this.#long) {
      const before = each.deref();
      if (before?.text === text) return before.parsed;
    }
    const parsed = parsedAgain(text);
    if (this.#long.length >= LONG_MAX) this.#long.shift();
    this.#long.push(new WeakRef({ text, parsed }));
    return parsed;
  }
}

const KNOWN = new KnownTrees();

/** Returns a statement's tree. */
export const parse = (text: ByteString): Parsed => KNOWN.of(text);

/** Returns the form of a language's statements. */
export const formOf = (language: Language): Form => (language === "english" ? "standard" : "original");

/**
 * Sticky patterns, which are applied one after the other. A single pattern for all blanks and comments would use stack
 * space for each character, so a long statement would overflow the stack.
 */
const BLANKS = /\s*/y;
const WORD = /[a-z]+/iy;
/** Signs before the first word. No statement is valid with one of them, except Malagasy ones with a `#`. */
const SIGNS = /[(;.\\#\s]*/y;

/**
 * Returns the language of a statement and of its errors. The language follows from the first word. Only English
 * statements may have comments before it. If no statement begins with that word, the language is English. A text
 * without words, such as `;`, is Malagasy only if it contains a `#`.
 */
export function languageOf(text: ByteString): Language {
  let at = afterBlanks(text, 0);
  for (let end = afterComment(text, at); end > at; end = afterComment(text, at)) at = afterBlanks(text, end);
  SIGNS.lastIndex = at;
  SIGNS.test(text);
  WORD.lastIndex = SIGNS.lastIndex;
  const [word = ""] = WORD.exec(text) ?? [];
  const lower = word.toLowerCase();
  if (ENGLISH_WORDS.has(lower)) return "english";
  if (word === "") return text.includes("#") ? "malagasy" : "english";
  return MALAGASY_BEGINNINGS.has(lower) ? "malagasy" : "english";
}

function afterBlanks(text: ByteString, at: number): number {
  BLANKS.lastIndex = at;
  BLANKS.test(text);
  return BLANKS.lastIndex;
}

/** Returns the index after the comment that begins at `at`, or `at` if no complete comment begins there. */
function afterComment(text: ByteString, at: number): number {
  const [open, close] = text.startsWith("--", at)
    ? [2, "\n"]
    : text.startsWith("/*", at)
      ? [2, "*/"]
      : [0, ""];
  if (open === 0) return at;
  const end = text.indexOf(close, at + open);
  if (end >= 0) return end + close.length;
  return close === "\n" ? text.length : at;
}

function parsedAgain(text: ByteString): Parsed {
  const language = languageOf(text);
  const form = formOf(language);
  try {
    if (text.length > STATEMENT_BYTES_MAX)
      throw new SqlMistake("limit", { at: 0, found: "" }, `more than ${STATEMENT_BYTES_MAX} bytes`);
    const reader = new TokenReader(text, tokensOf(text, form), { language, form, query });
    const parsed = statement(reader);
    return { statement: parsed, language, parameters: reader.parameters };
  } catch (mistake) {
    if (!(mistake instanceof SqlMistake)) throw mistake;
    const isStandard = form === "standard";
    return {
      statement: (isStandard ? unsupported(text, mistake) : null) ?? mistake,
      language,
      parameters: 0,
    };
  }
}
