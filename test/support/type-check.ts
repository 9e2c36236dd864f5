/** Types as a user's TypeScript takes them: files in a folder that has packages, without a look at anything of ours. */
import { join } from "node:path";
import { repositoryRoot } from "./repository.js";
import { type Ended, run } from "./run-program.js";

/** How TypeScript finds modules, the stricter rules first: `nodenext` lets CommonJS require an ES module, `node16` does not. */
export const MODULES = ["node16", "nodenext"] as const;

/** @returns `code` 0: they hold */
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
