/** Reads all keys of one database of a daemon. Each key has its value at the moment when it is read. */
import { DbsyncError } from "../../../client/shared/errors.js";
import type { ReplyValue } from "../../../client/shared/reply-value.js";
import type { BufferQuery } from "../shared/first-answering-daemon.js";

export interface DumpedKey<Value> {
  readonly key: Buffer;
  /** The expiry time in milliseconds since 1970, or null if the key does not expire. */
  readonly expires: number | null;
  readonly value: Value;
}

/** Thrown for a key that cannot be read; the message is the reason, without a full stop. */
export class UnreadableKey extends Error {
  override readonly name = "UnreadableKey";
}

const SCAN_COUNT = "512";
/** Number of keys that are read together; all their values are in memory. */
const CONCURRENT_READS = 64;

/**
 * Yields all keys with their values.
 * @param read  reads a key; returns null if it no longer exists; may throw `UnreadableKey`
 * @param skipped  receives each key that cannot be read, with the reason
 */
export async function* dumpedKeys<Value>(
  query: BufferQuery,
  read: (query: BufferQuery, key: Buffer) => Promise<Value | null>,
  skipped: (key: Buffer, reason: string) => void,
): AsyncGenerator<DumpedKey<Value>> {
  const one = async (key: Buffer): Promise<DumpedKey<Value> | null> => {
    const [expires, value] = await Promise.all([
      query(["PEXPIRETIME", key]),
      read(query, key).catch((problem: unknown) => {
        const isOfKey =
          problem instanceof UnreadableKey || (problem instanceof DbsyncError && problem.code === "reply");
        if (!isOfKey) throw problem;
        skipped(key, problem.message);
        return null;
      }),
    ]);
    return value === null ? null : { key, expires: Number(expires) < 0 ? null : Number(expires), value };
  };
  let cursor: ReplyValue = "0";
  do {
    const [next, found] = (await query(["SCAN", String(cursor), "COUNT", SCAN_COUNT])) as [Buffer, Buffer[]];
    cursor = String(next);
    for (let from = 0; from < found.length; from += CONCURRENT_READS)
      for (const dumped of await Promise.all(found.slice(from, from + CONCURRENT_READS).map(one)))
        if (dumped !== null) yield dumped;
  } while (cursor !== "0");
}
