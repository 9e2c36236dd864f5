/**
 * `dbsync completion SHELL`: prints a script that makes a shell complete the arguments of `dbsync`. The script gets the
 * candidates from `dbsync complete`.
 */
import { Argument, type Command, type Option } from "commander";
import { exitCodeHelp } from "../shared/exit-codes.js";
import { printLine } from "../shared/output.js";
import { COMMAND_NAMES } from "../shared/typed-commands.js";

/** The scripts for the shells. Each offers files if there are no candidates. */
const SCRIPTS = {
  bash: `_dbsync() {
  local IFS=$'\\n'
  COMPREPLY=($(dbsync complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f 1))
}
complete -o default -F _dbsync dbsync`,
  zsh: `#compdef dbsync
_dbsync() {
  local -a found
  found=("\${(@f)$(dbsync complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null | sed -e 's/:/\\\\:/g' -e $'s/\\t/:/')}")
  if [[ -n "\${found[1]}" ]]; then _describe dbsync found; else _files; fi
}
# If zsh autoloads this file from fpath, the file is the function's body, and this is the first call.
if [[ $funcstack[1] == _dbsync ]]; then _dbsync "$@"; else compdef _dbsync dbsync; fi`,
  fish: `function __dbsync
  dbsync complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null
end
complete -c dbsync -a '(__dbsync)'`,
} as const;

type Shell = keyof typeof SCRIPTS;

export function addCompletion(program: Command): void {
  program
    .command("completion")
    .description("print a script that completes the arguments of dbsync in your shell")
    .addArgument(new Argument("<shell>", "the shell that will run the script").choices(Object.keys(SCRIPTS)))
    .addHelpText(
      "after",
      `
Examples:
  source <(dbsync completion bash)
  dbsync completion bash > ~/.local/share/bash-completion/completions/dbsync
  dbsync completion zsh > ~/.zfunc/_dbsync
  dbsync completion fish > ~/.config/fish/completions/dbsync.fish
${exitCodeHelp("there is no script for this shell")}`,
    )
    .action((shell: Shell) => printLine(SCRIPTS[shell]));
  program
    .command("complete", { hidden: true })
    .argument("[words...]")
    .passThroughOptions()
    .action((words: string[]) => {
      for (const { word, about } of candidatesFor(program, words))
        printLine(about === "" ? word : `${word}\t${about}`);
    });
}

interface Candidate {
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
function candidatesFor(program: Command, words: readonly string[]): readonly Candidate[] {
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
