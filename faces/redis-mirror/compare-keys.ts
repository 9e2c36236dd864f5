/** Compares keys in Redis with the fold. */
import type { DirtyKeys, MirrorKey } from "./dirty-keys.js";
import { isMark } from "./mirror-mark.js";
import type { MirroredFold } from "./mirror-parts.js";
import { compareKey, expectedBytes, type RedisCommand } from "./mirrored-key.js";
import type { RedisAnswer, RedisConnections } from "./redis-connections.js";

export interface ComparisonContext {
  /** The fold. Each of its changes is completed within one turn of the event loop. */
  readonly fold: MirroredFold;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly dirty: DirtyKeys;
  /** Runs synchronous work, and adds its duration to the mirror's total. */
  readonly timed: <Result>(work: () => Result) => Result;
}

export interface KeyDifferences {
  readonly different: readonly MirrorKey[];
  /** Keys whose value has a newer format than this release knows. */
  readonly unreadable: readonly MirrorKey[];
  /** The total bytes of the compared values in Redis. */
  readonly bytes: number;
}

/** Maximum bytes of values in one request; a longer value is requested alone. */
export const COMPARED_BYTES_MAX = 1024 * 1024;

/**
 * Compares keys. Keys that change in the fold in the meantime are left out, because they will be written anyway. No
 * write to Redis may be in flight.
 * @throws Error  the connections have closed, or Redis refuses to read the keys
 */
export async function compareKeys(
  connections: RedisConnections,
  keys: readonly MirrorKey[],
  context: ComparisonContext,
): Promise<KeyDifferences> {
  const present = await connections.present(keys.filter(({ db, key }) => !isMark(db, key)));
  const total = { different: [] as MirrorKey[], unreadable: [] as MirrorKey[], bytes: 0 };
  for (let from = 0; from < present.length; ) {
    const piece = context.timed(() => pieceOf(present, from, context));
    from += piece.keys.length;
    const answers = await connections.request(piece.commands);
    const { different, unreadable, bytes } = context.timed(() => compareAll(piece.keys, answers, context));
    for (const key of different) total.different.push(key);
    for (const key of unreadable) total.unreadable.push(key);
    total.bytes += bytes;
  }
  return total;
}

interface Piece {
  readonly keys: readonly MirrorKey[];
  readonly commands: readonly RedisCommand[];
}

/**
 * Returns the keys of the next request: at least one, and further keys until the total size of their values in the fold
 * reaches the limit.
 */
function pieceOf(all: readonly MirrorKey[], from: number, { fold, clock }: ComparisonContext): Piece {
  const keys: MirrorKey[] = [];
  const commands: RedisCommand[] = [];
  const now = Math.floor(clock());
  let bytes = 0;
  for (const key of all.slice(from)) {
    const expected = expectedBytes(key, fold.database, now);
    bytes += expected ?? 0;
    if (keys.length > 0 && bytes > COMPARED_BYTES_MAX) break;
    keys.push(key);
    commands.push(...commandsOf(key, expected !== null));
  }
  return { keys, commands };
}

function compareAll(
  keys: readonly MirrorKey[],
  answers: readonly RedisAnswer[],
  { fold, clock, dirty }: ComparisonContext,
): KeyDifferences {
  const different: MirrorKey[] = [];
  const unreadable: MirrorKey[] = [];
  let bytes = 0;
  const now = Math.floor(clock());
  for (const [index, key] of keys.entries()) {
    const [, dump, expire] = answers.slice(3 * index, 3 * index + 3).map(readable);
    const found = { dump: dumpIn(dump), expire: Number(expire) };
    bytes += found.dump?.length ?? 0;
    if (dirty.has(key)) continue;
    const outcome = compareKey(key, found, fold.database, now);
    if (outcome === "different") different.push(key);
    if (outcome === "unreadable") unreadable.push(key);
  }
  return { different, unreadable, bytes };
}

/**
 * Returns the value from a reply to DUMP, an empty buffer if a reply to EXISTS shows that the key exists, or null if
 * the key does not exist.
 */
function dumpIn(answer: RedisAnswer | undefined): Buffer | null {
  if (Buffer.isBuffer(answer)) return answer;
  return Number(answer) > 0 ? Buffer.alloc(0) : null;
}

/**
 * @param isExpected  whether the key should exist. If not, only its existence is checked, because the value, which
 * another client has written, may be long
 */
function commandsOf({ db, key }: MirrorKey, isExpected: boolean): RedisCommand[] {
  const name = Buffer.from(key, "latin1");
  return [
    ["SELECT", String(db)],
    [isExpected ? "DUMP" : "EXISTS", name],
    ["PEXPIRETIME", name],
  ];
}

/** @throws Error  Redis replied with an error */
export function readable(answer: RedisAnswer | undefined): Exclude<RedisAnswer, Error> {
  if (answer instanceof Error) throw new Error(answer.message);
  return answer ?? null;
}
