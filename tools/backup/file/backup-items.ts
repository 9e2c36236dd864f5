/**
 * The contents of a backup's frames: entries with their order keys, parts of snapshots, and, in the last frame, the
 * data that describe the complete file.
 */
import { ORDER_KEY_BYTES } from "../../../daemon/timeline/entries/entry.js";
import type { MarkName } from "../../../daemon/timeline/entries/storage.js";

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

const LENGTH_BYTES = 4;
const DATE_BYTES = 8;

/** Gathers entries for a frame. */
export class EntryItems {
  #parts: Buffer[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** Adds an entry by copying both buffers. */
  add(orderKey: Buffer, value: Buffer): void {
    const item = Buffer.allocUnsafe(ORDER_KEY_BYTES + LENGTH_BYTES + value.length);
    item.set(orderKey);
    item.writeUInt32BE(value.length, ORDER_KEY_BYTES);
    item.set(value, ORDER_KEY_BYTES + LENGTH_BYTES);
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
    const start = at + ORDER_KEY_BYTES + LENGTH_BYTES;
    const end = start + items.readUInt32BE(at + ORDER_KEY_BYTES);
    if (end > items.length) throw new RangeError("an entry is longer than its frame");
    yield [items.subarray(at, at + ORDER_KEY_BYTES), items.subarray(start, end)];
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
