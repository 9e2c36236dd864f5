/** Parses the `console` blocks of the pages. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../support/repository.js";

/** One command of a `console` block, including the lines that a backslash joins to the first one. */
export interface ConsoleLine {
  /** The line number in the document, from 1. */
  readonly number: number;
  /** The preceding heading. */
  readonly section: string;
  /** The index of the block within its section, from 0. */
  readonly block: number;
  /** The command in the form in which it is typed. */
  readonly command: string;
  /** The text after `#`, or "". */
  readonly comment: string;
}

/** Returns the commands of a page's console blocks, without lines that are only a comment. */
export function consoleLines(page: string): readonly ConsoleLine[] {
  const lines: ConsoleLine[] = [];
  let [section, block, isBlock, startLine] = ["", -1, false, ""];
  const text = readFileSync(join(repositoryRoot, page), "utf8");
  for (const [index, line] of text.split("\n").entries()) {
    const heading = /^#+ (.*)$/.exec(line);
    if (!isBlock && heading !== null) [section, block] = [heading[1] as string, -1];
    if (line.trim().startsWith("```")) {
      isBlock = line.trim() === "```console";
      if (isBlock) block++;
    } else if (isBlock && !line.startsWith("#")) {
      const joined = startLine + line.trim();
      startLine = joined.endsWith("\\") ? joined.slice(0, -1) : "";
      if (startLine !== "") continue;
      const [command = "", comment = ""] = joined.split(/\s+# ?/, 2);
      lines.push({ number: index + 1, section, block, command, comment });
    }
  }
  return lines;
}

/** Splits a command into arguments, like a shell. */
export function wordsOf(command: string): readonly string[] {
  return [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? (plain as string));
}
