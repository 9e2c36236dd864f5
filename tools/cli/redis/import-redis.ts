/** `dbsync import redis://…`: copies all keys of one database of a Redis to all daemons, as signed commands. */

import { shown } from "../../../daemon/net/terminal/terminal-text.js";
import { type ByteString, textOfBytes } from "../../../protocol/byte-string.js";
import { inParallel } from "../shared/in-parallel.js";
import { printLine } from "../shared/output.js";
import { elapsedText, progressOf, showProgress } from "../shared/progress.js";
import type { SendToAll } from "../shared/send-to-all.js";
import { type CopyOutcome, KeyCopier } from "./key-copier.js";
import { bulksOf, bytesIn, RedisSource } from "./redis-source.js";
import type { RedisAddress } from "./redis-url.js";

/** Silence after which a pending request fails, in milliseconds. */
export const SILENCE_MS = 60_000;
const SCAN_COUNT = "512";
/** Maximum number of keys in flight; all their values are in memory. */
export const KEYS_IN_FLIGHT_MAX = 256;
/** Maximum number of failed keys that an error names. */
const NAMED_MAX = 10;

export interface CopyCounts {
  dumps: number;
  pieces: number;
  absent: number;
  readonly left: string[];
}

/**
 * Copies all keys of a Redis.
 * @param replace  whether to overwrite keys that the daemons already have; keys with other names stay
 * @throws Error  the daemons already have keys; a connection failed; some keys could not be copied, but all other keys
 *   were
 */
export async function importRedis(address: RedisAddress, send: SendToAll, replace = false): Promise<void> {
  if (!replace) await requireEmpty(send, "leaves all other keys unchanged");
  using source = await RedisSource.open(address, SILENCE_MS);
  const started = performance.now();
  const all = Number(bytesIn(await source.query(["DBSIZE"])));
  const copier = await KeyCopier.of(source, send);
  const counts: CopyCounts = { dumps: 0, pieces: 0, absent: 0, left: [] };
  const done = () => counts.dumps + counts.pieces;
  try {
    using _ = showProgress(() => progressOf(done(), all, "keys", started));
    await inParallel(keysOf(source), KEYS_IN_FLIGHT_MAX, async (key) =>
      count(counts, key, await copier.copy(key)),
    );
  } catch (problem) {
    throw new Error(
      `${problem instanceof Error ? problem.message : String(problem)}\n` +
        `The import is incomplete: ${keys(done())} of ${all} were copied. Run it again with --replace, which overwrites existing keys.`,
    );
  }
  printLine(`${keys(done())} in ${elapsedText(started)}`);
  if (counts.pieces > 0)
    printLine(
      `${keys(counts.pieces)} copied by the commands of their types (${shown(copier.refused ?? LONG)})`,
    );
  if (counts.absent > 0) printLine(`${keys(counts.absent)} expired or were deleted during the import`);
  if (counts.left.length > 0)
    throw new Error(`${keys(counts.left.length)} could not be copied:\n${named(counts.left)}`);
}

const LONG = "their values are long";

/**
 * Checks that the database is empty. Otherwise existing keys would be silently mixed with the keys of the Redis.
 * @param rest  the end of the error message: what --replace does to keys that only the daemons have
 * @throws Error  the daemons already have keys
 */
export async function requireEmpty(send: SendToAll, rest: string): Promise<void> {
  const existing = Number(await send(["DBSIZE"]));
  if (existing > 0)
    throw new Error(
      `the daemons already have ${keys(existing)} in that database; --replace overwrites keys of the same name, and ${rest}`,
    );
}

/** Yields the keys of a database. If clients write at the same time, some keys may be yielded twice or not at all. */
export async function* keysOf(source: RedisSource): AsyncGenerator<ByteString> {
  let cursor = "0";
  do {
    const reply = await source.query(["SCAN", cursor, "COUNT", SCAN_COUNT]);
    const [next, found] = reply.kind === "array" ? reply.items : [];
    cursor = next === undefined ? "0" : bytesIn(next);
    yield* bulksOf(found);
  } while (cursor !== "0");
}

export function count(counts: CopyCounts, key: ByteString, copied: CopyOutcome): void {
  if (copied === "dump") counts.dumps++;
  else if (copied === "pieces") counts.pieces++;
  else if (copied === "absent") counts.absent++;
  else if (copied !== "same") counts.left.push(`  ${JSON.stringify(textOfBytes(key))}: ${copied.reason}`);
}

export function named(left: readonly string[]): string {
  const more = left.length > NAMED_MAX ? `\n  and ${left.length - NAMED_MAX} more` : "";
  return left.slice(0, NAMED_MAX).join("\n") + more;
}

export const keys = (count: number) => `${count} ${count === 1 ? "key" : "keys"}`;
