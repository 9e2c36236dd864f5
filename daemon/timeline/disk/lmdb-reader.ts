/**
 * Reads a timeline on disk: the code that the daemon's own storage and the worker for snapshots share. This module
 * needs the package lmdb, so load it only when it is used.
 */
import { join } from "node:path";
import { type Database, open } from "lmdb";
import type { EntrySource, LogMark } from "../entries/storage.js";
import { readCheckedMark } from "./checked-mark.js";
import { keyAfter } from "./lmdb-file.js";
import { LOG_KEY, readLogMark } from "./log-record.js";

/** Entries that are read in one step, so that no reader of LMDB stays open between turns of the event loop. */
const SLICE_MIN = 64;
const SLICE_MAX = 1024;
/** Bytes of values after which a step reads no further value: one value can be as long as an envelope. */
export const SLICE_BYTES = 1024 * 1024;

/**
 * Options that store keys and values without conversion. Values that are read are copied into pooled memory: lmdb's
 * default allocates a separate block of the system for each, which costs more than reading the value.
 */
export const BINARY = {
  encoding: "binary",
  encoder: {
    encode: (value: Buffer): Buffer => value,
    // `length` is the length of the value within lmdb's buffer, and only a subarray has the right length.
    decode: (bytes: Buffer): Buffer => Buffer.from(bytes.subarray(0, bytes.length)),
  },
  keyEncoding: "binary",
  cache: false,
  compression: false,
} as const;

/** Returns the timeline's folder below the data folder. */
export const timelineFolder = (data: string): string => join(data, "timeline");

/** Everything that LMDB had in a range of order keys at one moment. */
export interface Slice<T> {
  /** The first order key of the range, or null for the beginning. */
  readonly from: Buffer | null;
  /** The first order key after the range, or null for no end. */
  readonly to: Buffer | null;
  readonly items: readonly T[];
}

export interface StoredEntry {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** Yields the order keys of a range. Entries may be added and removed between two slices. */
export function orderKeySlices(
  entries: Database<Buffer, Buffer>,
  from: Buffer | null,
  to: Buffer | null,
): Generator<Slice<Buffer>> {
  const read = (start: Buffer | null, limit: number) => {
    const items = [...entries.getKeys(range(start, to, limit))];
    return { items, isLast: items.length < limit };
  };
  return slices(from, to, read, (orderKey) => orderKey);
}

export function entrySlices(
  entries: Database<Buffer, Buffer>,
  from: Buffer | null,
  to: Buffer | null,
): Generator<Slice<StoredEntry>> {
  const read = (start: Buffer | null, limit: number) => {
    const items: StoredEntry[] = [];
    let bytes = 0;
    for (const entry of entries.getRange(range(start, to, limit))) {
      items.push(entry);
      bytes += entry.value.length;
      if (bytes >= SLICE_BYTES) break;
    }
    return { items, isLast: items.length < limit && bytes < SLICE_BYTES };
  };

  return slices(from, to, read, ({ key }) => key);
}

function* slices<T>(
  from: Buffer | null,
  to: Buffer | null,
  read: (start: Buffer | null, limit: number) => { readonly items: readonly T[]; readonly isLast: boolean },
  orderKeyOf: (item: T) => Buffer,
): Generator<Slice<T>> {
  for (let start = from, limit = SLICE_MIN; ; limit = Math.min(limit * 2, SLICE_MAX)) {
    const { items, isLast } = read(start, limit);
    const last = items.at(-1);
    if (last === undefined || isLast) {
      yield { from: start, to, items };
      return;
    }
    const next = keyAfter(orderKeyOf(last));
    yield { from: start, to: next, items };
    start = next;
  }
}

/** Returns the log's mark, or null if there was no log yet. The marks were checked when the folder was opened. */
export function logMarkIn(marks: Database<Buffer, Buffer>): LogMark | null {
  const value = marks.get(LOG_KEY);
  const bytes = value === undefined ? null : readCheckedMark(LOG_KEY, value);
  return bytes === null ? null : readLogMark(bytes);
}

export interface Reader extends EntrySource {
  /** The position in the log up to which its groups are among the entries. */
  readonly logMark: LogMark | null;
  close(): Promise<void>;
}

/**
 * Opens, in another thread, a folder that the daemon of this process already has open. Groups that are only in the log
 * are not visible.
 */
export function openReader(data: string): Reader {
  const root = open<Buffer, Buffer>({
    path: timelineFolder(data),
    noSubdir: false,
    readOnly: true,
    maxDbs: 4,
    ...BINARY,
  });

  const entries = root.openDB("entries", BINARY);
  const marks = root.openDB("marks", BINARY);

  return {
    get logMark() {
      return logMarkIn(marks);
    },
    *entries(from, to) {
      for (const { items } of entrySlices(entries, from, to))
        for (const { key, value } of items) yield [key, value];
    },
    close: () => root.close(),
  };
}

function range(start: Buffer | null, end: Buffer | null, limit: number) {
  return { limit, ...(start === null ? {} : { start }), ...(end === null ? {} : { end }) };
}
