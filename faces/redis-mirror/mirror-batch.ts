/** The batches in which changed keys are written to the mirror. */
import type { ComparisonContext } from "./compare-keys.js";
import type { MirrorKey } from "./dirty-keys.js";
import { MARK_DB, MARK_KEY } from "./mirror-mark.js";
import { commandFor, type RedisCommand } from "./mirrored-key.js";
import type { RedisAnswer, RedisConnections } from "./redis-connections.js";

const BATCH_KEYS_MAX = 500;
/** The bytes of values from which no more keys are added to a batch. */
const BATCH_BYTES_MAX = 1024 * 1024;

/** Removes the next keys from the queue, and returns the commands that write their current values. */
export const takeBatch = (context: ComparisonContext): Map<MirrorKey, RedisCommand> =>
  context.timed(() => taken(context));

function taken({ dirty, fold, clock }: ComparisonContext): Map<MirrorKey, RedisCommand> {
  const commands = new Map<MirrorKey, RedisCommand>();
  const now = Math.floor(clock());
  let bytes = 0;
  while (commands.size < BATCH_KEYS_MAX && bytes < BATCH_BYTES_MAX) {
    const key = dirty.shift();
    if (key === undefined) break;
    const command = commandFor(key, fold.database, now);
    for (const word of command) bytes += word.length;
    commands.set(key, command);
  }

  return commands;
}

/** A key that Redis refused to write, with the error. */
export interface RefusedKey {
  readonly key: MirrorKey;
  readonly reason: string;
}

/** What became of a batch. */
export type BatchOutcome =
  | { readonly kind: "written"; readonly refused: readonly RefusedKey[] }
  /** The mark in Redis is not the expected one. */
  | { readonly kind: "moved" }
  /** Redis refuses the batch. */
  | { readonly kind: "refused"; readonly reason: string };

/**
 * Writes keys and the mirror's mark to Redis in one MULTI. Redis applies a batch only if it still contains the mark of
 * the previous batch, so a batch is never applied to a state that the mirror has not written.
 * @param from  the mark that must be in Redis, or null if there must be none
 * @param to    the mark to write with the batch
 * @throws Error  the connections have closed, and the outcome of the batch is unknown
 */
export async function writeBatch(
  connections: RedisConnections,
  batch: ReadonlyMap<MirrorKey, RedisCommand>,
  { from, to }: { readonly from: string | null; readonly to: string },
): Promise<BatchOutcome> {
  const guard = await connections.request([select(MARK_DB), ["WATCH", MARK_KEY], ["GET", MARK_KEY]]);
  const failed = guard.find((answer) => answer instanceof Error);
  if (failed !== undefined) return { kind: "refused", reason: failed.message };

  const found = guard[2] === null ? null : String(guard[2]);
  if (found !== from) return { kind: "moved" };

  const body = [...batch].flatMap(([{ db }, command]) => [select(db), command]);
  const mark = ["SET", MARK_KEY, to];
  const answers = await connections.request([["MULTI"], ...body, select(MARK_DB), mark, ["EXEC"]]);
  const done = answers.at(-1) as RedisAnswer;
  if (done === null) return { kind: "moved" };
  if (done instanceof Error || !Array.isArray(done)) {
    // Report the error of the command that Redis did not queue, which is more precise than the error of EXEC.
    const reason = answers.find((answer) => answer instanceof Error) ?? new Error(String(done));
    return { kind: "refused", reason: reason.message };
  }

  return { kind: "written", refused: refusedOf([...batch.keys()], done) };
}

/**
 * A script that removes a key if the mark is unchanged. A full Redis queues nothing in a MULTI, but accepts this
 * script. KEYS: the key; ARGV: database and key of the mark, the mark, the key's database.
 */
const REMOVE = `redis.call('SELECT', ARGV[1])
if redis.call('GET', ARGV[2]) ~= ARGV[3] then return 0 end
redis.call('SELECT', ARGV[4])
return redis.call('DEL', KEYS[1])`;

/**
 * Removes from Redis the keys that a refused batch would have deleted. This frees memory after Redis refused the batch
 * because it is full.
 * @throws Error  the connections have closed
 */
export async function removeDeletedKeys(
  connections: RedisConnections,
  batch: ReadonlyMap<MirrorKey, RedisCommand>,
  from: string,
): Promise<void> {
  const deleted = [...batch].filter(([, [name]]) => name === "DEL");
  await connections.request(
    deleted.map(([{ db }, [, key]]) => [
      ...["EVAL", REMOVE, "1", key as Buffer],
      ...[String(MARK_DB), MARK_KEY, from, String(db)],
    ]),
  );
}

/** @param done  the replies to SELECT and to the key's command, for each key */
function refusedOf(keys: readonly MirrorKey[], done: readonly RedisAnswer[]): readonly RefusedKey[] {
  return keys.flatMap((key, index) => {
    const answer = done[2 * index + 1];
    return answer instanceof Error ? [{ key, reason: answer.message }] : [];
  });
}

const select = (db: number): RedisCommand => ["SELECT", String(db)];
