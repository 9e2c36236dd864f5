/** Checks the published types as a user's project does: with the installed package, without the sources. */
import { join } from "node:path";
import { repositoryRoot } from "./repository.js";
import { type Ended, run } from "./run-program.js";

/**
 * The module settings to check, the strictest one first. With `nodenext` a CommonJS file may require an ES module,
 * with `node16` it may not. With `preserve`, TypeScript resolves modules as bundlers do.
 */
export const MODULES = ["node16", "nodenext", "preserve"] as const;

/** Compiles the files. @returns the outcome of tsc; its `code` is 0 if the types are correct */
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
