/**
 * Names of commands. `dbsync repl` completes them, and `dbsync` recognizes them if `send` is missing. Users can also
 * type commands that are not in this list.
 */
import { commandNames } from "../../../client/shared/commands.js";

/** The names in upper case, sorted. */
export const COMMAND_NAMES: readonly string[] = commandNames();

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
