import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Makes a folder that is removed when the process ends, for files that all tests of it may use. */
export function scratchFolder(name: string): string {
  const path = mkdtempSync(join(tmpdir(), `dbsync-${name}-`));
  process.once("exit", () => rmSync(path, { recursive: true, force: true }));
  return path;
}
