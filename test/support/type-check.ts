/** Checks types as a user's TypeScript does: files in a folder with installed packages, without our sources. */
import { join } from "node:path";
import { repositoryRoot } from "./repository.js";
import { type Ended, run } from "./run-program.js";

/**
 * How TypeScript finds modules, the stricter rules first: `nodenext` lets CommonJS require an ES module, `node16`
 * does not.
 */
export const MODULES = ["node16", "nodenext"] as const;

/** Compiles the files. @returns `code` 0: their types are correct */
export async function typeCheck(
  folder: string,
  files: readonly string[],
  module: (typeof MODULES)[number],
): Promise<Ended> {
  const modules = join(repositoryRoot, "node_modules");
  const options = ["--noEmit", "--strict", "--module", module, "--target", "es2023"];
  const types = ["--typeRoots", join(modules, "@types"), "--types", "node"];
  const tsc = join(modules, "typescript/bin/tsc");
  return await run(process.execPath, [tsc, ...options, ...types, ...files], { cwd: folder });
}
