/**
 * Finds the test files that use the seed of the run, directly or through imports. The list is derived from the code,
 * so that it is complete.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { isOfTests, testFiles } from "../support/chosen-files.js";

/** Matches calls of the functions of seeded-random.ts and seed.ts. An import without a call does not use the seed. */
const SEED_CALL = /(?<!function )\b(seedOfRun|seed)\(\)/;
const IMPORTED = /\bfrom "(\.[^"]+)"/g;

/** Returns the paths of the randomised test files. @param root  the folder of the build */
export function randomisedFiles(root: string): string[] {
  const known = new Map<string, boolean>();
  const usesSeed = (file: string): boolean => {
    const earlier = known.get(file);
    if (earlier !== undefined) return earlier;
    // For files that import each other in a circle.
    known.set(file, false);
    const text = existsSync(file) ? readFileSync(file, "utf8") : "";
    const imported = [...text.matchAll(IMPORTED)].map(([, path]) => join(dirname(file), path as string));
    const callsIt = SEED_CALL.test(text) && !/support\/(seeded-random|seed)\.js$/.test(file);
    const result = callsIt || imported.some((other) => isOfTests(relative(root, other)) && usesSeed(other));
    known.set(file, result);
    return result;
  };
  return testFiles(root).filter((file) => usesSeed(join(root, file)));
}
