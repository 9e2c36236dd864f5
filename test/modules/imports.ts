/**
 * Finds dependencies between source files: static and dynamic imports of values and types, and files that are started
 * as workers or programs.
 */
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { ownFiles, repositoryRoot } from "../support/repository.js";

/** The texts of all source files, by their paths from the repository's root. */
export const texts: ReadonlyMap<string, string> = new Map(
  ownFiles()
    .filter((file) => file.endsWith(".ts"))
    .map((file) => [file, readFileSync(join(repositoryRoot, file), "utf8")]),
);

const IMPORT = /\b(?:from|import)\s*\(?\s*"(\.[^"]+)\.js"/g;
/** Matches imports of values. The compiler removes imports of types. */
const AT_START = /^(?:import|export) (?!type\b|const\b)[^;]*?"(\.[^"]+)\.js"/gm;
/** Matches the file of a worker or a program. */
const STARTED = /\bnew URL\(\s*"(\.[^"]+)\.js",\s*import\.meta\.url/g;

/** Returns the source files that a file imports, as paths from the root. */
export const importsOf = (file: string): string[] => foundIn(file, IMPORT);

/** Returns the source files that are loaded together with a file. */
export const importsAtStart = (file: string): string[] => foundIn(file, AT_START);

/** Returns the source files that a file starts as workers or programs. */
export const startedBy = (file: string): string[] => foundIn(file, STARTED);

function foundIn(file: string, what: RegExp): string[] {
  const code = (texts.get(file) ?? "").replace(/^ *(\/\*\*[\s\S]*?\*\/|\/\/.*)/gm, "");
  return [...code.matchAll(what)].map(([, path]) => `${normalize(join(dirname(file), path as string))}.ts`);
}
