/**
 * Splits typed lines into arguments by the rules of redis-cli (spaces separate arguments, and quotes join them), and
 * knows the names of commands.
 */
import { isUtf8 } from "node:buffer";
import { commandNames } from "../../../client/shared/commands.js";
import { DbsyncError } from "../../../client/shared/errors.js";
import { type ByteString, bytesOfText } from "../../../protocol/byte-string.js";
import { splitLine } from "../../../protocol/resp/inline-command.js";

/** Whether a line contains quotes, so that it cannot simply be split at its spaces. */
export function isQuoted(line: string): boolean {
  return /["']/.test(line);
}

/** Whether a line ends inside quotes and may therefore continue. */
export function isQuoteOpen(line: string): boolean {
  const words = splitLine(bytesOfText(line));
  return "isOpen" in words && words.isOpen;
}

/**
 * Returns the arguments of a line. Arguments that are not UTF-8 are returned as bytes.
 * @throws DbsyncError `bad-command`: a quote is not closed, or is closed in the middle of a word
 */
export function splitArguments(line: string): (string | Buffer)[] {
  const words = splitLine(bytesOfText(line));
  if (!("isOpen" in words)) return words.map(textOrBytes);
  const { quote, isOpen } = words;
  throw new DbsyncError(
    "bad-command",
    isOpen
      ? `the quote ${quote} is not closed; if it is part of a word, put the word in the other kind of quotes`
      : `the closing ${quote} must be followed by a space`,
  );
}

function textOrBytes(bytes: ByteString): string | Buffer {
  const buffer = Buffer.from(bytes, "latin1");
  return isUtf8(buffer) ? buffer.toString() : buffer;
}

/** Returns arguments as users type them in a shell. */
export function shellWords(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w.,:@%+=/-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(" ");
}

/**
 * The names of commands in upper case, sorted. `dbsync repl` completes them, and `dbsync` recognizes them if `send` is
 * missing. Users can also type commands that are not in this list.
 */
export const COMMAND_NAMES: readonly string[] = commandNames();

/** Whether a word is the name of a command, in any case of letters. */
export function isCommandName(word: string): boolean {
  return COMMAND_NAMES.includes(word.toUpperCase());
}

/**
 * Completes the name of a command, in lower case if the user typed lower case. Arguments have no candidates.
 * @returns  the candidates and the text that they complete, as node:readline requires
 */
export function completeCommand(line: string): [string[], string] {
  if (line.includes(" ")) return [[], line];
  const hits = COMMAND_NAMES.filter((name) => name.startsWith(line.toUpperCase()));
  const isLower = line !== "" && line === line.toLowerCase();
  return [hits.map((name) => `${isLower ? name.toLowerCase() : name} `), line];
}
