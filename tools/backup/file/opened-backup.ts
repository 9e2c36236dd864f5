/**
 * Presents a backup file as a timeline with snapshots. The complete file is read and checked once; afterwards parts of
 * it are read on request. Memory holds only an index and the few entries that arrived while the backup was being made.
 */

import { firstOrderKeyBytes } from "../../../daemon/timeline/entries/entry.js";
import type { EntrySource, MarkName, MarkSource } from "../../../daemon/timeline/entries/storage.js";
import type { SnapshotSource } from "../../../daemon/timeline/snapshots/snapshot-stores.js";
import {
  type BackupEnd,
  type DamagedBytes,
  entriesOf,
  type Frame,
  FrameReader,
  type Hash,
  isDamage,
  readEnd,
  readSnapshotPiece,
  type StoredEntry,
} from "./backup-frames.js";

/** The error for a damaged file. No part of such a file may be used. */
export class DamagedBackup extends Error {
  override readonly name = "DamagedBackup";
  readonly damages: readonly DamagedBytes[];

  constructor(damages: readonly DamagedBytes[]) {
    const [first] = damages;
    super(first === undefined ? "it is cut off" : `bytes ${first.from} to ${first.to}: ${first.problem}`);
    this.damages = damages;
  }
}

/** The maximum number of damaged ranges that are reported. */
const DAMAGES_MAX = 100;

interface EntriesFrame {
  readonly first: Buffer;
  readonly offset: number;
}

export class OpenedBackup {
  readonly end: BackupEnd;
  readonly bytes: number;
  readonly #reader: FrameReader;
  /** The frames of entries, in ascending order of their first order keys. */
  readonly #frames: readonly EntriesFrame[];
  /** The late entries, in ascending order. */
  readonly #late: readonly StoredEntry[];
  /** Offsets of each snapshot's pieces. */
  readonly #pieces: ReadonlyMap<number, readonly number[]>;
  #cached: { readonly offset: number; readonly items: Buffer } | null = null;

  /** Reads and checks the file. @throws DamagedBackup @throws ForeignBackup @throws Error  the system's error */
  constructor(path: string, hash: Hash) {
    this.#reader = new FrameReader(path, hash);
    this.bytes = this.#reader.size;
    const frames: EntriesFrame[] = [];
    const late: StoredEntry[] = [];
    const pieces = new Map<number, number[]>();
    const damages: DamagedBytes[] = [];
    let end: BackupEnd | null = null;

    for (const found of this.#reader.frames()) {
      if (isDamage(found)) {
        if (damages.length < DAMAGES_MAX) damages.push(found);
      } else if (end !== null) {
        damages.push({ from: found.offset, to: this.bytes, problem: "these bytes follow the end" });
        break;
      } else {
        try {
          if (found.kind === "end") end = readEnd(found.items);
          else addFrame(found, { frames, late, pieces });
        } catch {
          // The seals are valid, so another program must have written this frame.
          const to = found.offset + found.bytes;
          damages.push({ from: found.offset, to, problem: "these bytes are not part of a backup" });
          break;
        }
      }
    }

    if (end === null && damages.length === 0)
      damages.push({ from: this.bytes, to: this.bytes, problem: "the file ends early" });
    if (end === null || damages.length > 0) {
      this.close();
      throw new DamagedBackup(damages);
    }

    this.end = end;
    this.#frames = frames;
    this.#late = late.sort(([a], [b]) => a.compare(b));
    this.#pieces = pieces;
  }

  mark(name: MarkName): Buffer | null {
    const { [name]: text } = this.end.marks;
    return text === undefined ? null : Buffer.from(text, "base64");
  }

  /** Yields entries in the same way as a storage. */
  *entries(from: Buffer | null, to: Buffer | null): Generator<StoredEntry> {
    let next = from === null ? 0 : this.#late.findIndex(([orderKey]) => orderKey.compare(from) >= 0);
    if (next < 0) next = this.#late.length;
    for (const entry of this.#main(from)) {
      if (to !== null && entry[0].compare(to) >= 0) break;
      for (; next < this.#late.length; next++) {
        const late = this.#late[next] as StoredEntry;
        if (late[0].compare(entry[0]) > 0) break;
        yield late;
      }
      yield entry;
    }
    for (; next < this.#late.length; next++) {
      const late = this.#late[next] as StoredEntry;
      if (to !== null && late[0].compare(to) >= 0) return;
      yield late;
    }
  }

  /** Returns the dates of the snapshots in ascending order. */
  list(): number[] {
    return [...this.end.snapshots].sort((a, b) => a - b);
  }

  read(date: number): Iterable<Buffer> | null {
    const offsets = this.end.snapshots.includes(date) ? this.#pieces.get(date) : undefined;
    return offsets === undefined ? null : this.#chunksAt(offsets);
  }

  close(): void {
    this.#reader.close();
  }

  *#chunksAt(offsets: readonly number[]): Generator<Buffer> {
    for (const offset of offsets) yield readSnapshotPiece(this.#reader.itemsAt(offset)).chunk;
  }

  *#main(from: Buffer | null): Generator<StoredEntry> {
    const frames = this.#frames;
    let low = 0;
    for (let high = frames.length; from !== null && low < high; ) {
      const middle = (low + high) >> 1;
      if ((frames[middle] as EntriesFrame).first.compare(from) <= 0) low = middle + 1;
      else high = middle;
    }
    for (let i = Math.max(0, low - 1); i < frames.length; i++) {
      const { offset } = frames[i] as EntriesFrame;
      if (this.#cached?.offset !== offset) this.#cached = { offset, items: this.#reader.itemsAt(offset) };
      for (const entry of entriesOf(this.#cached.items))
        if (from === null || entry[0].compare(from) >= 0) yield entry;
    }
  }
}

function addFrame(
  { kind, items, offset }: Frame,
  to: { frames: EntriesFrame[]; late: StoredEntry[]; pieces: Map<number, number[]> },
): void {
  if (kind === "entries") {
    const [[first]] = [...entriesOf(items)] as [StoredEntry];
    to.frames.push({ first: Buffer.from(first), offset });
  } else if (kind === "late") for (const entry of entriesOf(items)) to.late.push(entry);
  else {
    const { date } = readSnapshotPiece(items);
    const offsets = to.pieces.get(date) ?? [];
    offsets.push(offset);
    to.pieces.set(date, offsets);
  }
}

/**
 * Returns the contents of a backup at an earlier date: the entries up to that date, and the snapshots that are not
 * later.
 */
export function asOf(view: OpenedBackup, at: number): EntrySource & MarkSource & SnapshotSource {
  const list = () => view.list().filter((date) => date <= at);
  const end = firstOrderKeyBytes(at + 1);
  return {
    mark: (name) => (name === "snapshots" ? Buffer.from(list().join(" ")) : view.mark(name)),
    entries: (from, to) => view.entries(from, to === null || end.compare(to) < 0 ? end : to),
    list,
    read: (date) => (date <= at ? view.read(date) : null),
  };
}
