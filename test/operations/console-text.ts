/** The commands of docs/runbooks.md, as they are printed. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../support/repository.js";

/** One line of a `console` block. */
export interface RunbookLine {
  /** In the document, from 1. */
  readonly number: number;
  /** The heading that it follows. */
  readonly section: string;
  /** Of the section's blocks, from 0. */
  readonly block: number;
  /** As typed. */
  readonly command: string;
  /** What the line says after `#`; empty: nothing. */
  readonly comment: string;
}

export function runbookLines(): readonly RunbookLine[] {
  const lines: RunbookLine[] = [];
  let [section, block, isBlock] = ["", -1, false];
  const text = readFileSync(join(repositoryRoot, "docs/runbooks.md"), "utf8");
  for (const [index, line] of text.split("\n").entries()) {
    const heading = /^#+ (.*)$/.exec(line);
    if (!isBlock && heading !== null) [section, block] = [heading[1] as string, -1];
    if (line.startsWith("```")) {
      isBlock = line === "```console";
      if (isBlock) block++;
    } else if (isBlock) {
      const [command = "", comment = ""] = line.split(/\s+# ?/, 2);
      lines.push({ number: index + 1, section, block, command, comment });
    }
  }
  return lines;
}

/** The words of a command, as a shell splits them. */
export function wordsOf(command: string): readonly string[] {
  return [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? (plain as string));
}
