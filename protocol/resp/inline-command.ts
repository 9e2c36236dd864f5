/** A command typed as a line: words between blanks, quoted as in Redis. Source: redis-server 7.0, sdssplitargs. */
import { type ByteString, detached } from "../byte-string.js";

const BLANK = /[ \n\r\t\v\f]/;
/** Characters that end a word; between words there may be more kinds of space. */
const WORD_END = /[ \n\r\t]/;
const HEXADECIMAL = /^[0-9a-fA-F]{2}$/;
const ESCAPES: Readonly<Record<string, ByteString>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  b: "\b",
  a: "\x07",
};
const LETTERS: ReadonlyMap<ByteString, string> = new Map(
  Object.entries(ESCAPES).map(([letter, byte]) => [byte, letter]),
);

/** A quotation that is not closed, or that is closed within a word. */
export interface QuoteMistake {
  readonly quote: string;
  /** Whether it is not closed. */
  readonly isOpen: boolean;
}

interface Read {
  readonly word: ByteString;
  /** Index at which the line continues. */
  readonly end: number;
}

/** Returns the line's words, or why there are none. */
export function splitLine(line: ByteString): ByteString[] | QuoteMistake {
  const words: ByteString[] = [];
  for (let at = 0; ; ) {
    while (at < line.length && BLANK.test(line[at] as string)) at++;
    if (at === line.length) return words;
    const read = readWord(line, at);
    if ("quote" in read) return read;
    // It was concatenated from characters, each of which would take 32 bytes as long as the word is kept.
    words.push(detached(read.word));
    at = read.end;
  }
}

/** Returns a word in double quotes, as `splitLine` reads it: of its bytes those that are no printable ASCII are escaped. */
export function quotedWord(word: ByteString): ByteString {
  return `"${word.replace(/["\\]|[^ -~]/g, escapedByte)}"`;
}

/** Returns a byte as it is written in double quotes: by its letter, or by its number. */
export function escapedByte(byte: ByteString): ByteString {
  if (byte === '"' || byte === "\\") return `\\${byte}`;
  const letter = LETTERS.get(byte);
  return letter === undefined ? `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}` : `\\${letter}`;
}

function readWord(line: ByteString, start: number): Read | QuoteMistake {
  let word = "";
  let at = start;
  while (at < line.length && !WORD_END.test(line[at] as string)) {
    const char = line[at] as string;
    if (char !== '"' && char !== "'") {
      word += char;
      at++;
      continue;
    }
    const quoted = char === '"' ? readDoubleQuoted(line, at + 1) : readSingleQuoted(line, at + 1);
    if (quoted === null) return { quote: char, isOpen: true };
    // After a closing quote the word must end.
    if (quoted.end < line.length && !BLANK.test(line[quoted.end] as string))
      return { quote: char, isOpen: false };
    return { word: word + quoted.word, end: quoted.end };
  }
  return { word, end: at };
}

function readDoubleQuoted(line: ByteString, start: number): Read | null {
  let word = "";
  for (let at = start; at < line.length; at++) {
    const char = line[at] as string;
    if (char === '"') return { word, end: at + 1 };
    if (char !== "\\" || at + 1 === line.length) {
      word += char;
      continue;
    }
    const digits = line.slice(at + 2, at + 4);
    if (line[at + 1] === "x" && HEXADECIMAL.test(digits)) {
      word += String.fromCharCode(Number.parseInt(digits, 16));
      at += 3;
    } else {
      at++;
      word += ESCAPES[line[at] as string] ?? line[at];
    }
  }
  return null;
}

function readSingleQuoted(line: ByteString, start: number): Read | null {
  let word = "";
  for (let at = start; at < line.length; at++) {
    if (line[at] === "'") return { word, end: at + 1 };
    if (line[at] === "\\" && line[at + 1] === "'") at++;
    word += line[at];
  }
  return null;
}
