/** The daemon's own programs that look into its folder: the client has no store. They take the daemon's options. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { DbsyncError } from "../../shared/errors.js";

/** The daemon's options that say which folder is meant, and which keys it was begun with. */
export interface FolderFlags {
  readonly data?: string;
  readonly signKey?: readonly string[];
  readonly rootKey?: readonly string[];
  readonly clusterName?: string;
  readonly config?: string;
}

/** @returns its path @throws DbsyncError  this package has no daemon in it */
export function folderProgram(url: URL): string {
  const path = fileURLToPath(url);
  if (existsSync(path)) return path;
  throw new DbsyncError(
    "bad-command",
    "only the dbsync of the package dbsyncd can read a daemon's folder or a backup: npm install dbsyncd",
  );
}

/** The flags as words, in the way the daemon takes them. */
export function folderWords({
  data,
  signKey = [],
  rootKey = [],
  clusterName,
  config,
}: FolderFlags): string[] {
  const option = (name: string, value: string | undefined) => (value === undefined ? [] : [name, value]);
  return [
    ...option("--data", data),
    ...signKey.flatMap((file) => ["--sign-key", file]),
    ...rootKey.flatMap((file) => ["--root-key", file]),
    ...option("--cluster-name", clusterName),
    ...option("--config", config),
  ];
}
