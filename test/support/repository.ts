/** Locates the repository and the folder of the compiled code. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const thisFile = fileURLToPath(import.meta.url);

/** The root folder of the repository, where package.json has the name "dbsyncd". */
export const repositoryRoot: string = findRoot(dirname(thisFile));

/** The folder of the compiled code that is running: `dist`, unless it was built elsewhere. */
export const buildRoot: string = dirname(dirname(dirname(thisFile)));

/** Matches the files and folders that `npm install`, `npm run build`, `npm run site` and `npm start` create. */
const GENERATED = /^(\.git|node_modules|dist|site\/(node_modules|dist|\.build)|keys\/[^/]*\.pem)(\/|$)/;

/**
 * Returns the files of the repository, as paths relative to its root. In a copy without git, the folder is searched
 * for files instead.
 */
export function ownFiles(): string[] {
  const git = spawnSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
    cwd: repositoryRoot,
    encoding: "utf8",
  });
  const isGitClone = existsSync(join(repositoryRoot, ".git")) && git.status === 0;
  return isGitClone
    ? git.stdout.split("\n").filter((file) => file !== "" && existsSync(join(repositoryRoot, file)))
    : filesBelow("");
}

function filesBelow(folder: string): string[] {
  return readdirSync(join(repositoryRoot, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (GENERATED.test(path)) return [];
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
  if (parent === folder) throw new Error(`no package.json of dbsyncd in a folder above ${thisFile}`);
  return findRoot(parent);
}
