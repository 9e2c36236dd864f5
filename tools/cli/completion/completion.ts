/**
 * `dbsync completion SHELL`: prints a script that makes a shell complete the arguments of `dbsync`. The script gets the
 * candidates from `dbsync complete`.
 */
import { Argument, type Command } from "commander";
import { exitCodeHelp } from "../shared/exit-codes.js";
import { printLine } from "../shared/output.js";
import { candidatesFor } from "./completion-candidates.js";

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
