/** Counts the words that docs/glossary.md replaces, in comments and in pages. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../support/repository.js";

/** A line with at least one word that the glossary replaces. */
interface Finding {
  /** The position and the words, as `file:line: words`. */
  readonly text: string;
  readonly hits: number;
}

export interface Count {
  readonly words: number;
  readonly findings: readonly Finding[];
}

/** A text line with its number in the file, from 1. */
interface Line {
  readonly number: number;
  readonly text: string;
}

const replaced = replacedWords();

/** Counts the words in the comments of a source file. */
export const countComments = (file: string, source: string): Count => count(file, commentLines(source));

/** Counts the words in a page, except in its code. */
export const countPage = (file: string, page: string): Count => count(file, proseLines(page));

/** Returns the number of replaced words per 1,000 words. */
export const rateOf = (counts: readonly Count[]): number => {
  const words = counts.reduce((sum, one) => sum + one.words, 0);
  const hits = counts.flatMap(({ findings }) => findings).reduce((sum, one) => sum + one.hits, 0);
  return words === 0 ? 0 : (hits * 1000) / words;
};

function count(file: string, lines: readonly Line[]): Count {
  let words = 0;
  const findings: Finding[] = [];
  for (const { number, text } of lines) {
    const prose = text.replace(/`[^`]*`/g, " ").replace(/\]\([^)]*\)/g, "]");
    words += prose.match(/[A-Za-z][A-Za-z'-]*/g)?.length ?? 0;
    const found = prose.match(replaced);
    if (found !== null) findings.push({ text: `${file}:${number}: ${found.join(", ")}`, hits: found.length });
  }
  return { words, findings };
}

/** Returns the lines of comments. The formatter writes a comment on separate lines or at the end of a line. */
function commentLines(source: string): Line[] {
  let inside = false;
  return source.split("\n").flatMap((line, at) => {
    const text = line.trim();
    const opens = !inside && text.startsWith("/*");
    const comment = inside || opens || text.startsWith("//") ? text : / \/\/ [^"'`]*$/.exec(line)?.[0];
    if (opens || inside) inside = !text.endsWith("*/");
    return comment === undefined ? [] : [{ number: at + 1, text: comment }];
  });
}

function proseLines(page: string): Line[] {
  let code = false;
  return page.split("\n").flatMap((text, at) => {
    const fence = text.trimStart().startsWith("```");
    if (fence) code = !code;
    return fence || code ? [] : [{ number: at + 1, text }];
  });
}

/** Reads the words from the first column of the glossary's second table. */
function replacedWords(): RegExp {
  const page = readFileSync(join(repositoryRoot, "docs/glossary.md"), "utf8");
  const [, table = ""] = page.split("## Words that we replace");
  const words = [...table.matchAll(/^\| (?!instead of|---)([^|]+) \|/gm)]
    .flatMap(([, cell]) => (cell as string).split(","))
    .map((word) => word.trim());
  return new RegExp(`\\b(?:${words.join("|")})\\b`, "gi");
}
