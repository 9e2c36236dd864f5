/** `dbsync import redis://…`: copies all keys of one database of a Redis to all daemons, as signed commands. */

import { shown } from "../../net/terminal/shown-text.js";
import { type ByteString, textOfBytes } from "../../protocol/byte-string.js";
import { inParallel } from "../shared/in-parallel.js";
import { printLine } from "../shared/output.js";
import { progressOf, showProgress } from "../shared/progress.js";
import type { SendToAll } from "../shared/send-to-all.js";
import { type Copied, KeyCopier } from "./key-copier.js";
import { bulksOf, bytesIn, RedisSource } from "./redis-source.js";
import type { RedisAddress } from "./redis-url.js";

/** Milliseconds of silence after which a pending request fails. */
export const SILENCE_MS = 60_000;
const SCAN_COUNT = "512";
/** Keys in flight at the same time; their values are all in memory. */
export const ON_THE_WAY = 256;
/** Maximum number of keys that could not be copied that are named. */
const NAMED_MAX = 10;

export interface Tally {
  dumps: number;
  pieces: number;
  gone: number;
  readonly left: string[];
}

/**
 * Copies all keys of a Redis.
 * @param replace  whether keys that the daemons have already may be overwritten; keys of other names stay
 * @throws Error  the daemons hold keys already; a connection failed; a key cannot be copied, once all remaining ones are
 */
export async function importRedis(address: RedisAddress, send: SendToAll, replace = false): Promise<void> {
  if (!replace) await requireEmpty(send, "leaves all other keys");
  using source = await RedisSource.open(address, SILENCE_MS);
  const started = performance.now();
  const all = Number(bytesIn(await source.ask(["DBSIZE"])));
  const copier = await KeyCopier.of(source, send);
  const tally: Tally = { dumps: 0, pieces: 0, gone: 0, left: [] };
  const done = () => tally.dumps + tally.pieces;
  try {
    using _ = showProgress(() => progressOf(done(), all, "keys", started));
    await inParallel(keysOf(source), ON_THE_WAY, async (key) => count(tally, key, await copier.copy(key)));
  } catch (problem) {
    throw new Error(
      `${problem instanceof Error ? problem.message : String(problem)}\n` +
        `Not everything was taken over: ${keys(done())} of ${all}. Begin again with --replace, which overwrites what is there.`,
    );
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  printLine(`${keys(done())} in ${seconds} s`);
  if (tally.pieces > 0)
    printLine(`${keys(tally.pieces)} by the commands of their types (${shown(copier.refused ?? LONG)})`);
  if (tally.gone > 0) printLine(`${keys(tally.gone)} had expired or were deleted meanwhile`);
  if (tally.left.length > 0)
    throw new Error(`${keys(tally.left.length)} could not be taken over:\n${named(tally.left)}`);
}

const LONG = "they are long";

/**
 * Otherwise keys that exist only here, or are newer here, would be silently mixed with those of the Redis.
 * @param rest  what --replace does to keys that exist only here
 */
export async function requireEmpty(send: SendToAll, rest: string): Promise<void> {
  const held = Number(await send(["DBSIZE"]));
  if (held > 0)
    throw new Error(
      `the daemons hold ${keys(held)} in that database already; --replace overwrites those of the same name, and ${rest}`,
    );
}

/** Yields the keys of a database. If clients write meanwhile, some keys may be yielded twice, or not at all. */
export async function* keysOf(source: RedisSource): AsyncGenerator<ByteString> {
  let cursor = "0";
  do {
    const reply = await source.ask(["SCAN", cursor, "COUNT", SCAN_COUNT]);
    const [next, found] = reply.kind === "array" ? reply.items : [];
    cursor = next === undefined ? "0" : bytesIn(next);
    yield* bulksOf(found);
  } while (cursor !== "0");
}

export function count(tally: Tally, key: ByteString, copied: Copied): void {
  if (copied === "dump") tally.dumps++;
  else if (copied === "pieces") tally.pieces++;
  else if (copied === "gone") tally.gone++;
  else if (copied !== "same") tally.left.push(`  ${JSON.stringify(textOfBytes(key))}: ${copied.reason}`);
}

export function named(left: readonly string[]): string {
  const more = left.length > NAMED_MAX ? `\n  and ${left.length - NAMED_MAX} more` : "";
  return left.slice(0, NAMED_MAX).join("\n") + more;
}

export const keys = (count: number) => `${count} ${count === 1 ? "key" : "keys"}`;
