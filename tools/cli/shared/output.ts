/** Prints the results of subcommands: values, outcomes, and with --json an object per line. */
import { isUtf8 } from "node:buffer";
import { DbsyncError, type Outcome } from "../../../client/shared/errors.js";
import type { ReplyValue } from "../../../client/shared/reply-value.js";
import { describeOutcome } from "../../../client/shared/sentences.js";
import { painted, shownLines, type Tone } from "../../../daemon/net/terminal/terminal-text.js";
import { terminalColumns, wrapped } from "../../../daemon/net/terminal/text-table.js";
import { type ByteString, bytesOfText, textOfBytes } from "../../../protocol/byte-string.js";
import { withEscapesOfJson } from "../../../protocol/control-characters.js";
import { type ExitCode, exitCodeOf } from "./exit-codes.js";

export const JSON_FLAG = "--json";

/** Prints a line, or lines; on a terminal control characters are escaped. */
export function printLine(text: string): void {
  process.stdout.write(`${process.stdout.isTTY ? shownLines(text) : text}\n`);
}

/** Prints a note or an error of the program on standard error, with control characters escaped. */
export function printNotice(text: string): void {
  process.stderr.write(`dbsync: ${shownLines(text)}\n`);
}

/** Maximum number of lines that an error names. */
const NAMED_MAX = 10;

/** Returns the first ten lines, and the number of the remaining ones. */
export function firstLines(lines: readonly string[]): string {
  const more = lines.length > NAMED_MAX ? [`  and ${lines.length - NAMED_MAX} more`] : [];
  return [...lines.slice(0, NAMED_MAX), ...more].join("\n");
}

/** Prints a sentence; on a terminal long lines are wrapped between words. */
export function printSentence(text: string, tone: Tone): void {
  const lines = shownLines(text).split("\n");
  const wrappedLines = process.stdout.isTTY
    ? lines.flatMap((line) => wrapped(line, terminalColumns()))
    : lines;
  for (const line of wrappedLines) process.stdout.write(`${painted(line, tone)}\n`);
}

/**
 * Prints an answer, or `(nil)` for null, and a line break. In a pipe the answer's bytes are unchanged; on a terminal
 * control characters are escaped.
 */
export function printValue(value: ByteString | null): void {
  const bytes = value ?? "(nil)";
  if (process.stdout.isTTY) printLine(isText(bytes) ? textOfBytes(bytes) : escaped(bytes));
  else process.stdout.write(`${bytes}\n`, "latin1");
}

/** Returns a typed answer as the bytes that are printed, the elements of a list on a line each; null for nil. */
export function answerBytes(value: ReplyValue): ByteString | null {
  return value === null ? null : linesOf(value).join("\n");
}

function linesOf(value: ReplyValue): ByteString[] {
  if (Array.isArray(value)) return value.flatMap(linesOf);
  if (Buffer.isBuffer(value)) return [value.toString("latin1")];
  return [value === null ? "" : bytesOfText(value instanceof Error ? value.message : String(value))];
}

/** Returns an answer for JSON: text unchanged, other bytes as base64. */
export function jsonValue(bytes: ByteString | null): string | null | { readonly base64: string } {
  if (bytes === null) return null;
  return isText(bytes) ? textOfBytes(bytes) : { base64: Buffer.from(bytes, "latin1").toString("base64") };
}

/** Returns an outcome for JSON. @param outcome  has the format `bytes` */
export function jsonOutcome(outcome: Outcome): object {
  if (outcome.status === "failed") return outcome;
  return { ...outcome, value: jsonValue(outcome.value), values: outcome.values.map(jsonValue) };
}

const isText = (bytes: ByteString): boolean => isUtf8(Buffer.from(bytes, "latin1"));

const escaped = (bytes: ByteString): string =>
  bytes.replace(/[\x80-\xff]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16)}`);

/**
 * Prints a value as JSON, with control characters in its notation. A bigint becomes a number if that is exact,
 * otherwise a string of its digits.
 */
export function printJson(value: unknown): void {
  const plain = (_: string, item: unknown) => (typeof item === "bigint" ? exactNumber(item) : item);
  printLine(withEscapesOfJson(JSON.stringify(value, plain)));
}

function exactNumber(value: bigint): number | string {
  return BigInt(Number(value)) === value && Number.isSafeInteger(Number(value))
    ? Number(value)
    : String(value);
}

/** Prints `{"error": …}`. @returns  the exit code for the error @throws  all errors that are not a DbsyncError */
export function printJsonError(error: unknown): ExitCode {
  if (!(error instanceof DbsyncError)) throw error;
  const { code, message, outcomes, effect } = error;
  printJson({ error: { code, message, effect, outcomes } });
  return exitCodeOf(error);
}

/** Formats an outcome, such as `127.0.0.1:1111: OK`; for a failed call, the text after the address is the error. */
export function outcomeLine(outcome: Outcome): string {
  return outcome.status === "ok"
    ? `${outcome.address}: ${outcome.value ?? "(nil)"}`
    : describeOutcome(outcome);
}

/** Formats an outcome of the format `bytes`; each character of the result is a byte. */
export function outcomeBytes(outcome: Outcome): ByteString {
  return outcome.status === "ok"
    ? `${bytesOfText(outcome.address)}: ${outcome.value ?? "(nil)"}`
    : bytesOfText(describeOutcome(outcome));
}
