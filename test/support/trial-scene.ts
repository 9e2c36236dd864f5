/** Helpers for the trials: files with keys, sidecars, temporary folders, and time limits. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DaemonProcess, startDaemon } from "./daemon-process.js";
import type { KeyPair } from "./envelope-client.js";

export class Folder implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), "dbsync-trial-"));

  /** Writes a file. @returns its path */
  file(name: string, content: string | Buffer, mode = 0o600): string {
    const path = join(this.path, name);
    writeFileSync(path, content, { mode });
    return path;
  }

  /** Writes the private key of a pair. @returns the path of the file */
  privateKey(pair: Pick<KeyPair, "privateKey">, name = "private.pem"): string {
    return this.file(name, pair.privateKey.export({ type: "pkcs8", format: "pem" }));
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Starts a sidecar. @param servers  the addresses of the daemons as `host:port` */
export async function startSidecar(
  key: string,
  servers: readonly string[],
  args: readonly string[],
): Promise<DaemonProcess> {
  return await startDaemon(["-d", `dbsync:${servers.join(",")}`, "--key", key, ...args]);
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Returns the result of a promise, or null if it has not settled after `ms` milliseconds. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T | null> {
  return await Promise.race([promise, pause(ms).then(() => null)]);
}
