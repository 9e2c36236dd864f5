/**
 * Finds the commands that the pages print for their readers: the lines of `console` blocks, including indented
 * blocks.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ownFiles, repositoryRoot } from "../support/repository.js";

export interface ConsoleCommand {
  /** The position of its first line, as `page:line`. */
  readonly where: string;
  readonly program: string;
  /** The complete command, beginning with the program's name, in the form in which a shell reads it. */
  readonly text: string;
}

const PROGRAMS = "dbsyncd|dbsync-proxy|dbsync-keygen|dbsync";
/** Matches the text that may precede a program's name: keywords of loops, variables, npx, sudo. */
const COMMAND = new RegExp(
  `^(?:(?:until|while|if|!|npx|sudo(?: -\\S+ \\S+)?|[A-Z_]+=\\S*)\\s+)*((${PROGRAMS})(?:\\s.*)?)$`,
);
/** Matches the arguments of a container, which follow the name of the image. */
const CONTAINER = /^docker run\s.*\s((dbsyncd)\s.*)$/;

/** Returns all commands of dbsync's programs in the console blocks of all pages. */
export function consoleCommands(): readonly ConsoleCommand[] {
  const pages = ownFiles().filter((file) => file.endsWith(".md") && file !== "CHANGELOG.md");
  return pages.flatMap((page) => commandsOf(page, readFileSync(join(repositoryRoot, page), "utf8")));
}

export function commandsOf(page: string, text: string): ConsoleCommand[] {
  const commands: ConsoleCommand[] = [];
  let [isBlock, pending, startLine] = [false, "", 0];
  for (const [index, line] of text.split("\n").entries()) {
    if (/^\s*```/.test(line)) {
      isBlock = /^\s*```console$/.test(line);
      pending = "";
    } else if (isBlock) {
      if (pending === "") startLine = index + 1;
      pending += line.trim();
      if (pending.endsWith("\\")) {
        pending = pending.slice(0, -1);
        continue;
      }
      for (const part of partsOf(pending)) {
        const [, command, program] = COMMAND.exec(part) ?? CONTAINER.exec(part) ?? [];
        if (command !== undefined && program !== undefined)
          commands.push({ where: `${page}:${startLine}`, program, text: command });
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
