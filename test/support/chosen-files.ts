/** Finds the compiled test files and selects the ones that `npm test -- WORD …` runs. */
import { readdirSync } from "node:fs";

/** Returns the paths of all test files, relative to the folder. */
export function testFiles(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return files.filter((file) => file.endsWith(".test.js")).sort();
}

/**
 * Returns the files whose path contains one of the words.
 * @param files  paths below test/, so that the name of the clone's folder has no effect
 * @param words  if there are none, all files are returned
 */
export function chosenFiles(files: readonly string[], words: readonly string[]): string[] {
  return files.filter((file) => words.length === 0 || words.some((word) => file.includes(word)));
}
