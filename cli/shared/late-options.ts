/** Parses options after a subcommand's first argument, where arguments that begin with - may not be options. */
import type { Command, Option } from "commander";
import { nearestName } from "../../protocol/nearest-name.js";

/**
 * Takes the options out of the arguments after the first one. Only complete names count: `-k` is an option, and `-keys` the rule that
 * forbids KEYS.
 * @param until  `word`: the first argument that is not an option ends them, and begins a command for the daemons; `end`: no argument ends them
 * @returns the remaining arguments; the options are the command's now
 */
export function takeLateOptions(command: Command, words: readonly string[], until: "word" | "end"): string[] {
  const taken: string[] = [];
  const rest: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string;
    if (word === "--") return finish(command, taken, [...rest, ...words.slice(at + 1)]);
    if (HELP.includes(word)) command.help();
    const name = nameOf(word);
    const option = optionOf(command, name);
    if (option === undefined && word.startsWith("--"))
      command.error(`error: unknown option '${name}'${suggestion(command, name)}`);
    if (option === undefined) {
      if (until === "word") return finish(command, taken, wordsOfCommand(command, words.slice(at)));
      rest.push(word);
    } else {
      taken.push(word);
      if (option.required && name === word && at + 1 < words.length) taken.push(words[++at] as string);
    }
  }
  return finish(command, taken, rest);
}

/**
 * The arguments of a command for the daemons, which follow a subcommand's own options. Options at their end that take a value are the
 * subcommand's; any other one among them is an error, as the command would store `-k` and the name of a key file.
 * @param words  as commander gives them: it takes out a `--` before the first word
 */
export function commandWords(command: Command, words: readonly string[]): string[] {
  const all = process.argv;
  return all[all.length - words.length - 1] === "--" ? [...words] : wordsOfCommand(command, words);
}

/** Returns the arguments up to `--`, after which nothing is an option. */
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
      `error: option '${name}' comes after the command: options come before it\n` +
        `(If it belongs to the command: ${words[0]} … -- ${name} …, all after -- does)`,
    );
  }
  return words.filter((_, at) => at !== end);
}

/** Options that take a value, and nothing else, up to the last argument; a value that is itself an option leaves none. */
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

/** Returns a suggestion in commander's words. */
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

function finish(command: Command, taken: readonly string[], rest: readonly string[]): string[] {
  command.parseOptions([...taken]);
  if (rest.length === 0) {
    const last = command.registeredArguments.at(-1)?.name() ?? "";
    command.error(`error: missing required argument '${last}'`);
  }
  return [...rest];
}
