/** Finds the compiled test files and selects the ones that `npm test -- WORD …` runs. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** Matches the paths of the tests: all files in test/, and those in the folder `test` of each face. */
const TESTS = /^(?:test|faces\/[\w-]+\/test)\//;

/** Returns whether a file belongs to the tests. @param path  relative to the repository or to a build */
export const isOfTests = (path: string): boolean => TESTS.test(path);

/** Returns the paths of all test files, relative to the root of a build. */
export function testFiles(root: string): string[] {
  return ["test", "faces"]
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map(
        (file) => `${folder}/${file}`,
      ),
    )
    .filter((file) => isOfTests(file) && file.endsWith(".test.js"))
    .sort();
}

/**
 * Returns the files whose path contains one of the words.
 * @param files  paths from the root of the build, so that the name of the clone's folder has no effect
 * @param words  if there are none, all files are returned
 */
export function chosenFiles(files: readonly string[], words: readonly string[]): string[] {
  return files.filter((file) => words.length === 0 || words.some((word) => file.includes(word)));
}
