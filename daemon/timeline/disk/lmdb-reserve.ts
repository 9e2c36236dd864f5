/**
 * The reserve of LMDB's file: bytes after its last page, which LMDB replaces as the file grows. LMDB must never find the
 * disk full: it formats the error of a failed write into a buffer that can be too short, and then the whole process
 * ends. The reserve is therefore written before each commit, by Node, which reports the system's error: of a full disk,
 * a quota, a limit of the file's size, or a disk that became read-only.
 */
import { randomBytes } from "node:crypto";
import { closeSync, fstatSync, ftruncateSync, openSync, statfsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { writeInThread, writeNow } from "./complete-writes.js";

/** Bytes by which the reserve grows beyond what the next commit may need, so that it grows less often. */
const STEP_BYTES = 256 * 1024;
/** Bytes at the end of the reserve that are written again if it is long enough. */
const PROBE_BYTES = 4096;
/** Bytes that are passed to the system in one call. */
const CHUNK_BYTES = 1024 * 1024;

/** Random bytes: a file system that compresses files would store zeros without reserving space. */
const FILLER = randomBytes(CHUNK_BYTES);

/** The range that is written before a commit, as offsets in the file. */
interface Range {
  readonly from: number;
  readonly to: number;
}

export class LmdbReserve {
  readonly #path: string;
  readonly #descriptor: number;

  /** @param path  LMDB's file, which exists */
  constructor(path: string) {
    this.#path = path;
    this.#descriptor = openSync(path, "r+");
  }

  /**
   * Reserves the bytes of the next commit.
   * @param used  the end of LMDB's last page in the file
   * @param bytes  the maximum bytes that the commit writes
   * @throws Error  the system's error; nothing was reserved
   */
  async reserve(used: number, bytes: number): Promise<void> {
    const { from, to } = this.#missing(used, bytes, freeIn(await statfs(this.#path)));
    const { size } = fstatSync(this.#descriptor);
    try {
      for (let at = from; at < to; at += CHUNK_BYTES)
        await writeInThread(this.#descriptor, FILLER.subarray(0, to - at), at);
    } catch (problem) {
      this.#truncate(size);
      throw problem;
    }
  }

  /** Reserves like `reserve`, without another thread. */
  reserveNow(used: number, bytes: number): void {
    const { from, to } = this.#missing(used, bytes, freeIn(statfsSync(this.#path)));
    const { size } = fstatSync(this.#descriptor);
    try {
      for (let at = from; at < to; at += CHUNK_BYTES)
        writeNow(this.#descriptor, FILLER.subarray(0, to - at), at);
    } catch (problem) {
      this.#truncate(size);
      throw problem;
    }
  }

  /** Removes the reserve, and closes the file, which LMDB has closed. @param used  the end of LMDB's last page */
  close(used: number): void {
    if (fstatSync(this.#descriptor).size > used) this.#truncate(used);
    closeSync(this.#descriptor);
  }

  /** @param free  the file system's free bytes */
  #missing(used: number, bytes: number, free: number): Range {
    const { size } = fstatSync(this.#descriptor);
    const needed = used + bytes;
    const to = size < needed ? needed + STEP_BYTES : size;
    // A file system that copies on write also needs free space to replace bytes. If little is free, write the reserve
    // again: then either the file system replaces bytes in place, or there was enough space.
    if (free < bytes) return { from: Math.min(used, size), to };
    return { from: size < needed ? size : to - PROBE_BYTES, to };
  }

  /** Shortens the file, so that other files can use the space of an incomplete reserve, or of one no longer needed. */
  #truncate(size: number): void {
    try {
      ftruncateSync(this.#descriptor, size);
    } catch {
      // The disk may accept no change at all. The reserve is then longer than necessary.
    }
  }
}

/** Returns the free bytes. File systems without a size, such as a tmpfs without a limit, report no blocks. */
function freeIn({ bavail, blocks, bsize }: { bavail: number; blocks: number; bsize: number }): number {
  return blocks === 0 ? Number.POSITIVE_INFINITY : bavail * bsize;
}
