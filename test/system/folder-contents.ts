/** Reads the data folder of a daemon from another process, and damages it like a faulty disk. */
import { closeSync, existsSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { hashOf } from "../../daemon/engine/trust/identity.js";
import { openReader, type Reader, timelineFolder } from "../../daemon/timeline/disk/lmdb-reader.js";
import { readLog } from "../../daemon/timeline/disk/write-ahead-log.js";
import {
  type Entry,
  firstOrderKeyBytes,
  orderKeyOf,
  readOrderKey,
  writeOrderKey,
} from "../../daemon/timeline/entries/entry.js";
import { readEntry } from "../../daemon/timeline/entries/stored-value.js";

/** The entries by order key, as text. The value of a damaged entry is null. */
export type Contents = ReadonlyMap<string, Entry | null>;

/** Reads a folder, even of a running daemon. @param since  the earliest date to include */
export async function readFolder(data: string, since = 0): Promise<Contents> {
  const contents = new Map<string, Entry | null>();
  if (!existsSync(fileOf(data))) return contents;
  const first = firstOrderKeyBytes(since);
  const keep = (bytes: Buffer, value: Buffer) =>
    contents.set(bytes.toString("hex"), readEntry(readOrderKey(bytes), value, hashOf));
  const reader = openReader(data);
  try {
    // The log is read first. An entry that the daemon moves out of the log in the meantime is then found in LMDB.
    for (const [orderKey, value] of inLog(data, reader))
      if (orderKey.compare(first) >= 0) keep(orderKey, value);
    for (const [orderKey, value] of reader.entries(first, null)) keep(orderKey, value);
  } finally {
    await reader.close();
  }
  return new Map([...contents].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function* inLog(data: string, { logMark }: Reader): Generator<readonly [orderKey: Buffer, value: Buffer]> {
  if (logMark === null) return;
  for (const { operations } of readLog(timelineFolder(data), logMark).groups)
    for (const operation of operations)
      if (operation.kind === "put") yield [operation.orderKey, operation.value];
}

/**
 * Flips a bit in the body of an entry of a stopped daemon, in all copies in LMDB's file.
 * @param entries  the candidates. The first candidate that is found is damaged. Entries in the log are skipped: the
 * daemon
 *   would restore them from the log
 * @returns whether an entry was damaged
 */
export async function damage(data: string, entries: Iterable<Entry>): Promise<boolean> {
  const file = fileOf(data);
  const isMoved = await movedIn(data);
  const bytes = readFileSync(file);
  for (const entry of entries) {
    const { body } = entry;
    if (!isMoved(entry) || !bytes.includes(body)) continue;
    const descriptor = openSync(file, "r+");
    try {
      for (let start = bytes.indexOf(body); start >= 0; start = bytes.indexOf(body, start + 1)) {
        const offset = start + Math.floor(body.length / 2);
        writeSync(descriptor, Buffer.from([(bytes[offset] as number) ^ 1]), 0, 1, offset);
      }
    } finally {
      closeSync(descriptor);
    }
    return true;
  }
  return false;
}

/** Returns a function that tests whether an entry is in LMDB's tree and not in the log. */
async function movedIn(data: string): Promise<(entry: Entry) => boolean> {
  const reader = openReader(data);
  try {
    const logged = new Set([...inLog(data, reader)].map(([orderKey]) => orderKey.toString("hex")));
    const moved = new Set([...reader.entries(null, null)].map(([orderKey]) => orderKey.toString("hex")));
    return (entry) => {
      const orderKey = writeOrderKey(orderKeyOf(entry)).toString("hex");
      return moved.has(orderKey) && !logged.has(orderKey);
    };
  } finally {
    await reader.close();
  }
}

const fileOf = (data: string): string => join(timelineFolder(data), "data.mdb");
