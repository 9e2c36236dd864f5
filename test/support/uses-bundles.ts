/** Finds the tests that use bundles of the programs or of the browser module. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Matches the texts with which a file of test/ uses bundles. */
export const BUNDLES_USED = /programPaths|browserModule|browserFolder|dashboardFolder|"bundles"|\bbundles\//;

/**
 * Returns whether test files, or files of test/ that they import, start programs or use the browser module.
 * @param tests  the folder of the compiled tests, as an absolute path, as those of the files
 */
export function usesBundles(paths: readonly string[], tests: string): boolean {
  const seen = new Set(paths);
  for (const path of seen) {
    const text = readFileSync(path, "utf8");
    if (BUNDLES_USED.test(text)) return true;
    for (const [, imported = ""] of text.matchAll(/from "(\.[^"]+)"/g)) {
      const file = join(dirname(path), imported);
      // Templates of generated files contain imports of files that do not exist.
      if (file.startsWith(tests) && existsSync(file)) seen.add(file);
    }
  }
  return false;
}
