/** Locates the repository, and the folder that the running code was compiled into. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(import.meta.url);

/** The folder whose package.json has the name "dbsyncd": sources, vectors, documents. */
export const repositoryRoot: string = findRoot(dirname(here));

/** The folder with the compiled programs: `dist`, unless built elsewhere. This file lies in it. */
export const buildRoot: string = dirname(dirname(dirname(here)));

/** What `npm install`, `npm run build`, `npm run site` and `npm start` put next to the sources. */
const MADE = /^(\.git|node_modules|dist|site\/(node_modules|dist|\.build)|keys\/[^/]*\.pem)(\/|$)/;

/** Returns the files that belong to the repository, as paths from its root; works in a copy without git as well. */
export function ownFiles(): string[] {
  const git = spawnSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
    cwd: repositoryRoot,
    encoding: "utf8",
  });
  const known = existsSync(join(repositoryRoot, ".git")) && git.status === 0;
  return known
    ? git.stdout.split("\n").filter((file) => file !== "" && existsSync(join(repositoryRoot, file)))
    : filesBelow("");
}

function filesBelow(folder: string): string[] {
  return readdirSync(join(repositoryRoot, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (MADE.test(path)) return [];
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}

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
