import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Creates a temporary folder that all tests of a process may use. It is removed when the process ends. */
export function scratchFolder(name: string): string {
  const path = mkdtempSync(join(tmpdir(), `dbsync-${name}-`));
  process.once("exit", () => rmSync(path, { recursive: true, force: true }));
  return path;
}
