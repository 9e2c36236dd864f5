/** Free and total bytes of a folder's file system, as of the last check: a disk that hangs gets one request, and holds up nothing. */
import { statfs } from "node:fs/promises";

export interface DiskBytes {
  readonly free: number;
  readonly size: number;
}

export class DiskSpace {
  readonly #folder: string | null;
  /** The result of the last check; null: not known. */
  last: DiskBytes | null = null;
  /** Each request holds a thread until the disk answers. */
  #isAsked = false;

  /** @param folder  null: there is none */
  constructor(folder: string | null) {
    this.#folder = folder;
  }

  /** Returns what the last check found, and starts the next one; null: not known. */
  check(): DiskBytes | null {
    if (this.#folder !== null && !this.#isAsked) void this.#ask(this.#folder);
    return this.last;
  }

  /** Returns whether fewer bytes are known to be free. */
  isBelow(bytes: number): boolean {
    return this.last !== null && this.last.free < bytes;
  }

  async #ask(folder: string): Promise<void> {
    this.#isAsked = true;
    try {
      const { bavail, blocks, bsize } = await statfs(folder);
      this.last = { free: bavail * bsize, size: blocks * bsize };
    } catch {
      this.last = null;
    } finally {
      this.#isAsked = false;
    }
  }
}
