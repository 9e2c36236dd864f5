/**
 * Names commands in errors by their name and first key, never by a value. The text is built only for an error. The
 * bundle for web pages leaves this out (client/README.md).
 */
import { type ByteString, textOfBytes } from "../../protocol/byte-string.js";
import type { Argument, CommandInput } from "./command-input.js";
import { keyedCommands } from "./commands.js";
import type { ResultShape } from "./reply-value.js";

/** The commands whose first argument is a key. The first argument of any other command may be a value or a secret. */
let keyed: ReadonlySet<string> | null = null;

const NAME_CHARS_MAX = 40;
const KEY_CHARS_MAX = 60;
/** Characters that require quotes around a key, so that its end is visible. */
const NEEDS_QUOTES = /[^\x21-\x7e\u00a1-\uffff]|["'\\]/;

/** The commands of a call: several if `bytes` is a list. */
export interface LabelledCall {
  readonly shape?: ResultShape;
  readonly inputs: readonly CommandInput[] | CommandInput;
  readonly bytes: ByteString | readonly ByteString[];
}

/** Returns a label such as `INCR visits`, or "" if `command` is not a command. */
export function commandLabel(command: CommandInput): string {
  const [name, key] = typeof command === "string" ? wordsOf(command) : Array.isArray(command) ? command : [];
  if (!isArgument(name) || name === "") return "";
  // Lines are split only at spaces, so a value may follow a line break.
  const label = argumentLabel(textOf(name).replace(/\s.*/s, "…"), NAME_CHARS_MAX);
  keyed ??= keyedCommands();
  if (!isArgument(key) || !keyed.has(label.toUpperCase())) return label;
  return `${label} ${argumentLabel(key, KEY_CHARS_MAX)}`;
}

/** Returns a label such as `INCR visits`, or `INCR visits and 2 more` for `multi`. A forwarded call has none. */
export function callLabel({ shape, inputs, bytes }: LabelledCall): string {
  if (shape === "reply") return "";
  if (typeof bytes === "string") return commandLabel(inputs as CommandInput);
  return commandsLabel(inputs as readonly CommandInput[]);
}

/**
 * Returns the label of the command that a reply belongs to.
 * @param index  the index of the command, if there are several
 */
export function replyLabel({ inputs, bytes }: LabelledCall, index: number): string {
  const command = typeof bytes === "string" ? inputs : inputs[index];
  return command === undefined ? "" : commandLabel(command as CommandInput);
}

export function commandsLabel(commands: readonly CommandInput[]): string {
  const [first, ...others] = Array.isArray(commands) ? commands : [];
  const label = first === undefined ? "" : commandLabel(first);
  return label === "" || others.length === 0 ? label : `${label} and ${others.length} more`;
}

/** Names the type of an invalid argument without showing its value. */
export function typeLabel(value: unknown): string {
  if (value === undefined || value === null || typeof value === "number" || typeof value === "boolean")
    return String(value);
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** The problem of a text that a client cannot send as UTF-8. */
export const HALF_CHARACTER =
  "text with half of a character (an unpaired surrogate), which UTF-8 cannot represent; cut texts between characters, or pass bytes";

/** The commands whose fields and values other libraries accept as an object. */
const HAS_FIELDS = /^(?:H?M?SET|MSETNX)$/i;

/** Returns what an invalid argument of a command is, what arguments may be, and what to pass instead. */
export function argumentProblem([name, ...given]: readonly unknown[], index: number): string {
  const value = index === 0 ? name : given[index - 1];
  const isOfField = typeof name === "string" && HAS_FIELDS.test(name) && name.toUpperCase() !== "SET";
  return `${typeLabel(value)}; arguments are text, finite numbers, bigints or bytes (Buffer, Uint8Array)${insteadOf(value, isOfField)}`;
}

/** Returns what to pass instead of a value that other libraries accept, or "". */
function insteadOf(value: unknown, isOfField: boolean): string {
  if (Array.isArray(value)) return "; pass the elements of the list one by one: ...list";
  if (value instanceof Map) return "; pass its names and values one by one: ...[...map].flat()";
  if (value instanceof Date) return "; pass date.toISOString() or date.getTime()";
  if (value === null || value === undefined) return '; pass "" for an empty value';
  if (typeof value === "boolean") return "; pass String(value)";
  if (typeof value !== "object") return "";
  if (isOfField) return "; pass its names and values one by one: ...Object.entries(object).flat()";
  return '; pass what it contains one by one, as in Redis: "EX", 10; for options of the call (db, signal), use client.withOptions(options)';
}

/** Returns the problem of a command with more bytes than a client sends. */
export const tooLong = (size: number, max: number): string =>
  `it has ${size} bytes, and a client sends at most ${max}; divide its value over several keys`;

/**
 * Returns the text of a failed command. If the command is a line with quotes, a hint precedes the text, because quotes
 * do not group the words of a line.
 */
export function failureText(text: string, { inputs, bytes }: LabelledCall, index: number): string {
  const command = typeof bytes === "string" ? inputs : inputs[index];
  const isQuoted = typeof command === "string" && / ["'{[].* /.test(command);
  return isQuoted ? `quotes do not group words in a line; pass a list of arguments: ${text}` : text;
}

const wordsOf = (line: string): string[] => line.trim().split(/ +/, 2);

const isArgument = (value: unknown): value is Argument =>
  ["string", "number", "bigint"].includes(typeof value) || value instanceof Uint8Array;

function argumentLabel(argument: Argument, charsMax: number): string {
  const text = textOf(argument);
  const shortened = text.length > charsMax ? `${text.slice(0, charsMax)}…` : text;
  return NEEDS_QUOTES.test(shortened) || shortened === "" ? JSON.stringify(shortened) : shortened;
}

function textOf(argument: Argument): string {
  return argument instanceof Uint8Array
    ? textOfBytes(Buffer.from(argument).toString("latin1"))
    : String(argument);
}
