/** Finds the compiled test files, and those of them that `npm test -- WORD …` runs. */
import { readdirSync } from "node:fs";

/** Returns paths below the folder. */
export function testFiles(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return files.filter((file) => file.endsWith(".test.js")).sort();
}

/**
 * Selects files.
 * @param files  paths below test/, so that the name of the clone's folder has no effect
 * @param words  none: all files
 */
export function chosenFiles(files: readonly string[], words: readonly string[]): string[] {
  return files.filter((file) => words.length === 0 || words.some((word) => file.includes(word)));
}
