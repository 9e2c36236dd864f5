/**
 * Parses a command typed as a line: words separated by spaces, with quotes as in Redis. Source: redis-server 7.0,
 * sdssplitargs.
 */
import { type ByteString, detached } from "../byte-string.js";

const BLANK = /[ \n\r\t\v\f]/;
/** The characters that end a word. Between words, further kinds of space are allowed. */
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

/** An error about a quotation that is not closed, or that is closed inside a word. */
export interface QuoteMistake {
  readonly quote: string;
  /** Whether the quotation is not closed. */
  readonly isOpen: boolean;
}

interface ReadArgument {
  readonly argument: ByteString;
  /** The index at which the line continues. */
  readonly end: number;
}

/** Returns the words of a line, or the error. */
export function splitLine(line: ByteString): ByteString[] | QuoteMistake {
  const argv: ByteString[] = [];
  for (let at = 0; ; ) {
    while (at < line.length && BLANK.test(line[at] as string)) at++;
    if (at === line.length) return argv;
    const read = readArgument(line, at);
    if ("quote" in read) return read;
    // The word was concatenated from characters, each of which would otherwise need 32 bytes while the word is stored.
    argv.push(detached(read.argument));
    at = read.end;
  }
}

/**
 * Returns a word in double quotes, in the form that `splitLine` accepts. All bytes except printable ASCII are escaped.
 */
export function quotedArgument(argument: ByteString): ByteString {
  return `"${argument.replace(/["\\]|[^ -~]/g, escapedByte)}"`;
}

/** Returns the escape sequence of a byte in double quotes, with its letter or its number. */
export function escapedByte(byte: ByteString): ByteString {
  if (byte === '"' || byte === "\\") return `\\${byte}`;
  const letter = LETTERS.get(byte);
  return letter === undefined ? `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}` : `\\${letter}`;
}

function readArgument(line: ByteString, start: number): ReadArgument | QuoteMistake {
  let argument = "";
  let at = start;
  while (at < line.length && !WORD_END.test(line[at] as string)) {
    const char = line[at] as string;
    if (char !== '"' && char !== "'") {
      argument += char;
      at++;
      continue;
    }

    const quoted = char === '"' ? readDoubleQuoted(line, at + 1) : readSingleQuoted(line, at + 1);
    if (quoted === null) return { quote: char, isOpen: true };
    // After a closing quote the word must end.
    if (quoted.end < line.length && !BLANK.test(line[quoted.end] as string))
      return { quote: char, isOpen: false };
    return { argument: argument + quoted.argument, end: quoted.end };
  }
  return { argument, end: at };
}

function readDoubleQuoted(line: ByteString, start: number): ReadArgument | null {
  let argument = "";
  for (let at = start; at < line.length; at++) {
    const char = line[at] as string;
    if (char === '"') return { argument, end: at + 1 };
    if (char !== "\\" || at + 1 === line.length) {
      argument += char;
      continue;
    }

    const digits = line.slice(at + 2, at + 4);
    if (line[at + 1] === "x" && HEXADECIMAL.test(digits)) {
      argument += String.fromCharCode(Number.parseInt(digits, 16));
      at += 3;
    } else {
      at++;
      argument += ESCAPES[line[at] as string] ?? line[at];
    }
  }
  return null;
}

function readSingleQuoted(line: ByteString, start: number): ReadArgument | null {
  let argument = "";
  for (let at = start; at < line.length; at++) {
    if (line[at] === "'") return { argument, end: at + 1 };
    if (line[at] === "\\" && line[at + 1] === "'") at++;
    argument += line[at];
  }
  return null;
}
