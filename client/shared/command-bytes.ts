/** Converts a caller's command to the bytes of version 2, and determines whether it only reads. */
import { type ByteString, exactBytesOfText } from "../../protocol/byte-string.js";
import { writeArrayHead, writeBulk } from "../../protocol/resp/resp-writer.js";
import type { Argument, CommandInput } from "./command-input.js";
import { argumentProblem, commandLabel, HALF_CHARACTER, typeLabel } from "./command-labels.js";
import { COMMAND_KINDS, type CommandKind } from "./commands.js";
import { DbsyncError } from "./errors.js";

/** Encodes the command of a call, or the list of `multi`. @throws DbsyncError `bad-command` */
export function inputBytes(
  inputs: CommandInput | readonly CommandInput[],
  isMulti: boolean,
): ByteString | readonly ByteString[] {
  return isMulti
    ? (inputs as readonly CommandInput[]).map(commandBytes)
    : commandBytes(inputs as CommandInput);
}

/**
 * Encodes a command as an array of bulk strings for an envelope.
 * @throws DbsyncError `bad-command`
 */
export function commandBytes(command: CommandInput): ByteString {
  const words = argvOf(command);
  if (words.length === 0 || words[0] === "")
    throw new DbsyncError("bad-command", "it has no name: put one, such as GET, before its arguments");
  let bytes = writeArrayHead(words.length);
  for (const word of words) bytes += writeBulk(word);
  return bytes;
}

/** Returns the arguments in bytes. @throws DbsyncError `bad-command` */
export const argvOf = (command: CommandInput): ByteString[] =>
  typeof command === "string" ? wordsOf(command) : argumentsOf(command);

/** Returns the name as the caller wrote it, or undefined if there is none. */
export function commandName(command: CommandInput): Argument | undefined {
  if (typeof command !== "string") return command[0];
  const line = command.startsWith(" ") ? command.trimStart() : command;
  const end = line.indexOf(" ");
  return end < 0 ? line : line.slice(0, end);
}

/** Whether a command certainly changes nothing. */
export function isReadCommand(command: CommandInput): boolean {
  const name = commandName(command);
  return typeof name === "string" && COMMAND_KINDS.get(upperCased(name)) === "reads";
}

export function commandKindOf(command: CommandInput): CommandKind {
  const name = commandName(command);
  if (name === undefined || typeof name === "number" || typeof name === "bigint") return "writes";
  if (typeof name === "string") return COMMAND_KINDS.get(upperCased(name)) ?? "writes";
  const kind = COMMAND_KINDS.get(Buffer.from(name).toString("latin1").toUpperCase()) ?? "writes";
  return kind === "reads" ? "writes" : kind;
}

/** The character code before `a`. No ASCII character with a code up to this one is a lower-case letter. */
const BEFORE_SMALL_A = 0x60;

/** Converts a name to upper case. Most names are already upper case, so usually no new string is created. */
function upperCased(name: string): string {
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) > BEFORE_SMALL_A) return name.toUpperCase();
  return name;
}

function wordsOf(line: string): ByteString[] {
  if (line.includes("\0")) throw badCommand(line, "a line cannot contain a NUL; use a list of arguments");
  const bytes = exactBytesOfText(line);
  if (bytes === null) throw badCommand(line, `the line is ${HALF_CHARACTER}`);
  const words = bytes.split(" ");
  return words.includes("") ? words.filter((word) => word !== "") : words;
}

/** Whether an argument is a number that is sent as its digits. */
const isNumber = (argument: unknown): argument is number | bigint =>
  typeof argument === "bigint" || (typeof argument === "number" && Number.isFinite(argument));

function argumentsOf(command: readonly Argument[]): ByteString[] {
  if (!Array.isArray(command)) throw notACommand(command);
  return command.map((argument, index) => {
    if (typeof argument === "string") return exactBytesOfText(argument) ?? halfCharacter(command, index);
    if (isNumber(argument)) return String(argument);
    if (argument instanceof Uint8Array) {
      return Buffer.from(argument.buffer, argument.byteOffset, argument.byteLength).toString("latin1");
    }
    throw notAnArgument(command, index);
  });
}

/**
 * Returns the command with text arguments, for version 1. @throws DbsyncError `bad-command`: an argument is not text
 */
export function textArguments(command: CommandInput): string | readonly string[] {
  if (typeof command === "string") {
    if (exactBytesOfText(command) === null) throw badCommand(command, `the line is ${HALF_CHARACTER}`);
    return command;
  }

  if (!Array.isArray(command)) throw notACommand(command);
  return command.map((argument, index) => {
    if (typeof argument === "string")
      return exactBytesOfText(argument) === null ? halfCharacter(command, index) : argument;
    if (isNumber(argument)) return String(argument);
    if (!(argument instanceof Uint8Array)) throw notAnArgument(command, index);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(argument);
    } catch (cause) {
      const detail = `argument ${index} is not UTF-8 text, ${NEEDS_VERSION_2}`;
      throw new DbsyncError("bad-command", detail, { command: commandLabel(command), cause });
    }
  });
}

const NEEDS_VERSION_2 = "and version 1 supports only text; allow version 2, or encode the argument (base64)";

const badCommand = (command: CommandInput, detail: string) =>
  new DbsyncError("bad-command", detail, { command: commandLabel(command) });

/** @throws DbsyncError */
function halfCharacter(command: readonly Argument[], index: number): never {
  throw badCommand(command, `${nameOf(index)} is ${HALF_CHARACTER}`);
}

const nameOf = (index: number) => (index === 0 ? "its name" : `argument ${index}`);

const notACommand = (input: unknown) =>
  new DbsyncError(
    "bad-command",
    `it is ${typeLabel(input)}; pass a line, "SET a 1", or a list, ["SET", "a", 1]`,
  );

/** Returns the error about an invalid argument. @param index  0 is the command's name */
const notAnArgument = (command: readonly unknown[], index: number) =>
  badCommand(command as readonly Argument[], `${nameOf(index)} is ${argumentProblem(command, index)}`);
