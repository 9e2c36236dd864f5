/** Options behind a subcommand's first argument, where the words to come may begin with - and are no options. */
import type { Command } from "commander";

/**
 * Takes the options out of the words behind the first argument. Only whole names count: `-k` is an option, and `-keys` the
 * rule that forbids KEYS.
 * @param until  `word`: the first that is no option ends them, as a command's arguments are its own; `end`: none does
 * @returns the other words; the options are the command's now
 */
export function takeLateOptions(command: Command, words: readonly string[], until: "word" | "end"): string[] {
  const taken: string[] = [];
  const rest: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string;
    if (word === "--") return finish(command, taken, [...rest, ...words.slice(at + 1)]);
    if (word === "-h" || word === "--help") command.help();
    const name = word.startsWith("--") ? (word.split("=", 1)[0] as string) : word;
    const option = command.options.find(({ short, long }) => name === short || name === long);
    if (option === undefined && word.startsWith("--")) command.error(`error: unknown option '${name}'`);
    if (option === undefined) {
      if (until === "word") return finish(command, taken, words.slice(at));
      rest.push(word);
    } else {
      taken.push(word);
      if (option.required && name === word && at + 1 < words.length) taken.push(words[++at] as string);
    }
  }
  return finish(command, taken, rest);
}

function finish(command: Command, taken: readonly string[], rest: readonly string[]): string[] {
  command.parseOptions([...taken]);
  if (rest.length === 0) {
    const last = command.registeredArguments.at(-1)?.name() ?? "";
    command.error(`error: missing required argument '${last}'`);
  }
  return [...rest];
}
