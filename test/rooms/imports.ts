/** What source files know of each other: by import, static or not, of values or types, as a worker or as a program that is started. */
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { ownFiles, repositoryRoot } from "../support/repository.js";

/** Source files, as paths from the repository's root, and their texts. */
export const texts: ReadonlyMap<string, string> = new Map(
  ownFiles()
    .filter((file) => file.endsWith(".ts"))
    .map((file) => [file, readFileSync(join(repositoryRoot, file), "utf8")]),
);

const IMPORT = /\b(?:from|import)\s*\(?\s*"(\.[^"]+)\.js"/g;
/** Of values, with the file; types leave nothing behind. */
const AT_START = /^(?:import|export) (?!type\b)[^;]*?"(\.[^"]+)\.js"/gm;
/** A worker's file, or a program's. */
const STARTED = /\bnew URL\(\s*"(\.[^"]+)\.js",\s*import\.meta\.url/g;

/** Files of ours that a file imports, as paths from the root. */
export const importsOf = (file: string): string[] => foundIn(file, IMPORT);

/** Files of ours that are loaded with a file, whatever is called. */
export const importsAtStart = (file: string): string[] => foundIn(file, AT_START);

/** Files of ours that a file starts. */
export const startedBy = (file: string): string[] => foundIn(file, STARTED);

function foundIn(file: string, what: RegExp): string[] {
  const code = (texts.get(file) ?? "").replace(/^ *(\/\*\*[\s\S]*?\*\/|\/\/.*)/gm, "");
  return [...code.matchAll(what)].map(([, path]) => `${normalize(join(dirname(file), path as string))}.ts`);
}
