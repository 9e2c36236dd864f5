/** A statement's tree, by its bytes alone; of short ones the last many are kept, since the same come again and again. */
import type { ByteString } from "../../protocol/byte-string.js";
import { ENGLISH_WORDS } from "./keywords.js";
import { tokensOf } from "./lexer.js";
import { SqlMistake } from "./mistake.js";
import { statement } from "./statement-grammar.js";
import { TokenReader } from "./token-reader.js";
import type { Language, Statement } from "./tree.js";

/** Longer ones are refused: their words and trees take a hundred times as much. */
export const STATEMENT_BYTES_MAX = 4 * 1024 * 1024;

export interface Parsed {
  /** Or why there is none. */
  readonly statement: Statement | SqlMistake;
  readonly language: Language;
  /** How many `?` it has. */
  readonly parameters: number;
}

const KEPT_MAX = 1024;
const KEPT_CHARS_MAX = 2048;
const kept = new Map<ByteString, Parsed>();
/** Of a long one, which is looked at more than once until it has been carried out; then it may go. */
let last: WeakRef<{ readonly text: ByteString; readonly parsed: Parsed }> | null = null;

export function parse(text: ByteString): Parsed {
  const known = kept.get(text);
  if (known !== undefined) return known;
  if (text.length > KEPT_CHARS_MAX) {
    const before = last?.deref();
    if (before?.text === text) return before.parsed;
    const parsed = parsedAnew(text);
    last = new WeakRef({ text, parsed });
    return parsed;
  }
  const parsed = parsedAnew(text);
  if (kept.size >= KEPT_MAX) kept.clear();
  kept.set(text, parsed);
  return parsed;
}

const FIRST_WORD = /^\s*([a-z]+)/i;

/** By its first word, so that what cannot be read further is answered in the same language. */
function languageOf(text: ByteString): Language {
  const [, word = ""] = FIRST_WORD.exec(text) ?? [];
  return ENGLISH_WORDS.has(word.toLowerCase()) ? "english" : "malagasy";
}

function parsedAnew(text: ByteString): Parsed {
  const language = languageOf(text);
  try {
    if (text.length > STATEMENT_BYTES_MAX)
      throw new SqlMistake("limit", { at: 0, found: "" }, `more than ${STATEMENT_BYTES_MAX} bytes`);
    const reader = new TokenReader(text, tokensOf(text), language);
    return { statement: statement(reader), language, parameters: reader.parameters };
  } catch (mistake) {
    if (!(mistake instanceof SqlMistake)) throw mistake;
    return { statement: mistake, language, parameters: 0 };
  }
}
