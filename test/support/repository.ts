/** Where tests find things: the repository, and the folder that the running code was compiled into. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(import.meta.url);

/** The folder whose package.json has the name "dbsyncd": sources, vectors, documents. */
export const repositoryRoot: string = findRoot(dirname(here));

/** The folder with the compiled programs: `dist`, unless built elsewhere. This file lies in it. */
export const buildRoot: string = dirname(dirname(dirname(here)));

function findRoot(folder: string): string {
  const manifest = join(folder, "package.json");
  if (existsSync(manifest)) {
    const content: unknown = JSON.parse(readFileSync(manifest, "utf8"));
    if (typeof content === "object" && content !== null && "name" in content && content.name === "dbsyncd")
      return folder;
  }
  const parent = dirname(folder);
  if (parent === folder) throw new Error(`no package.json of dbsyncd in a folder above ${here}`);
  return findRoot(parent);
}
