/** Temporary folders of tests. */
import type { KeyObject } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Creates a temporary folder that all tests of a process may use. It is removed when the process ends. */
export function scratchFolder(name: string): string {
  const path = mkdtempSync(join(tmpdir(), `dbsync-${name}-`));
  process.once("exit", () => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A temporary folder of one test. */
export class ScratchFolder implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), "dbsync-scratch-"));

  /** Writes a file. @returns its path */
  file(name: string, content: string | Buffer, mode = 0o600): string {
    const path = join(this.path, name);
    writeFileSync(path, content, { mode });
    return path;
  }

  /** Writes the private key of a pair. @returns the path of the file */
  privateKey(pair: { readonly privateKey: KeyObject }, name = "private.pem"): string {
    return this.file(name, pair.privateKey.export({ type: "pkcs8", format: "pem" }));
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
