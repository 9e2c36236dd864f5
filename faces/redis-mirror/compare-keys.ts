/**
 * Compares keys in Redis with the fold: all keys on a schedule, and those that other clients have changed, as Redis
 * reports them.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { DirtyKeys, MirrorKey } from "./dirty-keys.js";
import { isMark } from "./mirror-mark.js";
import type { ComparisonReport, MirrorCounts, MirroredFold, MirrorParts } from "./mirror-parts.js";
import { compareKey, expectedBytes, keyText, type RedisCommand } from "./mirrored-key.js";
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

interface KeyDifferences {
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

const SLICE_NAMES = 50;

/**
 * The keys that other clients have changed, as Redis reports them. Each key is compared with the fold, because Redis
 * also reports keys that have merely expired.
 */
export class ForeignKeys {
  readonly #names = new Set<string>();
  /**
   * A single iterator is used for many calls, because each new iterator would have to skip the slots of all removed
   * names again.
   */
  #waiting = this.#names.values();
  readonly #max: number;

  /** @param max  maximum number of keys */
  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#names.size;
  }

  /** Adds names. @returns false if there are too many names; in that case all names are dropped */
  add(names: readonly Buffer[]): boolean {
    for (const name of names) {
      if (this.#names.size < this.#max) this.#names.add(name.toString("latin1"));
      else {
        this.clear();
        return false;
      }
    }
    return true;
  }

  clear(): void {
    this.#names.clear();
  }

  /**
   * Compares some of the keys, and marks the keys that differ as dirty.
   * @returns these keys
   * @throws Error  the connections have closed
   */
  async compareSample(
    connections: RedisConnections,
    context: ComparisonContext,
  ): Promise<readonly MirrorKey[]> {
    const names = this.#take();
    const dbs = await usedDatabases(connections, context);
    // Redis does not report the database of a changed key, so the key is compared in every database in use.
    const keys = names.flatMap((key) => dbs.map((db) => ({ db, key })));
    const { different, unreadable } = await compareKeys(connections, keys, context);
    context.dirty.add([...different, ...unreadable]);
    return different;
  }

  #take(): string[] {
    const names: string[] = [];
    while (names.length < SLICE_NAMES && this.#names.size > 0) {
      const next = this.#waiting.next();
      if (next.done) this.#waiting = this.#names.values();
      else {
        this.#names.delete(next.value);
        names.push(next.value);
      }
    }
    return names;
  }
}

async function usedDatabases(
  connections: RedisConnections,
  { fold }: ComparisonContext,
): Promise<readonly number[]> {
  const { keyspaces } = fold.database;
  const theirs = new Set((await connections.keyCounts()).map(({ db }) => db));
  return [...keyspaces.keys()].filter((db) => theirs.has(db) || (keyspaces[db]?.size ?? 0) > 0);
}

const IDLE_MS = 60_000;
const SECOND_MS = 1000;

/**
 * The schedule of comparisons of all keys, with their results. Only one comparison runs at a time; if there is a new
 * reason to compare, the comparison starts again.
 */
export class Comparing {
  readonly #parts: MirrorParts;
  readonly #context: ComparisonContext;
  readonly #counts: MirrorCounts;
  readonly #onEnded: (report: ComparisonReport) => void;
  #comparison: Comparison | null = null;
  /** The number of comparisons so far. */
  #number = 0;
  /**
   * After all keys were compared: the value of `#handled` at which all keys that were then waiting have been written or
   * refused. Null while keys are being compared.
   */
  #drainedAt: number | null = null;
  #different = 0;
  /** The uptimes in milliseconds of the next slice and of the next regular comparison. */
  #sliceAt = 0;
  #dueAt: number;
  /** The last comparison whose differences have all been written, or null if there is none. */
  last: (ComparisonReport & { readonly at: number }) | null = null;

