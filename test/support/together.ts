/**
 * Test files that share a process. A process of its own costs each a third of a second of CPU, for node and for the parts of the
 * product that it loads, which is more than most of them take.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** As many as take some seconds. */
const FILES = 16;

/** Hooks that others would wait for, other processes, and what belongs to the whole process: who uses these has one to himself. */
const ALONE =
  /^(before|afterEach|beforeEach\(async)\b|(?<!-)\bprocess\.|\bmock\b|"node:(v8|child_process)"|\bseedNameHash\b|support\/(daemon-process|run-program|redis-server|redis-cli|php)\.js"/m;

export interface Sharing {
  /** Where programs that import the files are written. */
  readonly folder: string;
  /** How many processes run at once. */
  readonly lanes: number;
}

/**
 * What to run in place of test files. That none leans on another shows where they run one by one: explored, against a mutant, or by their name.
 * @param files  as absolute paths
 */
export function together(files: readonly string[], { folder, lanes }: Sharing): string[] {
  const sharing = files.filter((file) => !ALONE.test(readFileSync(file, "utf8")));
  const count = Math.max(lanes, Math.ceil(sharing.length / FILES));
  if (sharing.length <= count) return [...files];
  const groups = Array.from({ length: count }, (_, number) => {
    const group = join(folder, `together-${number + 1}.mjs`);
    // Neighbours are of one kind, and take long together.
    const ours = sharing.filter((_, i) => i % count === number);
    writeFileSync(group, ours.map((file) => `import "${pathToFileURL(file).href}";\n`).join(""));
    return group;
  });
  const isAlone = (file: string) => !sharing.includes(file);
  return [...groups, ...files.filter(isAlone)];
}
