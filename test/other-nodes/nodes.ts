/**
 * Finds the versions of Node that dbsync supports, except the running version. A version that is not on the PATH (as
 * `node22`) is downloaded from the registry and unpacked next to the packages, but not installed. A version that is not
 * available is skipped with a message.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../support/repository.js";

/** The version for each major number. Any later version is also suitable, but fixed versions make runs repeatable. */
export const NODE_VERSIONS: ReadonlyMap<string, string> = new Map([
  ["20", "20.19.5"],
  ["22", "22.23.3"],
  ["24", "24.21.0"],
]);

/** The time limit in milliseconds for a download of 50 MB. */
const DOWNLOAD_MS_MAX = 120_000;

/** The folder of the downloaded versions. */
const CACHE = join(repositoryRoot, "node_modules/.cache/other-nodes");

export interface OtherNode {
  readonly name: string;
  /** The path of the program, or null if this version is not available. */
  readonly path: string | null;
}

/** Returns the supported versions except that of this process. */
export function otherNodes(): OtherNode[] {
  const running = process.versions.node.split(".")[0];
  return [...NODE_VERSIONS]
    .filter(([major]) => major !== running)
    .map(([major, version]) => ({
      name: `Node ${major}`,
      path: installedPath(major) ?? downloadedPath(version),
    }));
}

/** Returns the path of a version that is on the PATH, or null. */
function installedPath(major: string): string | null {
  const name = `node${major}`;
  const { status, stdout } = spawnSync(name, ["-p", "process.execPath"], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : null;
}

/** Returns the path of a downloaded version, or null if it cannot be downloaded. */
function downloadedPath(version: string): string | null {
  const folder = join(CACHE, version);
  const path = join(folder, "package/bin/node");
  if (!existsSync(path)) download(version, folder);
  return spawnSync(path, ["--version"], { encoding: "utf8" }).stdout?.trim() === `v${version}` ? path : null;
}

/** Downloads a version. `npm pack` executes no code of the packages that it downloads. */
function download(version: string, folder: string): void {
  mkdirSync(folder, { recursive: true });
  const name = `node-${process.platform}-${process.arch}`;
  const options = { cwd: folder, encoding: "utf8", timeout: DOWNLOAD_MS_MAX } as const;
  const { stdout } = spawnSync("npm", ["pack", "--silent", `${name}@${version}`], options);
  const file = stdout?.trim().split("\n").at(-1) ?? "";
  if (file !== "") spawnSync("tar", ["xzf", file, "package/bin/node"], options);
}
