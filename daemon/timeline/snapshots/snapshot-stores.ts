/**
 * Stores snapshots, as files in a folder or in memory. Each file is complete or absent: it is written under another
 * name, synced, and then renamed.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  fsync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statfsSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import { syncFolder } from "../entries/sync-folder.js";
import { SEAL_BYTES } from "./snapshot-stream.js";

/**
 * A source of snapshots: a store, or a backup. Each snapshot has the date up to which it contains everything (whole
 * milliseconds).
 */
export interface SnapshotSource {
  /** Dates, ascending. */
  list(): number[];
  /**
   * Returns the bytes of a snapshot, or null if there is none of that date. A caller that starts the iterator must run
   * it to its end or call its `return`.
   */
  read(cutAt: number): Iterable<Buffer> | null;
}

/** A store of snapshots. */
export interface Snapshots extends SnapshotSource {
  /**
   * Writes a snapshot, which replaces a snapshot of the same date. Returns when the snapshot is on disk. If `chunks`
   * throws, no part of the snapshot remains on disk.
   */
  write(cutAt: number, chunks: Iterable<Buffer>): void;
  /** Removes a snapshot, if there is one of that date. */
  remove(cutAt: number): void;
}

/** The identity of a snapshot: its length and last bytes. */
export interface SnapshotSeal {
  /** The snapshot's length. */
  readonly bytes: number;
  /** The snapshot's last 32 bytes, which depend on all bytes before them: the seal of its last frame. */
  readonly seal: ByteString;
}

/** The store of a daemon's own snapshots, and of the snapshots that members send. */
export interface SnapshotStore extends Snapshots {
  /** Returns the seal of a snapshot, or null if there is none of that date. */
  sealOf(cutAt: number): SnapshotSeal | null;
  /** Begins a snapshot that arrives piece by piece. Only one snapshot can arrive at a time. */
  stage(cutAt: number): StagedSnapshot;
}

/** A snapshot that is arriving and not yet complete. */
export interface StagedSnapshot {
  readonly cutAt: number;
  /** The number of bytes that the staged snapshot may use now without taking space that other data need. */
  readonly room: number;
  /** Writes a chunk, which is copied or written before the call returns. */
  write(chunk: Buffer): void;
  /** Returns the bytes written so far. */
  read(): Iterable<Buffer>;
  /** The seal of the bytes written so far. */
  readonly seal: SnapshotSeal;
  /**
   * Turns the staged bytes into a snapshot, which replaces a snapshot of the same date. The replaced snapshot is
   * retained, and the next start restores it unless `settle` was called. Resolves when it is on disk.
   */
  commit(): Promise<void>;
  /** Confirms the snapshot; called once the other data on the disk match it. */
  settle(): void;
  /** Restores the previous state; does nothing after `settle`. */
  discard(): void;
}

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;
const CHUNK_BYTES = 262_144;
/** Digits of a date, so that names sort by date. */
const DATE_DIGITS = 16;
const NAME = /^(\d{16})\.snapshot$/;
const STAGED = /^\d{16}\.snapshot\.\d+\.tmp$/;
/** Suffix of the file of a snapshot that a staged snapshot has replaced, until the staged snapshot is settled. */
const REPLACED = ".replaced";
/** The share of the free space that a staged snapshot may use: a daemon without free space accepts no writes. */
export const SHARE_OF_FREE = 0.5;
const REPLACED_NAME = /^\d{16}\.snapshot\.replaced$/;

/** The snapshots in a folder. */
export class SnapshotFiles implements SnapshotStore {
  readonly #folder: string;

