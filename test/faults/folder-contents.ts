/** The data folder of a daemon, looked into from outside: what it holds, and how to damage it as a bad disk would. */
import { closeSync, existsSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { hashOf } from "../../daemon/identity.js";
import { type Entry, firstPlaceAt, readPlace } from "../../timeline/entry.js";
import { openReader, timelineFolder } from "../../timeline/lmdb-reader.js";
import { readEntry } from "../../timeline/stored-value.js";

/** By their places as text. null: damaged. */
export type Contents = ReadonlyMap<string, Entry | null>;

/** @param since  only what is dated from then on. The daemon may run. */
export async function readFolder(data: string, since = 0): Promise<Contents> {
  const contents = new Map<string, Entry | null>();
  if (!existsSync(fileOf(data))) return contents;
  const reader = openReader(data);
  try {
    for (const [bytes, value] of reader.entries(firstPlaceAt(since), null)) {
      contents.set(bytes.toString("hex"), readEntry(readPlace(bytes), value, hashOf));
    }
  } finally {
    await reader.close();
  }
  return contents;
}

/**
 * Flips a bit of an entry's body in the file of a daemon that does not run, in all copies that the file has.
 * @returns how many there were
 */
export function damage(data: string, { body }: Entry): number {
  const file = fileOf(data);
  const bytes = readFileSync(file);
  const descriptor = openSync(file, "r+");
  let copies = 0;
  try {
    for (let place = bytes.indexOf(body); place >= 0; place = bytes.indexOf(body, place + 1)) {
      const offset = place + Math.floor(body.length / 2);
      writeSync(descriptor, Buffer.from([(bytes[offset] as number) ^ 1]), 0, 1, offset);
      copies++;
    }
  } finally {
    closeSync(descriptor);
  }
  return copies;
}

const fileOf = (data: string): string => join(timelineFolder(data), "data.mdb");
