/** Locates the compiled programs. */
import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { buildRoot, repositoryRoot } from "./repository.js";

const { bin } = JSON.parse(readFileSync(join(repositoryRoot, "package.json"), "utf8")) as {
  bin: Readonly<Record<"dbsyncd" | "dbsync" | "dbsync-keygen" | "dbsync-proxy", string>>;
};

/** The paths of the programs, by name. */
export const programPaths = Object.fromEntries(
  Object.entries(bin).map(([name, path]) => [name, join(buildRoot, relative("dist", path))]),
) as typeof bin;
