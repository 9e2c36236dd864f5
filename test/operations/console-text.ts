/** Parses the `console` blocks of the pages. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../support/repository.js";

/** One line of a `console` block, with the lines that a backslash joins to it. */
export interface ConsoleLine {
  /** Line number in the document, from 1. */
  readonly number: number;
  /** The heading that it follows. */
  readonly section: string;
  /** Index among the section's blocks, from 0. */
  readonly block: number;
  /** The command as typed. */
  readonly command: string;
  /** The text after `#`; empty: none. */
  readonly comment: string;
}

/** Returns the lines of a page's console blocks, without those that are only a comment. */
export function consoleLines(page: string): readonly ConsoleLine[] {
  const lines: ConsoleLine[] = [];
  let [section, block, isBlock, begun] = ["", -1, false, ""];
  const text = readFileSync(join(repositoryRoot, page), "utf8");
  for (const [index, line] of text.split("\n").entries()) {
    const heading = /^#+ (.*)$/.exec(line);
    if (!isBlock && heading !== null) [section, block] = [heading[1] as string, -1];
    if (line.trim().startsWith("```")) {
      isBlock = line.trim() === "```console";
      if (isBlock) block++;
    } else if (isBlock && !line.startsWith("#")) {
      const joined = begun + line.trim();
      begun = joined.endsWith("\\") ? joined.slice(0, -1) : "";
      if (begun !== "") continue;
      const [command = "", comment = ""] = joined.split(/\s+# ?/, 2);
      lines.push({ number: index + 1, section, block, command, comment });
    }
  }
  return lines;
}

/** Splits a command into arguments as a shell does. */
export function wordsOf(command: string): readonly string[] {
  return [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? (plain as string));
}
