/** Parses options that follow a subcommand's first argument, where other arguments may also begin with `-`. */
import type { Command, Option } from "commander";
import { nearestName } from "../../../protocol/nearest-name.js";

/**
 * Extracts the options from the arguments after the first one, and passes them to the command. Only complete names
 * count: `-k` is an option, but `-keys` is the rule that forbids KEYS.
 * @param until  `word`: the first argument that is not an option begins a command for the daemons; `end`: options may
 *   be in any position
 * @returns the remaining arguments
 */
export function parseOptionsAfterArguments(
  command: Command,
  words: readonly string[],
  until: "word" | "end",
): string[] {
  const options: string[] = [];
  const remaining: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string;
    if (word === "--") return finish(command, options, [...remaining, ...words.slice(at + 1)]);
    if (HELP.includes(word)) command.help();

    const name = nameOf(word);
    const option = optionOf(command, name);
    if (option === undefined && word.startsWith("--"))
      command.error(`error: unknown option '${name}'${suggestion(command, name)}`);
    if (option === undefined) {
      if (until === "word") return finish(command, options, wordsOfCommand(command, words.slice(at)));
      remaining.push(word);
    } else {
      options.push(word);
      if (option.required && name === word && at + 1 < words.length) options.push(words[++at] as string);
    }
  }
  return finish(command, options, remaining);
}

/**
 * Returns the arguments of a command for the daemons, which follow the subcommand's options. Options with a value at
 * the end belong to the subcommand. Any other option among the arguments is an error: otherwise the command might store
 * `-k` and the name of a key file.
 * @param words  the arguments from commander, which has removed a `--` before the first one
 */
export function commandWords(command: Command, words: readonly string[]): string[] {
  const all = process.argv;
  return all[all.length - words.length - 1] === "--" ? [...words] : wordsOfCommand(command, words);
}

/** Returns the arguments without options and without the first `--`, after which arguments are never options. */
function wordsOfCommand(command: Command, words: readonly string[]): string[] {
  const end = words.indexOf("--");
  const tail = end < 0 ? optionsAtEnd(command, words) : [];
  if (tail.length > 0) {
    command.parseOptions([...tail]);
    return wordsOfCommand(command, words.slice(0, -tail.length));
  }

  for (const word of end < 0 ? words : words.slice(0, end)) {
    const name = nameOf(word);
    if (optionOf(command, name) === undefined && !HELP.includes(name)) continue;
    command.error(
      `error: the option '${name}' must come before the command\n` +
        `(If it is an argument of the command, type -- before it: ${words[0]} … -- ${name} …)`,
    );
  }
  return words.filter((_, at) => at !== end);
}

/** Returns the options with values at the end of the arguments. Returns none if a value is itself an option. */
function optionsAtEnd(command: Command, words: readonly string[]): readonly string[] {
  const first = words.findIndex((word) => optionOf(command, nameOf(word)) !== undefined);
  if (first < 1) return [];
  for (let at = first; at < words.length; at++) {
    const word = words[at] as string;
    const name = nameOf(word);
    if (optionOf(command, name)?.required !== true) return [];
    if (name !== word) continue;
    const value = words[++at];
    if (value === undefined || optionOf(command, nameOf(value)) !== undefined) return [];
  }
  return words.slice(first);
}

const HELP: readonly string[] = ["-h", "--help"];

/** Returns a suggestion in the wording of commander. */
function suggestion(command: Command, name: string): string {
  const names = command.options.flatMap(({ long }) => long ?? []);
  const meant = nearestName(name, names);
  return meant === null ? "" : `\n(Did you mean ${meant}?)`;
}

function nameOf(word: string): string {
  return word.startsWith("--") ? (word.split("=", 1)[0] as string) : word;
}

function optionOf(command: Command, name: string): Option | undefined {
  return command.options.find(({ short, long }) => name === short || name === long);
}

function finish(command: Command, options: readonly string[], remaining: readonly string[]): string[] {
  command.parseOptions([...options]);
  if (remaining.length === 0) {
    const last = command.registeredArguments.at(-1)?.name() ?? "";
    command.error(`error: missing required argument '${last}'`);
  }
  return [...remaining];
}
