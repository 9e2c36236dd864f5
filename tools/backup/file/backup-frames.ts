/**
 * The bytes of a backup's file: a head (magic, format), then frames of length (4, big-endian) ‖ kind (1) ‖ items ‖
 * seal (32). A seal is the hash of the previous seal, the kind and the items. Seals locate damage, and reveal frames
 * that were left out, repeated or moved. The number of a kind never changes.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { MarkName } from "../../../daemon/timeline/entries/storage.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { ENTRY_ORDER_KEY_BYTES } from "../../../protocol/version-2/envelope.js";

/** SHA-256, 32 bytes. */
export type Hash = (bytes: Buffer) => ByteString;

export type FrameKind = "entries" | "snapshot" | "late" | "end";

/** Bytes that differ from what was written. `to` is the first intact byte after them, or the file's end. */
export interface DamagedBytes {
  readonly from: number;
  readonly to: number;
  readonly problem: string;
}

export interface Frame {
  readonly kind: FrameKind;
  readonly items: Buffer;
  /** The offset of the length field in the file, in bytes. */
  readonly offset: number;
  readonly bytes: number;
}

/** The error for a file that is not a backup, or has another format. */
export class ForeignBackup extends Error {
  override readonly name = "ForeignBackup";
}

const KINDS: readonly (FrameKind | null)[] = [null, "entries", "snapshot", "late", "end"];
const MAGIC = "dbsync backup\0\0\0";
const FORMAT = 1;
const HEAD = Buffer.concat([Buffer.from(MAGIC, "latin1"), Buffer.of(0, 0, 0, FORMAT)]);
const LENGTH_BYTES = 4;
export const SEAL_BYTES = 32;
/** Maximum bytes of a frame's kind and items. Envelopes are shorter, and each is completely in one frame. */
const FRAME_BYTES_MAX = 1024 * 1024 * 1024;

export class FrameWriter {
  readonly #hash: Hash;
  readonly #write: (bytes: Buffer) => void;
  #seal: Buffer;
  #bytes = HEAD.length;

  /** Writes the head. */
  constructor(hash: Hash, write: (bytes: Buffer) => void) {
    this.#hash = hash;
    this.#write = write;
    this.#seal = sealOf(hash, HEAD);
    write(HEAD);
  }

  /** Bytes written so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The seal of the last frame, which depends on everything that was written. */
  get seal(): Buffer {
    return this.#seal;
  }

