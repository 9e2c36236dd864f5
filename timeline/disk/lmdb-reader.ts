/**
 * Reads a timeline that is on disk: the code that the daemon's own storage and the worker that makes snapshots share.
 * Needs the package lmdb: load this module only on use.
 */
import { join } from "node:path";
import { type Database, open } from "lmdb";
import type { LogMark } from "../entries/operation.js";
import type { EntrySource } from "../entries/storage.js";
import { keyAfter } from "./lmdb-file.js";
import { LOG_KEY, readLogMark } from "./log-mark.js";

/** Entries read in one go, so that no reader of LMDB stays open between turns of the event loop. */
const SLICE_MIN = 64;
const SLICE_MAX = 1024;
/** Bytes of values after which no further one is read in the same go: one can be as long as an envelope may be. */
export const SLICE_BYTES = 1024 * 1024;

/**
 * Options by which keys and values are stored without conversion. Values that are read are copied into pooled memory:
 * lmdb's default gives each a block of the system, which costs more than reading it.
 */
export const BINARY = {
  encoding: "binary",
  encoder: {
    encode: (value: Buffer): Buffer => value,
    // `length` says which part of lmdb's buffer is the value, and only a subarray has the right length.
    decode: (bytes: Buffer): Buffer => Buffer.from(bytes.subarray(0, bytes.length)),
  },
  keyEncoding: "binary",
  cache: false,
  compression: false,
} as const;

/** Below the data folder. */
export const timelineFolder = (data: string): string => join(data, "timeline");

/** Everything that LMDB had in a range of places at one moment. */
export interface Slice<T> {
  /** The first place of the stretch; null: from the beginning. */
  readonly from: Buffer | null;
  /** The first place after the range; null: no end. */
  readonly to: Buffer | null;
  readonly items: readonly T[];
}

export interface StoredEntry {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** Yields the places of a range. Between two slices entries may be added and removed. */
export function placeSlices(
  entries: Database<Buffer, Buffer>,
  from: Buffer | null,
  to: Buffer | null,
): Generator<Slice<Buffer>> {
  const read = (start: Buffer | null, limit: number) => {
    const items = [...entries.getKeys(range(start, to, limit))];
    return { items, isLast: items.length < limit };
  };
  return slices(from, to, read, (place) => place);
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
  placeOf: (item: T) => Buffer,
): Generator<Slice<T>> {
  for (let start = from, limit = SLICE_MIN; ; limit = Math.min(limit * 2, SLICE_MAX)) {
    const { items, isLast } = read(start, limit);
    const last = items.at(-1);
    if (last === undefined || isLast) {
      yield { from: start, to, items };
      return;
    }
    const next = keyAfter(placeOf(last));
    yield { from: start, to: next, items };
    start = next;
  }
}

/** null: there was no log yet. */
export function logMarkIn(marks: Database<Buffer, Buffer>): LogMark | null {
  const bytes = marks.get(LOG_KEY);
  return bytes === undefined ? null : readLogMark(bytes);
}

export interface Reader extends EntrySource {
  /** The log's position up to which its groups are among the entries. */
  readonly logMark: LogMark | null;
  close(): Promise<void>;
}

/**
 * Opens a folder that a daemon of this process has open, for another thread. Groups that are only in the log are not
 * visible.
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
