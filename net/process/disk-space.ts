/**
 * The free and total bytes of a folder's file system at the last check. While a disk hangs, only one request is
 * pending, and nothing is blocked.
 */
import { statfs } from "node:fs/promises";

export interface DiskBytes {
  readonly free: number;
  readonly size: number;
}

export class DiskSpace {
  readonly #folder: string | null;
  /** The result of the last check; null: not known yet. */
  last: DiskBytes | null = null;
  /** Whether a request is pending. Each one occupies a thread until the disk answers. */
  #isRequested = false;

  /** Creates the check. @param folder  null: there is none */
  constructor(folder: string | null) {
    this.#folder = folder;
  }

  /** Returns the result of the last check, and starts the next one; null if not known. */
  check(): DiskBytes | null {
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