  constructor(
    parts: MirrorParts,
    context: ComparisonContext,
    counts: MirrorCounts,
    onEnded: (report: ComparisonReport) => void,
  ) {
    this.#parts = parts;
    this.#context = context;
    this.#counts = counts;
    this.#onEnded = onEnded;
    this.#dueAt = this.#nextDue();
  }

  /** Whether any key in Redis may differ from the fold. */
  get isUrgent(): boolean {
    return this.#comparison?.isUrgent ?? false;
  }

  /** The report of the running comparison, or null if none is running. */
  get report(): ComparisonReport | null {
    return this.#comparison?.report ?? null;
  }

  /** The number of differing keys that all comparisons have found so far. */
  get different(): number {
    return this.#different + (this.report?.different ?? 0);
  }

  /** Starts a comparison. @returns its number */
  begin(reason: string, isUrgent: boolean): number {
    const before = this.#comparison;
    this.#different = this.different;
    const about = before?.isUrgent && !isUrgent ? before : { reason, isUrgent };
    this.#comparison = new Comparison(++this.#number, about.reason, about.isUrgent, this.#context);
    this.#drainedAt = null;
    this.#sliceAt = 0;
    return this.#number;
  }

  /**
   * Compares a slice if one is scheduled now.
   * @returns milliseconds until the next slice
   * @throws Error  the connections have closed, or Redis refuses the requests
   */
  async step(connections: RedisConnections): Promise<number> {
    const { environment, compareRate } = this.#parts;
    const now = environment.uptime();
    if (this.#comparison === null && now >= this.#dueAt) this.begin("scheduled", false);
    const comparison = this.#comparison;
    if (comparison === null) return Math.min(IDLE_MS, this.#dueAt - now);

    if (comparison.isDone) {
      this.#drainedAt ??= this.#handled + this.#context.dirty.size;
      if (this.#handled >= this.#drainedAt) this.#end(comparison);
      return 0;
    }
    if (now < this.#sliceAt) return this.#sliceAt - now;

    const comparedKeys = await comparison.step(connections);
    if (!comparison.isUrgent) this.#sliceAt = now + (comparedKeys * SECOND_MS) / compareRate;
    return Math.max(0, this.#sliceAt - now);
  }

  #end({ report }: Comparison): void {
    this.#different = this.different;
    this.last = { ...report, at: Math.floor(this.#parts.environment.clock()) };
    this.#comparison = null;
    this.#drainedAt = null;
    this.#dueAt = this.#nextDue();
    this.#onEnded(report);
  }

  /** The number of waiting keys that have been written or refused so far. */
  get #handled(): number {
    return this.#counts.written + this.#counts.refused;
  }

  #nextDue(): number {
    const { compareEvery, environment } = this.#parts;
    return compareEvery === 0 ? Number.POSITIVE_INFINITY : environment.uptime() + compareEvery;
  }
}

const SLICE_KEYS_MAX = 200;
/** Maximum number of differing keys that a report names. */
const NAMED_MAX = 10;

/**
 * The comparison of all keys in slices, while Redis and the fold continue to change: first the keys that only Redis
 * has, then the keys of the fold. Keys that differ are written again.
 */
class Comparison {
  readonly number: number;
  readonly reason: string;
  /** Whether the comparison runs at full speed, because any key in Redis may differ. */
  readonly isUrgent: boolean;
  #context: ComparisonContext;
  #checked = 0;
  #total = 0;
  #different = 0;
  #named: ByteString[] = [];
  #sliceKeys = SLICE_KEYS_MAX;
  /**
   * The numbers of the databases in Redis that have not been scanned completely, or null if they are not determined
   * yet.
   */
  #theirs: number[] | null = null;
  #cursor = "0";
  #ourDb = 0;
  /**
   * The index of the key that was compared last in the fold's current database. Indexes are visited in descending
   * order: if a key is removed, the database's last key takes its index, and that key was already compared.
   */
  #ourIndex: number | null = null;

  constructor(number: number, reason: string, isUrgent: boolean, context: ComparisonContext) {
    this.number = number;
    this.reason = reason;
    this.isUrgent = isUrgent;
    this.#context = context;
  }

  get report(): ComparisonReport {
    const { number, reason } = this;
    return {
      number,
      reason,
      checked: this.#checked,
      total: Math.max(this.#checked, this.#total),
      different: this.#different,
      named: this.#named,
    };
  }

  get isDone(): boolean {
    return this.#theirs?.length === 0 && this.#ourDb >= this.#context.fold.database.keyspaces.length;
  }

  /**
   * Compares the next slice.
   * @returns the number of keys compared
   * @throws Error  the connections have closed, or Redis refuses the requests
   */
  async step(connections: RedisConnections): Promise<number> {
    this.#theirs ??= await this.#begin(connections);
    const [db] = this.#theirs;
    return db === undefined ? await this.#stepOurs(connections) : await this.#stepTheirs(connections, db);
  }

  async #begin(connections: RedisConnections): Promise<number[]> {
    const { keyspaces } = this.#context.fold.database;
    const counts = (await connections.keyCounts()).filter(({ db }) => db < keyspaces.length);
    this.#total = [...counts.map(({ keys }) => keys), ...keyspaces.map(({ size }) => size)].reduce(
      (sum, count) => sum + count,
      0,
    );
    return counts.map(({ db }) => db);
  }

  async #stepTheirs(connections: RedisConnections, db: number): Promise<number> {
    const [, answer] = await connections.request([
      ["SELECT", String(db)],
      ["SCAN", this.#cursor, "COUNT", String(this.#sliceKeys)],
    ]);
    const [cursor, found] = readable(answer) as [Buffer, Buffer[]];
    const keyspace = this.#context.fold.database.keyspaces[db];
    const unknown = found
      .map((key) => ({ db, key: key.toString("latin1") }))
      .filter((key) => keyspace?.find(key.key) === undefined && !isMark(db, key.key));
    if (unknown.length > 0) this.#note(await compareKeys(connections, unknown, this.#context));
    this.#cursor = cursor.toString();
    if (this.#cursor === "0") this.#theirs?.shift();
    this.#checked += found.length;
    return found.length;
  }

  async #stepOurs(connections: RedisConnections): Promise<number> {
    const slice = this.#takeOurs();
    if (slice.length > 0) this.#note(await compareKeys(connections, slice, this.#context));
    this.#checked += slice.length;
    return slice.length;
  }

  #takeOurs(): MirrorKey[] {
    const { keyspaces } = this.#context.fold.database;
    const slice: MirrorKey[] = [];
    const now = Math.floor(this.#context.clock());
    let bytes = 0;
    while (slice.length < this.#sliceKeys && bytes < COMPARED_BYTES_MAX && this.#ourDb < keyspaces.length) {
      const entries = keyspaces[this.#ourDb]?.entries ?? [];
      const index = Math.min(this.#ourIndex ?? entries.length, entries.length) - 1;
      const entry = entries[index];
      if (entry === undefined) {
        this.#ourDb++;
        this.#ourIndex = null;
      } else {
        this.#ourIndex = index;
        const key = { db: this.#ourDb, key: entry.key };
        bytes += expectedBytes(key, this.#context.fold.database, now) ?? 0;
        slice.push(key);
      }
    }

    return slice;
  }

  #note({ different, unreadable, bytes }: KeyDifferences): void {
    this.#different += different.length;
    for (const key of different.slice(0, NAMED_MAX - this.#named.length)) this.#named.push(keyText(key));
    this.#context.dirty.add([...different, ...unreadable]);
    const next = bytes > COMPARED_BYTES_MAX ? this.#sliceKeys / 2 : this.#sliceKeys * 2;
    this.#sliceKeys = Math.min(SLICE_KEYS_MAX, Math.max(1, Math.floor(next)));
  }
}
