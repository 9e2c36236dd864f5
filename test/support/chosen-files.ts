/** Which test files `npm test -- WORD …` runs. */

/**
 * @param files  paths below test/: the folder that a clone lies in has no say
 * @param words  none: all files
 */
export function chosenFiles(files: readonly string[], words: readonly string[]): string[] {
  return files.filter((file) => words.length === 0 || words.some((word) => file.includes(word)));
}
