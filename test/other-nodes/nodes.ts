/**
 * The versions of Node that dbsync supports, except the running one: each from the PATH (`node22`), or from the
 * registry, unpacked and not installed, next to the packages. They are optional: a machine without them reports
 * so.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../support/repository.js";

/** Major number → version. Any later one would do; a fixed one makes runs repeatable. */
const VERSIONS = new Map([
  ["20", "20.19.5"],
  ["22", "22.23.3"],
  ["24", "24.21.0"],
]);

/** Time limit for 50 MB. */
const FETCH_MS = 120_000;

const CACHE = join(repositoryRoot, "node_modules/.cache/other-nodes");

export interface OtherNode {
  readonly name: string;
  /** Path of the program; null: there is none. */
  readonly path: string | null;
}

export function otherNodes(): OtherNode[] {
  const own = process.versions.node.split(".")[0];
  return [...VERSIONS]
    .filter(([major]) => major !== own)
    .map(([major, version]) => ({ name: `Node ${major}`, path: onPath(major) ?? unpacked(version) }));
}

function onPath(major: string): string | null {
  const name = `node${major}`;
  const { status, stdout } = spawnSync(name, ["-p", "process.execPath"], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : null;
}

function unpacked(version: string): string | null {
  const folder = join(CACHE, version);
  const path = join(folder, "package/bin/node");
  if (!existsSync(path)) bring(version, folder);
  return spawnSync(path, ["--version"], { encoding: "utf8" }).stdout?.trim() === `v${version}` ? path : null;
}

/** Fetches a version. `npm pack` executes nothing of what it fetches. */
function bring(version: string, folder: string): void {
  mkdirSync(folder, { recursive: true });
  const name = `node-${process.platform}-${process.arch}`;
  const options = { cwd: folder, encoding: "utf8", timeout: FETCH_MS } as const;
  const { stdout } = spawnSync("npm", ["pack", "--silent", `${name}@${version}`], options);
  const file = stdout?.trim().split("\n").at(-1) ?? "";
  if (file !== "") spawnSync("tar", ["xzf", file, "package/bin/node"], options);
}
