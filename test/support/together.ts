/**
 * Groups test files that share a process. Starting Node and loading the product takes a third of a second of CPU,
 * which is more than most test files need for their tests.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** The number of files per process. A group of this size takes a few seconds. */
const FILES = 24;

/**
 * Matches files that need their own process: they use hooks that delay other files, child processes, or state of the
 * process.
 */
const ALONE =
  /^(before|afterEach|beforeEach\(async)\b|(?<!-)\bprocess\.|\bmock\b|"node:(v8|child_process)"|\bseedNameHash\b|support\/(daemon-process|run-program|redis-server|redis-cli|php)\.js"/m;

const GATE = new URL("./together-gate.js", import.meta.url).href;

export interface Sharing {
  /** The folder for programs that import the files. */
  readonly folder: string;
  /** The number of parallel processes. */
  readonly lanes: number;
  /** The beginning of the names of these programs. */
  readonly name?: string;
}

/**
 * Replaces groups of test files by programs that import them. Runs of single files (exploration, mutants, `npm test
 * -- WORD`) show that no file depends on another.
 * @param files  as absolute paths
 */
export function together(files: readonly string[], { folder, lanes, name = "together" }: Sharing): string[] {
  const sharing = files.filter((file) => !ALONE.test(readFileSync(file, "utf8")));
  const count = Math.max(lanes, Math.ceil(sharing.length / FILES));
  if (sharing.length <= count) return [...files];
  const groups = Array.from({ length: count }, (_, number) => {
    const group = join(folder, `${name}-${number + 1}.mjs`);
    // Adjacent files are similar, and often slow together, so they are distributed over the groups.
    const members = sharing.filter((_, i) => i % count === number);
    const imports = members.map((file) => `import "${pathToFileURL(file).href}";\n`);
    writeFileSync(group, `import { openGate } from "${GATE}";\n${imports.join("")}openGate();\n`);
    return group;
  });
  const isAlone = (file: string) => !sharing.includes(file);
  return [...groups, ...files.filter(isAlone)];
}
