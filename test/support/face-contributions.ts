/**
 * What each face adds to the tests and tools of all faces: a file with the same name in its folder `test/`. Nothing
 * else names these files, so a face is removed together with them.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildRoot, repositoryRoot } from "./repository.js";

/** The names of the folders in faces/. */
export const FACE_NAMES: readonly string[] = readdirSync(join(repositoryRoot, "faces"), {
  withFileTypes: true,
})
  .filter((entry) => entry.isDirectory() && existsSync(join(repositoryRoot, "faces", entry.name, "face.ts")))
  .map(({ name }) => name)
  .sort();

/**
 * Imports a file of each face that has it.
 * @param file  the name of the compiled file in the folder `test/` of a face, such as `mutants.js`
 * @returns the modules by the names of the faces
 */
export async function contributionsOf<Module>(file: string): Promise<ReadonlyMap<string, Module>> {
  const found = new Map<string, Module>();
  for (const face of FACE_NAMES) {
    const path = join("faces", face, "test", file);
    if (!existsSync(join(repositoryRoot, path.replace(/\.js$/, ".ts")))) continue;
    found.set(face, (await import(pathToFileURL(join(buildRoot, path)).href)) as Module);
  }
  return found;
}
