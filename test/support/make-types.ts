/**
 * Makes type declarations for CommonJS: copies of all declaration files of an entry. In a CommonJS file, TypeScript
 * rejects the types of an ES module, although Node can load the module. The copies declare the same types.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path/posix";
import { buildRoot } from "./repository.js";

/** Matches the relative imports of a declaration file. */
const IMPORTED = /((?:\bfrom|\bimport\(|\bimport) ?")(\.[^"]+)\.js"/g;

/**
 * Writes the declarations for CommonJS next to those for ES modules.
 * @param entries  declaration files, relative to the build's root and without extension
 */
export function makeCommonJsTypes(entries: readonly string[]): void {
  for (const file of typesOf(entries)) writeFileSync(join(buildRoot, `${file}.d.cts`), commonJsTypes(file));
}

/** Copies the declarations for ES modules and those for CommonJS. @param to  the target folder */
export function copyTypes(entries: readonly string[], to: string): void {
  for (const file of typesOf(entries)) {
    mkdirSync(dirname(join(to, file)), { recursive: true });
    writeFileSync(join(to, `${file}.d.ts`), typesText(file));
    writeFileSync(join(to, `${file}.d.cts`), commonJsTypes(file));
  }
}

/** Returns the given files and all files that they import, directly or indirectly. */
function typesOf(entries: readonly string[]): string[] {
  const files = new Set(entries);
  for (const file of files)
    for (const [, , imported = ""] of typesText(file).matchAll(IMPORTED))
      files.add(join(dirname(file), imported));
  return [...files];
}

function typesText(file: string): string {
  return readFileSync(join(buildRoot, `${file}.d.ts`), "utf8");
}

function commonJsTypes(file: string): string {
  return typesText(file).replace(IMPORTED, '$1$2.cjs"');
}
