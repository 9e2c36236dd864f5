/**
 * Makes types for CommonJS: a copy of the files that an entry's types consist of. TypeScript rejects types of an ES
 * module in a CommonJS file, though Node loads such a module; this copy declares the same.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path/posix";
import { buildRoot } from "./repository.js";

/** Matches what a file of types imports of ours. */
const IMPORTED = /((?:\bfrom|\bimport\(|\bimport) ?")(\.[^"]+)\.js"/g;

/**
 * Writes them next to the types of ES modules.
 * @param entries  files of types from the build's root, without extension
 */
export function makeCommonJsTypes(entries: readonly string[]): void {
  for (const file of typesOf(entries)) writeFileSync(join(buildRoot, `${file}.d.cts`), commonJsTypes(file));
}

/** Copies both kinds. @param to  a folder */
export function copyTypes(entries: readonly string[], to: string): void {
  for (const file of typesOf(entries)) {
    mkdirSync(dirname(join(to, file)), { recursive: true });
    writeFileSync(join(to, `${file}.d.ts`), typesText(file));
    writeFileSync(join(to, `${file}.d.cts`), commonJsTypes(file));
  }
}

/** Returns the files that these import, directly or not, and these. */
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
