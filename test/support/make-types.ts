/**
 * Types for those who `require`: a copy of what an entry's types are made of, as CommonJS. TypeScript takes no types of an ES module for
 * a CommonJS file, though Node loads one, and this copy says the same.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path/posix";
import { buildRoot } from "./repository.js";

/** What a file of types imports of ours. */
const IMPORTED = /((?:\bfrom|\bimport\(|\bimport) ?")(\.[^"]+)\.js"/g;

/** Writes them beside the others. @param entries  files of types from the build's root, without their ending */
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

/** The files that these need, they among them. */
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
