/** A statement's tree, by its bytes alone; of short ones the last are kept, since each is looked at several times, and the same come again. */
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

/**
 * Trees that are kept longer cost more than reading the statement again, since the garbage collector copies them: those of one in so many
 * statements are there when it comes.
 */
const KEPT_MAX = 64;
const KEPT_CHARS_MAX = 2048;
/** What was read, or came again, since the others were last let go. */
let kept = new Map<ByteString, Parsed>();
/** What was before. */
let keptBefore: ReadonlyMap<ByteString, Parsed> = new Map();
/** Of the last long ones, which are looked at more than once until they have been carried out; then they may go. */
const long: WeakRef<{ readonly text: ByteString; readonly parsed: Parsed }>[] = [];
const LONG_MAX = 16;

export function parse(text: ByteString): Parsed {
  if (text.length > KEPT_CHARS_MAX) return parsedLong(text);
  const known = kept.get(text);
  if (known !== undefined) return known;
  const parsed = keptBefore.get(text) ?? parsedAnew(text);
  if (kept.size >= KEPT_MAX) {
    keptBefore = kept;
    kept = new Map();
  }
  kept.set(text, parsed);
  return parsed;
}

function parsedLong(text: ByteString): Parsed {
  for (const each of long) {
    const before = each.deref();
    if (before?.text === text) return before.parsed;
  }
  const parsed = parsedAnew(text);
  if (long.length >= LONG_MAX) long.shift();
  long.push(new WeakRef({ text, parsed }));
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
