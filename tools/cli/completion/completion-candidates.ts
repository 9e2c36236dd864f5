/** Returns the subcommands and options that can complete a command line in a shell, at the position of the cursor. */
import type { Command, Option } from "commander";
import { COMMAND_NAMES } from "../shared/command-names.js";

export interface Candidate {
  readonly word: string;
  /** A description, for shells that show one. */
  readonly about: string;
}

/** The subcommands whose arguments are a command for the daemons. */
const SENDING: readonly string[] = ["send"];

/**
 * Returns candidates for the last word. If there are none, the shell offers files.
 * @param words  the words after the program's name; the last one is being typed and may be empty
 */
export function candidatesFor(program: Command, words: readonly string[]): readonly Candidate[] {
  const typed = words.at(-1) ?? "";
  const { command, operands, awaited } = positionOf(program, words.slice(0, -1));
  if (awaited !== null) return startingWith(typed, (awaited.argChoices ?? []).map(candidateOf));
  if (typed.startsWith("-") && operands === 0) return startingWith(typed, optionsOf(command));
  if (operands > 0) return [];
  if (SENDING.includes(command.name()))
    return startingWith(typed.toUpperCase(), COMMAND_NAMES.map(candidateOf)).map((one) =>
      inCaseOf(typed, one),
    );
  return startingWith(typed, subcommandsOf(command));
}

interface Position {
  readonly command: Command;
  /** Number of words that are neither subcommands nor options. */
  readonly operands: number;
  /** The option whose value is being typed. */
  readonly awaited: Option | null;
}

function positionOf(program: Command, before: readonly string[]): Position {
  let command = program;
  let operands = 0;
  let awaited: Option | null = null;
  for (const word of before) {
    if (awaited !== null) awaited = null;
    else if (word.startsWith("-") && operands === 0) {
      const option = command.options.find(({ short, long }) => word === short || word === long);
      awaited = option?.required === true ? option : null;
    } else {
      const inner = operands === 0 ? command.commands.find((one) => one.name() === word) : undefined;
      if (inner === undefined) operands++;
      else command = inner;
    }
  }
  return { command, operands, awaited };
}

function optionsOf(command: Command): Candidate[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .flatMap(({ long, short, description }) =>
      [long, short].flatMap((word) => (word == null ? [] : [{ word, about: description }])),
    );
}

function subcommandsOf(command: Command): Candidate[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .map((one) => ({ word: one.name(), about: one.description() }));
}

function startingWith(typed: string, candidates: readonly Candidate[]): readonly Candidate[] {
  return candidates.filter(({ word }) => word.startsWith(typed));
}

function candidateOf(word: string): Candidate {
  return { word, about: "" };
}

/** Returns the candidate in lower case if the user typed lower case. */
function inCaseOf(typed: string, { word, about }: Candidate): Candidate {
  const isLower = typed !== "" && typed === typed.toLowerCase();
  return { word: isLower ? word.toLowerCase() : word, about };
}
