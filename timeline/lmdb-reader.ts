/**
 * Reading a timeline that is on disk: what the daemon's own storage and the worker that makes snapshots have in common.
 * Needs the package lmdb: load this module only on use.
 */
import { join } from "node:path";
import { type Database, open } from "lmdb";
import { PLACE_BYTES } from "./entry.js";
import type { Storage } from "./storage.js";

/** Entries read in one go, so that no reader of LMDB stays open between turns of the event loop. */
const SLICE_MIN = 64;
const SLICE_MAX = 1024;
/** Bytes of values after which no further one is read in the same go: one can be as long as an envelope may be. */
export const SLICE_BYTES = 1024 * 1024;

/**
 * How keys and values are stored: as they are. Values that are read are copied into pooled memory: lmdb's own way gives each
 * a block of the system, which costs more than reading it.
 */
export const BINARY = {
  encoding: "binary",
  encoder: {
    encode: (value: Buffer): Buffer => value,
    // Its `length` says how much of lmdb's buffer is meant, and only what is cut off knows.
    decode: (bytes: Buffer): Buffer => Buffer.from(bytes.subarray(0, bytes.length)),
  },
  keyEncoding: "binary",
  cache: false,
  compression: false,
} as const;

/** Below the data folder. */
export const timelineFolder = (data: string): string => join(data, "timeline");

export function* placesOf(
  entries: Database<Buffer, Buffer>,
  from: Buffer | null,
  to: Buffer | null,
): Generator<Buffer> {
  for (let start = from, limit = SLICE_MIN; ; limit = Math.min(limit * 2, SLICE_MAX)) {
    const slice = [...entries.getKeys(range(start, to, limit))];
    yield* slice;
    if (slice.length < limit) return;
    start = after(slice.at(-1) as Buffer);
  }
}

export function* entriesOf(
  entries: Database<Buffer, Buffer>,
  from: Buffer | null,
  to: Buffer | null,
): Generator<readonly [place: Buffer, value: Buffer]> {
  for (let start = from, limit = SLICE_MIN; ; limit = Math.min(limit * 2, SLICE_MAX)) {
    const slice: { readonly key: Buffer; readonly value: Buffer }[] = [];
    let bytes = 0;
    for (const entry of entries.getRange(range(start, to, limit))) {
      slice.push(entry);
      bytes += entry.value.length;
      if (bytes >= SLICE_BYTES) break;
    }
    for (const { key, value } of slice) yield [key, value];
    const last = slice.at(-1);
    if (last === undefined || (slice.length < limit && bytes < SLICE_BYTES)) return;
    start = after(last.key);
  }
}

/** A folder that a daemon of this process has open: another thread looks in. */
export function openReader(data: string): Pick<Storage, "entries" | "close"> {
  const root = open<Buffer, Buffer>({
    ...{ path: timelineFolder(data), noSubdir: false, readOnly: true, maxDbs: 4 },
    ...BINARY,
  });
  const entries = root.openDB("entries", BINARY);
  return { entries: (from, to) => entriesOf(entries, from, to), close: () => root.close() };
}

function range(start: Buffer | null, end: Buffer | null, limit: number) {
  return { limit, ...(start === null ? {} : { start }), ...(end === null ? {} : { end }) };
}

/** The next key there can be. */
function after(place: Buffer): Buffer {
  const next = Buffer.alloc(PLACE_BYTES + 1);
  next.set(place);
  return next;
}
