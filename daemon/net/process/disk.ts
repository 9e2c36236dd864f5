/** The free bytes of a disk, and the syncing of files and folders to it. */

import { closeSync, fsyncSync, openSync } from "node:fs";
import { open, statfs } from "node:fs/promises";

export interface DiskBytes {
  readonly free: number;
  readonly size: number;
}

/**
 * The free and total bytes of a folder's file system at the last check. While a disk hangs, only one request is
 * pending, and nothing is blocked.
 */
export class DiskSpace {
  readonly #folder: string | null;
  /** The result of the last check, or null if it is not known yet. */
  last: DiskBytes | null = null;
  /** Whether a request is pending. Each one occupies a thread until the disk answers. */
  #isRequested = false;

  /** Creates the check. @param folder  the folder, or null if there is none */
  constructor(folder: string | null) {
    this.#folder = folder;
  }

  /** Starts the next check, and returns the result of the last one, or null if it is not known yet. */
  startCheck(): DiskBytes | null {
    if (this.#folder !== null && !this.#isRequested) void this.#request(this.#folder);
    return this.last;
  }

  /** Whether fewer than `bytes` are known to be free. */
  isBelow(bytes: number): boolean {
    return this.last !== null && this.last.free < bytes;
  }

  async #request(folder: string): Promise<void> {
    this.#isRequested = true;
    try {
      const { bavail, blocks, bsize } = await statfs(folder);
      this.last = { free: bavail * bsize, size: blocks * bsize };
    } catch {
      this.last = null;
    } finally {
      this.#isRequested = false;
    }
  }
}

/** Syncs a path to disk: the bytes of a file, or the names in a folder. */
export async function syncPath(path: string): Promise<void> {
  const file = await open(path);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Like `syncPath`, but blocks the event loop. */
export function syncPathNow(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
