/** Finds the commands that the pages print for a reader to type: lines of `console` blocks, indented ones too. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ownFiles, repositoryRoot } from "../support/repository.js";

export interface ConsoleCommand {
  /** `page:line` of its first line. */
  readonly where: string;
  readonly program: string;
  /** The complete command, starting with the program's name, as a shell reads it. */
  readonly text: string;
}

const PROGRAMS = "dbsyncd|dbsync-proxy|dbsync-keygen|dbsync";
/** Matches what may precede a program's name: loops' words, variables, npx, another user. */
const COMMAND = new RegExp(
  `^(?:(?:until|while|if|!|npx|sudo(?: -\\S+ \\S+)?|[A-Z_]+=\\S*)\\s+)*((${PROGRAMS})(?:\\s.*)?)$`,
);
/** Matches a container's arguments, which follow the image's name, the last word that is alone. */
const CONTAINER = /^docker run\s.*\s((dbsyncd)\s.*)$/;

/** Returns every command of this product in the console blocks of all pages. */
export function consoleCommands(): readonly ConsoleCommand[] {
  const pages = ownFiles().filter((file) => file.endsWith(".md") && file !== "CHANGELOG.md");
  return pages.flatMap((page) => commandsOf(page, readFileSync(join(repositoryRoot, page), "utf8")));
}

export function commandsOf(page: string, text: string): ConsoleCommand[] {
  const commands: ConsoleCommand[] = [];
  let [isBlock, pending, begun] = [false, "", 0];
  for (const [index, line] of text.split("\n").entries()) {
    if (/^\s*```/.test(line)) {
      isBlock = /^\s*```console$/.test(line);
      pending = "";
    } else if (isBlock) {
      if (pending === "") begun = index + 1;
      pending += line.trim();
      if (pending.endsWith("\\")) {
        pending = pending.slice(0, -1);
        continue;
      }
      for (const part of partsOf(pending)) {
        const [, command, program] = COMMAND.exec(part) ?? CONTAINER.exec(part) ?? [];
        if (command !== undefined && program !== undefined)
          commands.push({ where: `${page}:${begun}`, program, text: command });
      }
      pending = "";
    }
  }
  return commands;
}

/** Splits a line at `;`, `&`, `&&`, `|` and `||`, except in quotes and parentheses, and drops its comment. */
function partsOf(line: string): string[] {
  const parts = [""];
  let [quote, depth] = ["", 0];
  for (const [index, character] of [...line].entries()) {
    const isPlain = quote === "" && depth === 0;
    if (isPlain && character === "#" && /^\s?$/.test(line[index - 1] ?? "")) break;
    if (quote === character) quote = "";
    else if (quote === "" && /['"]/.test(character)) quote = character;
    if (quote === "" && character === "(") depth++;
    if (quote === "" && character === ")") depth--;
    if (isPlain && /[;&|]/.test(character)) parts.push("");
    else parts.push(`${parts.pop()}${character}`);
  }
  return parts.map((part) => part.trim());
}
