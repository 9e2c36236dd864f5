import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Makes a folder for files that all tests of a process may use, and removes it when the process ends. */
export function scratchFolder(name: string): string {
  const path = mkdtempSync(join(tmpdir(), `dbsync-${name}-`));
  process.once("exit", () => rmSync(path, { recursive: true, force: true }));
  return path;
}
