/**
 * Lets test files share a process. A process of its own costs each file a third of a second of CPU for starting node
 * and loading the product, which is more than most files need.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** Files per process: as many as take some seconds. */
const FILES = 16;

/**
 * Matches files that need their own process: hooks that delay other files, child processes, and state of the process.
 */
const ALONE =
  /^(before|afterEach|beforeEach\(async)\b|(?<!-)\bprocess\.|\bmock\b|"node:(v8|child_process)"|\bseedNameHash\b|support\/(daemon-process|run-program|redis-server|redis-cli|php)\.js"/m;

export interface Sharing {
  /** The folder for programs that import the files. */
  readonly folder: string;
  /** The number of parallel processes. */
  readonly lanes: number;
}

/**
 * Returns the files to run in place of test files. Runs of single files (exploration, mutants, `npm test -- WORD`)
 * show that no file depends on another.
 * @param files  as absolute paths
 */
export function together(files: readonly string[], { folder, lanes }: Sharing): string[] {
  const sharing = files.filter((file) => !ALONE.test(readFileSync(file, "utf8")));
  const count = Math.max(lanes, Math.ceil(sharing.length / FILES));
  if (sharing.length <= count) return [...files];
  const groups = Array.from({ length: count }, (_, number) => {
    const group = join(folder, `together-${number + 1}.mjs`);
    // Neighbours are similar and slow together, so each goes to another process.
    const ours = sharing.filter((_, i) => i % count === number);
    writeFileSync(group, ours.map((file) => `import "${pathToFileURL(file).href}";\n`).join(""));
    return group;
  });
  const isAlone = (file: string) => !sharing.includes(file);
  return [...groups, ...files.filter(isAlone)];
}
