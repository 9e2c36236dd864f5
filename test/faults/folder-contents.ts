/** The data folder of a daemon, looked into from outside: what it holds, and how to damage it as a bad disk would. */
import { closeSync, existsSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { hashOf } from "../../daemon/identity.js";
import { type Entry, firstPlaceAt, readPlace } from "../../timeline/entry.js";
import { openReader, type Reader, timelineFolder } from "../../timeline/lmdb-reader.js";
import { readEntry } from "../../timeline/stored-value.js";
import { readLog } from "../../timeline/write-ahead-log.js";

/** By their places as text. null: damaged. */
export type Contents = ReadonlyMap<string, Entry | null>;

/** @param since  only what is dated from then on. The daemon may run. */
export async function readFolder(data: string, since = 0): Promise<Contents> {
  const contents = new Map<string, Entry | null>();
  if (!existsSync(fileOf(data))) return contents;
  const first = firstPlaceAt(since);
  const keep = (bytes: Buffer, value: Buffer) =>
    contents.set(bytes.toString("hex"), readEntry(readPlace(bytes), value, hashOf));
  const reader = openReader(data);
  try {
    // The log first: what leaves it meanwhile is among the entries by then.
    for (const [place, value] of inLog(data, reader)) if (place.compare(first) >= 0) keep(place, value);
    for (const [place, value] of reader.entries(first, null)) keep(place, value);
  } finally {
    await reader.close();
  }
  return new Map([...contents].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function* inLog(data: string, { logMark }: Reader): Generator<readonly [place: Buffer, value: Buffer]> {
  if (logMark === null) return;
  for (const { operations } of readLog(timelineFolder(data), logMark).groups)
    for (const operation of operations)
      if (operation.kind === "put") yield [operation.place, operation.value];
}

/**
 * Flips a bit of an entry's body in LMDB's file of a daemon that does not run, in all copies that the file has.
 * @param entries  the first of them that is there; those that are in the log alone are not
 * @returns whether there was one
 */
export function damage(data: string, entries: Iterable<Entry>): boolean {
  const file = fileOf(data);
  const bytes = readFileSync(file);
  for (const { body } of entries) {
    if (!bytes.includes(body)) continue;
    const descriptor = openSync(file, "r+");
    try {
      for (let place = bytes.indexOf(body); place >= 0; place = bytes.indexOf(body, place + 1)) {
        const offset = place + Math.floor(body.length / 2);
        writeSync(descriptor, Buffer.from([(bytes[offset] as number) ^ 1]), 0, 1, offset);
      }
    } finally {
      closeSync(descriptor);
    }
    return true;
  }
  return false;
}

const fileOf = (data: string): string => join(timelineFolder(data), "data.mdb");
