/** Finds the tests that use bundles of the programs or of the browser module. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { isOfTests } from "./chosen-files.js";

/** Matches the texts with which a file of the tests uses bundles. */
export const BUNDLES_USED = /programPaths|browserModule|browserFolder|dashboardFolder|"bundles"|\bbundles\//;

/**
 * Returns whether test files, or files of the tests that they import, start programs or use the browser module.
 * @param root  the folder of the build, as an absolute path, as those of the files
 */
export function usesBundles(paths: readonly string[], root: string): boolean {
  const seen = new Set(paths);
  for (const path of seen) {
    const text = readFileSync(path, "utf8");
    if (BUNDLES_USED.test(text)) return true;
    for (const [, imported = ""] of text.matchAll(/from "(\.[^"]+)"/g)) {
      const file = join(dirname(path), imported);
      // Templates of generated files contain imports of files that do not exist.
      if (isOfTests(relative(root, file)) && existsSync(file)) seen.add(file);
    }
  }
  return false;
}
