/**
 * Finds the test files that use the seed of the run, directly or through imports. The list is derived from the code,
 * so that it is complete.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { isOfTests, testFiles } from "../support/chosen-files.js";

/** Matches calls of the functions of seeded-random.ts and seed.ts. An import without a call does not use the seed. */
const DRAWS = /(?<!function )\b(seedOfRun|seed)\(\)/;
const IMPORTED = /\bfrom "(\.[^"]+)"/g;

/** Returns the paths of the randomised test files. @param root  the folder of the build */
export function randomisedFiles(root: string): string[] {
  const visited = new Map<string, boolean>();
  const draws = (file: string): boolean => {
    const found = visited.get(file);
    if (found !== undefined) return found;
    visited.set(file, false);
    const text = existsSync(file) ? readFileSync(file, "utf8") : "";
    const imported = [...text.matchAll(IMPORTED)].map(([, path]) => join(dirname(file), path as string));
    const isOne = DRAWS.test(text) && !/support\/(seeded-random|seed)\.js$/.test(file);
    const result = isOne || imported.some((other) => isOfTests(relative(root, other)) && draws(other));
    visited.set(file, result);
    return result;
  };
  return testFiles(root).filter((file) => draws(join(root, file)));
}
