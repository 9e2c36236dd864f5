/** Which test files draw on the run's seed, themselves or through what they import: found in the code, so that none is forgotten. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { testFiles } from "../support/chosen-files.js";

/** seeded-random.ts and seed.ts have the two functions; what is imported from there and not called draws nothing. */
const DRAWS = /(?<!function )\b(seedOfRun|seed)\(\)/;
const IMPORTED = /\bfrom "(\.[^"]+)"/g;

/**
 * @param folder  the compiled test/
 * @returns paths below it
 */
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
