/** The words, numbers, texts and signs of a statement. */
import { type ByteString, detached, isAscii, isBlank, textOfBytes } from "../../protocol/byte-string.js";
import { SqlMistake } from "./mistake.js";
import type { Form } from "./tree.js";

export interface Token {
  readonly kind: "word" | "number" | "text" | "sign" | "end";
  /** The token as written; a text's contents. */
  readonly text: ByteString;
  /** A word in lower case; of a name in double quotes empty, as it is no keyword. */
  readonly lower: string;
  readonly at: number;
  readonly end: number;
  /** null: the last token. */
  next: Token | null;
  /** Whether the other form reads it, or what precedes it, otherwise. */
  readonly isOfForm?: true;
}

/** Signs that another may follow to make one, and which. */
const PAIRS: Readonly<Record<string, string>> = { "!": "=", "<": "=>", ">": "=" };
const SIGNS: ReadonlySet<string> = new Set("()*,.:=!<>+-/^#@?;");
/**
 * Characters that a name does not have beyond ASCII: invalid UTF-8, control characters, spaces and signs. By properties that no version of
 * Unicode changes: a letter that one daemon's version does not know yet must not make two statements of one.
 */
const NO_NAME =
  /[\ufffd\ufeff\u0080-\u00a0\u1680\u2000-\u200d\u202f\u205f\u3000\p{Pattern_Syntax}\p{Pattern_White_Space}]/u;
const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };

/** @returns the first @throws SqlMistake */
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
 * Returns the tokens of a word without its beginning, as if a space were there; they continue with the existing ones.
 * @param length  of the beginning @returns the first @throws SqlMistake
 */
export function restOfWord(statement: ByteString, word: Token, length: number): Token {
  const first = tokenFrom(statement, word.at + length, "recorded");
  let behind = word.next;
  for (let token = first; ; ) {
    const next = tokenFrom(statement, token.end, "recorded");
    while (behind !== null && behind.at < next.at) behind = behind.next;
    token.next = behind?.at === next.at ? behind : next;
    if (token.next === behind) return first;
    token = next;
  }
}

/** @param from  where spaces may precede it, in bytes */
function tokenFrom(statement: ByteString, from: number, form: Form): Token {
  let at = from;
  while (isBlank(statement.charCodeAt(at))) at++;
  if (form === "standard") {
    const behind = behindComments(statement, at);
    if (behind !== at) return { ...tokenFrom(statement, behind, form), isOfForm: true };
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
  if (char === '"' && form === "standard") return { ...textAt(statement, at), kind: "word", isOfForm: true };
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

/** Returns where the next token or space is: after the comments that begin at `at`. @throws SqlMistake  one does not end */
function behindComments(statement: ByteString, at: number): number {
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

/** Hexadecimal digits; or digits with or without a point, then an exponent or none. */
const STANDARD_NUMBER = /0x[\da-f]+|(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?/iy;
const RECORDED_NUMBER = /^\d+(?:\.\d+)?$/;

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
  const token = { kind: "number", text, lower: text, at, end, next: null } as const;
  return RECORDED_NUMBER.test(text) ? token : { ...token, isOfForm: true };
}

/** A doubled quote or a backslash escapes. */
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
        // A table keeps it, and is not to keep all of a long statement for it.
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
/** Whether a byte is part of a letter; all bytes of UTF-8 beyond ASCII are. */
const isLetter = (code: number) =>
  (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code === 95 || code >= 128;
