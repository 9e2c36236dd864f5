/**
 * Copies the type declarations that a package contains: those of its entries and of all files that they import. Each
 * file also gets a copy for CommonJS: in a CommonJS file, TypeScript rejects the types of an ES module, although Node
 * can load the module. The copies declare the same types.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path/posix";
import { buildRoot } from "./repository.js";

/** Matches the relative imports of a declaration file. */
const IMPORTED = /((?:\bfrom|\bimport\(|\bimport) ?")(\.[^"]+)\.js"/g;

/**
 * Copies the declarations for ES modules and those for CommonJS.
 * @param entries  declaration files, relative to the build's root and without extension
 * @param to  the target folder, which is emptied first
 */
export function copyTypes(entries: readonly string[], to: string): void {
  rmSync(to, { recursive: true, force: true });
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
