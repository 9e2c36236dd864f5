/**
 * Finds the test files that use the run's seed, directly or through imports. It reads the code, so that none is
 * forgotten.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { testFiles } from "../support/chosen-files.js";

/** Calls of the functions of seeded-random.ts and seed.ts; an import without a call uses no seed. */
const DRAWS = /(?<!function )\b(seedOfRun|seed)\(\)/;
const IMPORTED = /\bfrom "(\.[^"]+)"/g;

/** @param folder  the compiled test/ @returns paths below it */
export function randomisedFiles(folder: string): string[] {
  const known = new Map<string, boolean>();
  const draws = (file: string): boolean => {
    const found = known.get(file);
    if (found !== undefined) return found;
    known.set(file, false);
    const text = existsSync(file) ? readFileSync(file, "utf8") : "";
    const imported = [...text.matchAll(IMPORTED)].map(([, path]) => join(dirname(file), path as string));
    const isOne = DRAWS.test(text) && !/support\/(seeded-random|seed)\.js$/.test(file);
    const result = isOne || imported.some((other) => other.startsWith(folder) && draws(other));
    known.set(file, result);
    return result;
  };
  return testFiles(folder).filter((file) => draws(join(folder, file)));
}