  /**
   * @param folder  created if it does not exist. A file that a crash left half written is removed, and a snapshot
   * that was half replaced is restored
   * @param options.sweeps  false if nothing in the folder may be changed; the folder must then exist
   */
  constructor(folder: string, { sweeps = true }: { readonly sweeps?: boolean } = {}) {
    this.#folder = folder;
    if (!sweeps) return;
    mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
    for (const name of readdirSync(folder))
      if (STAGED.test(name)) rmSync(join(folder, name), { force: true });
      else if (REPLACED_NAME.test(name)) {
        renameSync(join(folder, name), join(folder, name.slice(0, -REPLACED.length)));
        syncFolder(folder);
      }
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
    syncFolder(this.#folder);
  }

  remove(cutAt: number): void {
    rmSync(this.#path(cutAt), { force: true });
  }

  sealOf(cutAt: number): SnapshotSeal | null {
    const path = this.#path(cutAt);
    return existsSync(path) ? sealOfFile(path) : null;
  }

  stage(cutAt: number): StagedSnapshot {
    const path = this.#path(cutAt);
    return new StagedFile(cutAt, path);
  }

  #path(cutAt: number): string {
    return join(this.#folder, `${String(cutAt).padStart(DATE_DIGITS, "0")}.snapshot`);
  }
}

class StagedFile implements StagedSnapshot {
  readonly cutAt: number;
  readonly #paths: { readonly path: string; readonly staged: string; readonly replaced: string };
  #descriptor: number | null;
  #isSettled = false;

  /** @param path  the complete snapshot's path; until then the snapshot is in a temporary file next to this path */
  constructor(cutAt: number, path: string) {
    this.cutAt = cutAt;
    this.#paths = { path, staged: `${path}.0.tmp`, replaced: path + REPLACED };
    this.#descriptor = openSync(this.#paths.staged, "w", FILE_MODE);
  }

  get room(): number {
    return SHARE_OF_FREE * freeBytesOf(dirname(this.#paths.staged));
  }

  write(chunk: Buffer): void {
    writeAll(this.#descriptor as number, chunk);
  }

  read(): Iterable<Buffer> {
    return chunksOf(this.#paths.staged);
  }

  get seal(): SnapshotSeal {
    return sealOfFile(this.#paths.staged);
  }

  async commit(): Promise<void> {
    await promisify(fsync)(this.#descriptor as number);
    this.#close();
    const { path, staged, replaced } = this.#paths;
    if (existsSync(path)) {
      renameSync(path, replaced);
      syncFolder(dirname(path));
    }
    renameSync(staged, path);
    syncFolder(dirname(path));
  }

  settle(): void {
    this.#isSettled = true;
    const { path, replaced } = this.#paths;
    if (!existsSync(replaced)) return;
    rmSync(replaced);
    syncFolder(dirname(path));
  }

  discard(): void {
    this.#close();
    const { path, staged, replaced } = this.#paths;
    rmSync(staged, { force: true });
    if (this.#isSettled || !existsSync(replaced)) return;
    renameSync(replaced, path);
    syncFolder(dirname(path));
  }

  #close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
  }
}

/** Returns the free bytes of the disk that a folder is on. */
export function freeBytesOf(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

function writeFile(path: string, chunks: Iterable<Buffer>): void {
  const descriptor = openSync(path, "w", FILE_MODE);
  try {
    for (const chunk of chunks) writeAll(descriptor, chunk);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function writeAll(descriptor: number, chunk: Buffer): void {
  for (let written = 0; written < chunk.length; ) written += writeSync(descriptor, chunk, written);
}

function sealOfFile(path: string): SnapshotSeal {
  const descriptor = openSync(path, "r");
  try {
    const bytes = fstatSync(descriptor).size;
    const end = Buffer.alloc(Math.min(bytes, SEAL_BYTES));
    readSync(descriptor, end, 0, end.length, bytes - end.length);
    return { bytes, seal: bytesOf(end) };
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

/**
 * Snapshots of a timeline in memory. Once its oldest entries have been removed, the timeline begins with a snapshot.
 */
export class MemorySnapshots implements SnapshotStore {
  readonly #byDate = new Map<number, readonly Buffer[]>();
  readonly #room: () => number;

  /** @param room  returns how many bytes a staged snapshot may use now */
  constructor(room: () => number = () => Number.POSITIVE_INFINITY) {
    this.#room = room;
  }

  list(): number[] {
    return [...this.#byDate.keys()].sort((a, b) => a - b);
  }

  read(cutAt: number): Iterable<Buffer> | null {
    return this.#byDate.get(cutAt) ?? null;
  }

  write(cutAt: number, chunks: Iterable<Buffer>): void {
    this.#byDate.set(cutAt, [...chunks]);
  }

  remove(cutAt: number): void {
    this.#byDate.delete(cutAt);
  }

  sealOf(cutAt: number): SnapshotSeal | null {
    const chunks = this.#byDate.get(cutAt);
    return chunks === undefined ? null : sealOfChunks(chunks);
  }

  stage(cutAt: number): StagedSnapshot {
    const chunks: Buffer[] = [];
    const room = this.#room;
    return {
      cutAt,
      get room() {
        return room();
      },
      write: (chunk) => void chunks.push(Buffer.from(chunk)),
      read: () => chunks,
      get seal() {
        return sealOfChunks(chunks);
      },
      commit: async () => {
        this.write(cutAt, chunks);
      },
      // A crash loses the memory completely, so there is nothing to settle.
      settle: () => {},
      discard: () => {},
    };
  }
}

function sealOfChunks(chunks: readonly Buffer[]): SnapshotSeal {
  const bytes = chunks.reduce((sum, { length }) => sum + length, 0);
  let end: Buffer = Buffer.alloc(0);
  for (let i = chunks.length - 1; i >= 0 && end.length < SEAL_BYTES; i--)
    end = Buffer.concat([chunks[i] as Buffer, end]);
  return { bytes, seal: bytesOf(end.subarray(-SEAL_BYTES)) };
}
