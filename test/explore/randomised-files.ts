/**
 * Finds the test files that use the seed of the run, directly or through imports. The list is derived from the code,
 * so that it is complete.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { testFiles } from "../support/chosen-files.js";

/** Matches calls of the functions of seeded-random.ts and seed.ts. An import without a call does not use the seed. */
const DRAWS = /(?<!function )\b(seedOfRun|seed)\(\)/;
const IMPORTED = /\bfrom "(\.[^"]+)"/g;

/** Returns the paths of the randomised test files. @param folder  the folder of the compiled tests */
export function randomisedFiles(folder: string): string[] {
  const visited = new Map<string, boolean>();
  const draws = (file: string): boolean => {
    const found = visited.get(file);
    if (found !== undefined) return found;
    visited.set(file, false);
    const text = existsSync(file) ? readFileSync(file, "utf8") : "";
    const imported = [...text.matchAll(IMPORTED)].map(([, path]) => join(dirname(file), path as string));
    const isOne = DRAWS.test(text) && !/support\/(seeded-random|seed)\.js$/.test(file);
    const result = isOne || imported.some((other) => other.startsWith(folder) && draws(other));
    visited.set(file, result);
    return result;
  };
  return testFiles(folder).filter((file) => draws(join(folder, file)));
}
