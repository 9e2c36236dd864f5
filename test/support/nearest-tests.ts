/** Finds the tests that are nearest to a source file. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { isOfTests, testFiles } from "./chosen-files.js";
import { isFullOnly } from "./full-files.js";
import { BUNDLES } from "./make-bundles.js";
import { BUNDLES_USED } from "./uses-bundles.js";

/** Matches the imports of a compiled file, from which types are absent. */
const IMPORTED = /(?:\bfrom |\bimport |\bimport\()"(\.[^"]+)"/g;

/** The import graph of a build, from each file to those that import it. Paths are relative to the build's root. */
export type Importers = ReadonlyMap<string, readonly string[]>;

/** Returns the importers of all files that tests import. A test that uses bundles imports all programs. */
export function importersOf(root: string): Importers {
  const importers = new Map<string, string[]>();
  const seen = new Set(testFiles(root));
  for (const file of seen) {
    const text = readFileSync(join(root, file), "utf8");
    const imported = [...text.matchAll(IMPORTED)].map(([, path = ""]) =>
      relative(root, join(root, dirname(file), path)),
    );
    const programs = isOfTests(file) && BUNDLES_USED.test(text) ? Object.values(BUNDLES) : [];
    for (const one of [...imported, ...programs]) {
      if (!existsSync(join(root, one))) continue;
      importers.set(one, [...(importers.get(one) ?? []), file]);
      seen.add(one);
    }
  }
  return importers;
}

/** The number of imports that a folder in common is worth, and a text of the same words. */
const FOLDER_WORTH = 2;
const LIKENESS_WORTH = 60;
/** The number of imports that the time of a test which only full runs include is worth. */
const FULL_WORTH = 3;

/**
 * Returns the tests that load a file: first those of its own path, then by the number of imports between them, less
 * what their paths and texts have in common. Tests that only full runs include are slow, and count as more distant.
 * @param likeness  of the texts of two files, from 0 to 1
 */
export function nearestTests(
  file: string,
  importers: Importers,
  likeness: (file: string, test: string) => number,
): string[] {
  const distances = new Map([[file, 0]]);
  for (const [one, distance] of distances)
    for (const importer of importers.get(one) ?? [])
      if (!distances.has(importer)) distances.set(importer, distance + 1);

  const own = testPathOf(file);
  const isOwn = (test: string): boolean => test.startsWith(`${own}.`) || test.startsWith(`${own}/`);
  const isUsual = (test: string): boolean => !isFullOnly(test);
  const rank = (test: string): number =>
    isOwn(test)
      ? Number.NEGATIVE_INFINITY
      : (distances.get(test) as number) +
        (isUsual(test) ? 0 : FULL_WORTH) -
        FOLDER_WORTH * commonFolders(test, own) -
        LIKENESS_WORTH * likeness(file, test);
  return [...distances.keys()]
    .filter((one) => one.endsWith(".test.js"))
    .map((test) => ({ test, rank: rank(test) }))
    .sort((a, b) => (a.rank === b.rank ? (a.test < b.test ? -1 : 1) : a.rank - b.rank))
    .map(({ test }) => test);
}

/** Returns the path of the tests of a compiled file, without their ends. */
export function testPathOf(file: string): string {
  const path = file.replace(/\.[jt]s$/, "");
  return path.startsWith("faces/") ? path.replace(/^(faces\/[\w-]+)\//, "$1/test/") : `test/${path}`;
}

function commonFolders(a: string, b: string): number {
  const folders = dirname(b).split("/");
  const compared = dirname(a).split("/");
  const first = folders.findIndex((folder, index) => folder !== compared[index]);
  return first === -1 ? folders.length : first;
}
