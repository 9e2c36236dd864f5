/**
 * Groups test files that share a process. Starting Node and loading the product takes a third of a second of CPU,
 * which is more than most test files need for their tests.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { amount } from "./amount.js";

/** The number of files per process. Such a group takes about a minute in usual runs; files in full take longer. */
const FILES = amount(62, 24);

/** The number of files per process if they start processes of their own, for which they mostly wait. */
const WAITING_FILES = amount(22, 9);

/**
 * Matches files that need their own process: they change or measure the process, replace what others use, or test that
 * code is missing.
 */
const ALONE =
  /\bprocess\.(env\["\w+"\] = |memoryUsage|umask|on\()|support\/garbage\.js"|import \{.*\bmock\b.* from "node:test"|"node:v8"|\bseedNameHash\b|\binstallFamilies\b|\bwithout the code of\b/;

/** Matches files that start processes. */
const WAITING =
  /(support\/(daemon-process|run-program|redis-server|redis-cli|php|trio|active-cluster)|client\/child)\.js"|"node:child_process"/;

const SUITES = new URL("./file-suites.js", import.meta.url).href;

export interface Sharing {
  /** The folder for programs that import the files. */
  readonly folder: string;
  /** The number of parallel processes. */
  readonly lanes: number;
}

/**
 * Replaces groups of test files by programs that import them. Runs of single files (exploration, mutants, `npm test
 * -- WORD`) show that no file depends on another.
 * @param files  as absolute paths
 */
export function together(files: readonly string[], { folder, lanes }: Sharing): string[] {
  const texts = new Map(files.map((file) => [file, readFileSync(file, "utf8")]));
  const sharing = files.filter((file) => !ALONE.test(texts.get(file)!));
  const isWaiting = (file: string) => WAITING.test(texts.get(file)!);
  const groups = [
    ...grouped(sharing.filter(isWaiting), { size: WAITING_FILES, lanes }),
    ...grouped(
      sharing.filter((file) => !isWaiting(file)),
      { size: FILES, lanes },
    ),
  ];
  const alone = files.filter((file) => !sharing.includes(file));
  return [...groups.map((members, i) => program(members, join(folder, `together-${i + 1}.mjs`))), ...alone];
}

/** Distributes files over groups: at least one per lane, so that no lane is without work at the end. */
function grouped(
  files: readonly string[],
  { size, lanes }: { readonly size: number; readonly lanes: number },
): string[][] {
  const count = Math.min(files.length, Math.max(lanes, Math.ceil(files.length / size)));
  // Adjacent files are similar, and often slow together, so they are distributed over the groups.
  return Array.from({ length: count }, (_, number) => files.filter((_, i) => i % count === number));
}

/** Writes a program that imports the files of a group. @returns its path, or that of the only file */
function program(members: readonly string[], path: string): string {
  const [only] = members;
  if (only !== undefined && members.length === 1) return only;
  writeFileSync(path, `import { addSuites } from "${SUITES}";\naddSuites(${JSON.stringify(members)});\n`);
  return path;
}

/** Returns the files that a program runs: those of its group, or the program itself if it is a test file. */
export function membersOf(path: string): readonly string[] {
  const [, members] = /^addSuites\((\[.*\])\);$/m.exec(readFileSync(path, "utf8")) ?? [];
  return members === undefined ? [path] : (JSON.parse(members) as string[]);
}
