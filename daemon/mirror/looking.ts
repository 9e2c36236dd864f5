/** Looks at keys in Redis, and tells which are not as the fold has them. */
import type { Database } from "../../store/database.js";
import type { DirtyKeys, MirrorKey } from "./dirty-keys.js";
import { isMark } from "./mark.js";
import { compareKey, type RedisCommand } from "./mirrored-key.js";
import type { RedisAnswer, RedisLine } from "./redis-line.js";

export interface MirrorScene {
  /** As it stands: a change that is under way is over in the same turn. */
  readonly database: () => Database;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly dirty: DirtyKeys;
  /** Does work that nothing else is done beside, and counts how long it takes. */
  readonly timed: <Result>(work: () => Result) => Result;
}

export interface Looked {
  readonly different: readonly MirrorKey[];
  /** Of a newer form than is known here. */
  readonly unreadable: readonly MirrorKey[];
  /** Of their values in Redis. */
  readonly bytes: number;
}

/**
 * A key that changes while Redis is asked is left out: it waits to be written anyway. So nothing may be on its way to Redis meanwhile.
 * @throws Error  the line has ended, or Redis does not let them be read
 */
export async function lookAt(
  line: RedisLine,
  keys: readonly MirrorKey[],
  scene: MirrorScene,
): Promise<Looked> {
  const asked = await line.present(keys.filter(({ db, key }) => !isMark(db, key)));
  const answers = await line.ask(asked.flatMap(commandsOf));
  return scene.timed(() => compareAll(asked, answers, scene));
}

function compareAll(
  asked: readonly MirrorKey[],
  answers: readonly RedisAnswer[],
  { database, clock, dirty }: MirrorScene,
): Looked {
  const different: MirrorKey[] = [];
  const unreadable: MirrorKey[] = [];
  let bytes = 0;
  const now = Math.floor(clock());
  for (const [place, key] of asked.entries()) {
    const [, dump, expire] = answers.slice(3 * place, 3 * place + 3).map(readable);
    const found = { dump: Buffer.isBuffer(dump) ? dump : null, expire: Number(expire) };
    bytes += found.dump?.length ?? 0;
    if (dirty.has(key)) continue;
    const outcome = compareKey(key, found, database(), now);
    if (outcome === "different") different.push(key);
    if (outcome === "unreadable") unreadable.push(key);
  }
  return { different, unreadable, bytes };
}

function commandsOf({ db, key }: MirrorKey): RedisCommand[] {
  const name = Buffer.from(key, "latin1");
  return [
    ["SELECT", String(db)],
    ["DUMP", name],
    ["PEXPIRETIME", name],
  ];
}

/** @throws Error  Redis says so */
export function readable(answer: RedisAnswer | undefined): Exclude<RedisAnswer, Error> {
  if (answer instanceof Error) throw new Error(answer.message);
  return answer ?? null;
}
