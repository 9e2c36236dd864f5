/**
 * Dependencies between source files: imports, static or dynamic, of values or types, and files started as workers
 * or programs.
 */
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { ownFiles, repositoryRoot } from "../support/repository.js";

/** Path of a source file, from the repository's root → its text. */
export const texts: ReadonlyMap<string, string> = new Map(
  ownFiles()
    .filter((file) => file.endsWith(".ts"))
    .map((file) => [file, readFileSync(join(repositoryRoot, file), "utf8")]),
);

const IMPORT = /\b(?:from|import)\s*\(?\s*"(\.[^"]+)\.js"/g;
/** Imports of values, with the file; imports of types are removed by the compiler. */
const AT_START = /^(?:import|export) (?!type\b)[^;]*?"(\.[^"]+)\.js"/gm;
/** The file of a worker or a program. */
const STARTED = /\bnew URL\(\s*"(\.[^"]+)\.js",\s*import\.meta\.url/g;

/** Returns the source files that a file imports, as paths from the root. */
export const importsOf = (file: string): string[] => foundIn(file, IMPORT);

/** Returns the source files that are loaded together with a file. */
export const importsAtStart = (file: string): string[] => foundIn(file, AT_START);

/** Returns the source files that a file starts. */
export const startedBy = (file: string): string[] => foundIn(file, STARTED);

function foundIn(file: string, what: RegExp): string[] {
  const code = (texts.get(file) ?? "").replace(/^ *(\/\*\*[\s\S]*?\*\/|\/\/.*)/gm, "");
  return [...code.matchAll(what)].map(([, path]) => `${normalize(join(dirname(file), path as string))}.ts`);
}
