/** Snapshots as files of a folder, each there whole or not at all: written under another name, synced, then renamed. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

/** Where snapshots are kept, each under the date up to which it holds everything (whole milliseconds). */
export interface Snapshots {
  /** Dates, rising. */
  list(): number[];
  /** null: there is none of that date. Whoever begins the iterator runs it to its end or returns it. */
  read(cutAt: number): Iterable<Buffer> | null;
  /** Returns when it is on disk, in place of one of the same date; what `chunks` throws leaves nothing. */
  write(cutAt: number, chunks: Iterable<Buffer>): void;
  /** Harmless if there is none. */
  remove(cutAt: number): void;
}

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;
const CHUNK_BYTES = 262_144;
/** Digits of a date, so that names sort as dates do. */
const DATE_DIGITS = 16;
const NAME = /^(\d{16})\.snapshot$/;
const STAGED = /^\d{16}\.snapshot\.\d+\.tmp$/;

export class SnapshotFiles implements Snapshots {
  readonly #folder: string;

  /** @param folder  made if it is not there; what a crash left half written is removed */
  constructor(folder: string, { sweeps = true }: { readonly sweeps?: boolean } = {}) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
    if (!sweeps) return;
    for (const name of readdirSync(folder))
      if (STAGED.test(name)) rmSync(join(folder, name), { force: true });
  }

  list(): number[] {
    return readdirSync(this.#folder)
      .flatMap((name) => {
        const found = NAME.exec(name);
        return found === null ? [] : [Number(found[1])];
      })
      .sort((a, b) => a - b);
  }

  read(cutAt: number): Iterable<Buffer> | null {
    const path = this.#path(cutAt);
    return existsSync(path) ? chunksOf(path) : null;
  }

  write(cutAt: number, chunks: Iterable<Buffer>): void {
    const path = this.#path(cutAt);
    const staged = `${path}.${process.pid}.tmp`;
    try {
      writeFile(staged, chunks);
      renameSync(staged, path);
    } catch (problem) {
      rmSync(staged, { force: true });
      throw problem;
    }
    this.#sync();
  }

  remove(cutAt: number): void {
    rmSync(this.#path(cutAt), { force: true });
  }

  /** The name is on disk only when the folder is. */
  #sync(): void {
    const descriptor = openSync(this.#folder, "r");
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }

  #path(cutAt: number): string {
    return join(this.#folder, `${String(cutAt).padStart(DATE_DIGITS, "0")}.snapshot`);
  }
}

function writeFile(path: string, chunks: Iterable<Buffer>): void {
  const descriptor = openSync(path, "w", FILE_MODE);
  try {
    for (const chunk of chunks) {
      for (let written = 0; written < chunk.length; ) written += writeSync(descriptor, chunk, written);
    }
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function* chunksOf(path: string): Generator<Buffer> {
  const descriptor = openSync(path, "r");
  try {
    for (;;) {
      const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
      const length = readSync(descriptor, chunk, 0, CHUNK_BYTES, null);
      if (length === 0) return;
      yield chunk.subarray(0, length);
    }
  } finally {
    closeSync(descriptor);
  }
}