  frame(kind: FrameKind, items: Buffer): void {
    const body = Buffer.concat([Buffer.of(KINDS.indexOf(kind)), items]);
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32BE(body.length);
    this.#seal = sealOf(this.#hash, this.#seal, body);
    for (const part of [length, body, this.#seal]) this.#write(part);
    this.#bytes += LENGTH_BYTES + body.length + SEAL_BYTES;
  }
}

/** A file that is read frame by frame, from any offset. */
export class FrameReader {
  readonly #descriptor: number;
  readonly #hash: Hash;
  readonly size: number;

  /** @throws Error  the system's error @throws ForeignBackup */
  constructor(path: string, hash: Hash) {
    this.#descriptor = openSync(path, "r");
    this.#hash = hash;
    const state = fstatSync(this.#descriptor);
    this.size = state.size;

    const head = state.isFile() ? this.#read(0, HEAD.length) : Buffer.alloc(0);
    if (head.equals(HEAD)) return;
    this.close();

    if (!head.subarray(0, MAGIC.length).equals(HEAD.subarray(0, MAGIC.length)))
      throw new ForeignBackup(
        "it is not a backup: its first bytes differ; specify a file that dbsync backup wrote",
      );
    const format = head.length < HEAD.length ? "none" : head.readUInt32BE(MAGIC.length);
    throw new ForeignBackup(
      `it is a backup of format ${format}, and this program reads only ${FORMAT}: use the dbsync that made it`,
    );
  }

  /**
   * Yields all frames in order; a damaged frame is replaced by a description of the damage. After an
   * impossible length the remaining bytes cannot be read.
   */
  *frames(): Generator<Frame | DamagedBytes> {
    let seal: Buffer = sealOf(this.#hash, HEAD);
    for (let offset = HEAD.length; offset < this.size; ) {
      const length = this.#lengthAt(offset);
      const end = offset + LENGTH_BYTES + length + SEAL_BYTES;
      if (length < 1 || length > FRAME_BYTES_MAX || end > this.size) {
        const problem =
          end > this.size && length <= FRAME_BYTES_MAX ? "the file ends early" : "the length is impossible";
        yield { from: offset, to: this.size, problem };
        return;
      }
      const body = this.#read(offset + LENGTH_BYTES, length);
      const found = this.#read(end - SEAL_BYTES, SEAL_BYTES);
      const kind = KINDS[body[0] as number];
      const isIntact = sealOf(this.#hash, seal, body).equals(found) && kind != null;
      if (isIntact) yield { kind, items: body.subarray(1), offset, bytes: end - offset };
      else yield { from: offset, to: end, problem: "the bytes differ from what was written" };
      // Even if this frame is damaged, continue with the seal in the file: the seal of the next frame was computed from
      // it.
      seal = found;
      offset = end;
    }
  }

  /** Returns the items of a frame that has been checked. */
  itemsAt(offset: number): Buffer {
    return this.#read(offset + LENGTH_BYTES + 1, this.#lengthAt(offset) - 1);
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #lengthAt(offset: number): number {
    const bytes = this.#read(offset, LENGTH_BYTES);
    return bytes.length < LENGTH_BYTES ? 0 : bytes.readUInt32BE();
  }

  /** Reads bytes; the result is shorter at the end of the file. */
  #read(offset: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    let read = 0;
    while (read < length) {
      const more = readSync(this.#descriptor, bytes, read, length - read, offset + read);
      if (more === 0) break;
      read += more;
    }
    return bytes.subarray(0, read);
  }
}

export const isDamage = (found: Frame | DamagedBytes): found is DamagedBytes => "problem" in found;

const sealOf = (hash: Hash, ...parts: readonly Buffer[]) => Buffer.from(hash(Buffer.concat(parts)), "latin1");

export type StoredEntry = readonly [orderKey: Buffer, value: Buffer];

/** The contents of the last frame. A backup without this frame was cut off. */
export interface BackupEnd {
  /** The date of the backup, milliseconds since 1970. */
  readonly made: number;
  readonly entries: number;
  /** The date of the last entry, or null if there is none. */
  readonly last: number | null;
  /** The dates of the valid snapshots; other snapshots in the file have to be ignored. */
  readonly snapshots: readonly number[];
  /** The marks of the timeline, in base64. */
  readonly marks: Readonly<Partial<Record<MarkName, string>>>;
  /** Libraries of functions, base64, or null if there were none. */
  readonly functions: string | null;
  /** Whether the daemon was catching up, so that entries may be missing. */
  readonly incomplete: boolean;
}

const DATE_BYTES = 8;

/** The entries for a frame. */
export class EntryItems {
  #parts: Buffer[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** Adds an entry by copying both buffers. */
  add(orderKey: Buffer, value: Buffer): void {
    const item = Buffer.allocUnsafe(ENTRY_ORDER_KEY_BYTES + LENGTH_BYTES + value.length);
    item.set(orderKey);
    item.writeUInt32BE(value.length, ENTRY_ORDER_KEY_BYTES);
    item.set(value, ENTRY_ORDER_KEY_BYTES + LENGTH_BYTES);
    this.#parts.push(item);
    this.#bytes += item.length;
  }

  take(): Buffer {
    const items = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#bytes = 0;
    return items;
  }
}

/** Yields entries as views of `items`. @throws RangeError  the bytes are malformed */
export function* entriesOf(items: Buffer): Generator<StoredEntry> {
  for (let at = 0; at < items.length; ) {
    const start = at + ENTRY_ORDER_KEY_BYTES + LENGTH_BYTES;
    const end = start + items.readUInt32BE(at + ENTRY_ORDER_KEY_BYTES);
    if (end > items.length) throw new RangeError("an entry is longer than its frame");
    yield [items.subarray(at, at + ENTRY_ORDER_KEY_BYTES), items.subarray(start, end)];
    at = end;
  }
}

export function writeSnapshotPiece(date: number, chunk: Buffer): Buffer {
  const head = Buffer.alloc(DATE_BYTES);
  head.writeBigUInt64BE(BigInt(date));
  return Buffer.concat([head, chunk]);
}

export function readSnapshotPiece(items: Buffer): { readonly date: number; readonly chunk: Buffer } {
  return { date: Number(items.readBigUInt64BE()), chunk: items.subarray(DATE_BYTES) };
}

export const writeEnd = (end: BackupEnd): Buffer => Buffer.from(JSON.stringify(end));

/** Reads the contents of the last frame. @throws Error  the bytes are malformed */
export function readEnd(items: Buffer): BackupEnd {
  const end = JSON.parse(items.toString()) as BackupEnd;
  const { made, entries, last, snapshots, marks, functions, incomplete } = end;
  const isValid =
    [made, entries, last ?? 0, ...snapshots].every(Number.isSafeInteger) &&
    Object.values(marks).every((mark) => typeof mark === "string") &&
    (functions === null || typeof functions === "string") &&
    typeof incomplete === "boolean";
  if (!isValid) throw new TypeError("the end of the backup is malformed");
  return end;
}
