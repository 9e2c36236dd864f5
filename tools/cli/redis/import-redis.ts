/**
 * `dbsync import redis://…`: copies all keys of one database of a Redis to all daemons, as signed commands, and with
 * --replicate also the keys that are written later.
 */

import { DbsyncError } from "../../../client/shared/errors.js";
import { shown } from "../../../daemon/net/terminal/terminal-text.js";
import { type ByteString, textOfBytes } from "../../../protocol/byte-string.js";
import { firstLines, printLine } from "../shared/output.js";
import { elapsedText, forEachConcurrently, progressOf, showProgress } from "../shared/progress.js";
import type { BufferQuery, SendToAll } from "../shared/requests.js";
import { type CopyOutcome, KeyCopier, type Marks } from "./key-copier.js";
import { bulksOf, bytesIn, type RedisAddress, RedisError, RedisSource } from "./redis-source.js";

/** Silence after which a pending request fails, in milliseconds. */
const SILENCE_MS = 60_000;
const SCAN_COUNT = "512";
/** Maximum number of keys in flight; all their values are in memory. */
const KEYS_IN_FLIGHT_MAX = 256;

interface CopyCounts {
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
    await forEachConcurrently(keysOf(source), KEYS_IN_FLIGHT_MAX, async (key) =>
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
    throw new Error(`${keys(counts.left.length)} could not be copied:\n${firstLines(counts.left)}`);
}

const LONG = "their values are long";

/**
 * Checks that the database is empty. Otherwise existing keys would be silently mixed with the keys of the Redis.
 * @param rest  the end of the error message: what --replace does to keys that only the daemons have
 * @throws Error  the daemons already have keys
 */
async function requireEmpty(send: SendToAll, rest: string): Promise<void> {
  const existing = Number(await send(["DBSIZE"]));
  if (existing > 0)
    throw new Error(
      `the daemons already have ${keys(existing)} in that database; --replace overwrites keys of the same name, and ${rest}`,
    );
}

/** Yields the keys of a database. If clients write at the same time, some keys may be yielded twice or not at all. */
async function* keysOf(source: RedisSource): AsyncGenerator<ByteString> {
  let cursor = "0";
  do {
    const reply = await source.query(["SCAN", cursor, "COUNT", SCAN_COUNT]);
    const [next, found] = reply.kind === "array" ? reply.items : [];
    cursor = next === undefined ? "0" : bytesIn(next);
    yield* bulksOf(found);
  } while (cursor !== "0");
}

function count(counts: CopyCounts, key: ByteString, copied: CopyOutcome): void {
  if (copied === "dump") counts.dumps++;
  else if (copied === "pieces") counts.pieces++;
  else if (copied === "absent") counts.absent++;
  else if (copied !== "same") counts.left.push(`  ${JSON.stringify(textOfBytes(key))}: ${copied.reason}`);
}

const keys = (count: number) => `${count} ${count === 1 ? "key" : "keys"}`;

/** Time between two checks for written keys, in milliseconds. */
const CHECK_MS = 100;
/** Time before the next attempt to connect, in milliseconds. */
const RECONNECT_MS = 1_000;
/** The error of a Redis that has started and is still loading its data. */
const STARTING = /^LOADING /;

/** The requests to the daemons. */
interface Daemons {
  readonly send: SendToAll;
  /** Sends a command to the daemon whose keys are listed. */
  readonly query: BufferQuery;
}

interface ReplicateOptions {
  readonly replace: boolean;
  /**
   * Time without a write after which the import cuts over, in milliseconds, or null to cut over when the user presses
   * Ctrl-C.
   */
  readonly quietMs: number | null;
}

/**
 * Runs `dbsync import redis://… --replicate`: copies all keys, and then each key that the Redis reports as written,
 * until the cut-over. At the cut-over it compares all keys again and deletes the keys that only the daemons have. After
 * a broken connection it also compares all keys, because notifications may be missing.
 * @throws Error  the errors of `importRedis`; or the user interrupted the import twice
 */
export async function replicateRedis(
  address: RedisAddress,
  daemons: Daemons,
  options: ReplicateOptions,
): Promise<void> {
  if (!options.replace) await requireEmpty(daemons.send, "the cut-over deletes all other keys");
  const replica = new Replica(address, daemons, options);
  const interrupt = () => replica.interrupt();
  process.on("SIGINT", interrupt);
  try {
    while (!(await replica.follow())) await pause(RECONNECT_MS);
  } finally {
    process.off("SIGINT", interrupt);
  }
}

class Replica {
  readonly #address: RedisAddress;
  readonly #daemons: Daemons;
  readonly #quietMs: number | null;
  readonly #notices = new KeyNotices();
  readonly #marks: Marks = new Map();
  /** Keys that were written after they were last read. */
  readonly #written = new Set<ByteString>();
  #writtenAt = performance.now();
  #interrupts = 0;
  #hasCopied = false;
  #hasReportedWriters = false;
  #left: readonly string[] = [];
  #events: RedisSource | null = null;

  constructor(address: RedisAddress, daemons: Daemons, { quietMs }: ReplicateOptions) {
    this.#address = address;
    this.#daemons = daemons;
    this.#quietMs = quietMs;
  }

  interrupt(): void {
    this.#interrupts++;
  }

  /**
   * Connects, copies all keys, and then copies each key that is written, until the cut-over.
   * @returns true after the cut-over; false if the connection was lost and the caller must call `follow` again
   */
  async follow(): Promise<boolean> {
    try {
      using source = await RedisSource.open(this.#address, SILENCE_MS);
      using events = await RedisSource.open(this.#address, SILENCE_MS, (key) => this.#noteWrite(key));
      await this.#notices.turnOn(source);
      try {
        await this.#followConnected(source, events);
      } finally {
        await this.#notices.restore(source);
      }
      return true;
    } catch (problem) {
      const isLost =
        problem instanceof RedisError
          ? STARTING.test(problem.message)
          : !(problem instanceof DbsyncError || problem instanceof ImportEnded);
      if (!this.#hasCopied || !isLost || this.#interrupts > 0) throw problem;
      printLine(`${(problem as Error).message}; reconnecting and comparing all keys`);
      return false;
    }
  }

  #noteWrite(key: ByteString): void {
    this.#written.add(key);
    this.#writtenAt = performance.now();
  }

  async #followConnected(source: RedisSource, events: RedisSource): Promise<void> {
    this.#events = events;
    await events.query(["PSUBSCRIBE", `__keyevent@${this.#address.db}__:*`]);
    const copier = await KeyCopier.of(source, this.#daemons.send, this.#marks);
    await this.#copyAll(source, copier);

    using _ = showProgress(() => `following; ${keys(this.#written.size)} to copy; Ctrl-C cuts over`);
    for (;;) {
      // Notifications of earlier writes arrive before the answers to these commands.
      await Promise.all([events.query(["PING"]), source.query(["PING"])]);
      if (this.#interrupts > 1)
        throw new ImportEnded("ended before the cut-over: later writes are not copied");
      if (this.#written.size > 0) await this.#copyWritten(copier);
      else if (!this.#mustCutOver()) await pause(CHECK_MS);
      else if (await this.#cutOver(source, events, copier)) return;
    }
  }

  #mustCutOver(): boolean {
    const quietMs = performance.now() - this.#writtenAt;
    return this.#interrupts > 0 || (this.#quietMs !== null && quietMs >= this.#quietMs);
  }

  async #copyAll(source: RedisSource, copier: KeyCopier): Promise<void> {
    const started = performance.now();
    const changed = await this.#compare(source, copier);
    const time = elapsedText(started);
    printLine(
      this.#hasCopied
        ? `compared all keys: ${keys(changed)} had changed or been deleted`
        : `${keys(this.#marks.size)} in ${time}; now following changes. Ctrl-C cuts over`,
    );
    this.#hasCopied = true;
    this.#writtenAt = performance.now();
  }

  /** Compares all keys, and copies each key that differs. @returns the number of keys that differed */
  async #compare(source: RedisSource, copier: KeyCopier): Promise<number> {
    const counts: CopyCounts = { dumps: 0, pieces: 0, absent: 0, left: [] };
    const seen = new Set<ByteString>();
    const marks = this.#marks;
    const once = async function* () {
      for await (const key of keysOf(source)) {
        if (seen.has(key)) continue;
        seen.add(key);
        yield key;
      }
      for (const key of [...marks.keys()]) if (!seen.has(key)) yield key;
    };

    await forEachConcurrently(once(), KEYS_IN_FLIGHT_MAX, async (key) =>
      count(counts, key, await this.#copy(copier, key)),
    );
    this.#left = counts.left;
    return counts.dumps + counts.pieces + counts.absent;
  }

  async #copyWritten(copier: KeyCopier): Promise<void> {
    const written = [...this.#written];
    this.#written.clear();
    const each = async function* () {
      yield* written;
    };
    await forEachConcurrently(
      each(),
      KEYS_IN_FLIGHT_MAX,
      async (key) => void (await this.#copy(copier, key)),
    );
  }

  async #copy(copier: KeyCopier, key: ByteString) {
    const copied = await copier.copy(key).catch(async (problem: unknown) => {
      if (!(await this.#isWrittenAgain(key, problem))) throw problem;
      return "same" as const;
    });
    if (copied === "absent" && this.#marks.delete(key)) await this.#delete(Buffer.from(key, "latin1"));
    return copied;
  }

  /**
   * Whether a key was written while it was copied in pieces. In that case the pieces are from different moments, the
   * Redis or the daemons may refuse them, and the key must be copied again.
   */
  async #isWrittenAgain(key: ByteString, problem: unknown): Promise<boolean> {
    const isAnswer =
      problem instanceof RedisError || (problem instanceof DbsyncError && problem.code === "reply");
    if (!isAnswer) return false;
    await this.#events?.query(["PING"]);
    return this.#written.has(key);
  }

  /**
   * Compares all keys, and deletes the keys that only the daemons have.
   * @returns false if clients wrote to the Redis during the comparison
   */
  async #cutOver(source: RedisSource, events: RedisSource, copier: KeyCopier): Promise<boolean> {
    const changed = await this.#compare(source, copier);
    const deleted = await this.#deleteOthers();
    await events.query(["PING"]);

    if (this.#written.size > 0) {
      if (!this.#hasReportedWriters)
        printLine("clients still write to the Redis: stop them to let the import end");
      this.#hasReportedWriters = true;
      return false;
    }

    printLine(`cut over: the daemons have the ${keys(this.#marks.size)} of the Redis`);
    if (changed > 0) printLine(`${keys(changed)} had changed without a notification, and were copied`);
    if (deleted > 0) printLine(`${keys(deleted)} that the Redis does not have were deleted`);
    if (this.#left.length > 0)
      throw new ImportEnded(`${keys(this.#left.length)} could not be copied:\n${firstLines(this.#left)}`);
    return true;
  }

  /** Deletes keys of the daemons that the Redis does not have. @returns their number */
  async #deleteOthers(): Promise<number> {
    let deleted = 0;
    let cursor = "0";
    do {
      const [next, found] = (await this.#daemons.query(["SCAN", cursor, "COUNT", SCAN_COUNT])) as [
        Buffer,
        Buffer[],
      ];
      cursor = String(next);
      for (const key of found) {
        if (this.#marks.has(key.toString("latin1"))) continue;
        await this.#delete(key);
        deleted++;
      }
    } while (cursor !== "0");
    return deleted;
  }

  async #delete(key: Buffer): Promise<void> {
    await this.#daemons.send(["DEL", key]);
  }
}

/** An error after which the import must not reconnect. */
class ImportEnded extends Error {
  override readonly name = "ImportEnded";
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const SETTING = "notify-keyspace-events";
/** The flags for the events of all types of keys, on channels named after the event. */
const NEEDED = "AE";

/** The switch for a Redis's notifications about written keys (notify-keyspace-events) while an import follows it. */
class KeyNotices {
  /** The server's previous setting, or null if the setting was not changed. */
  #before: string | null = null;

  /** Turns notifications on. @throws Error  they are off, and the user may not change the setting */
  async turnOn(source: RedisSource): Promise<void> {
    const [, now = ""] = bulksOf(await configure(source, ["CONFIG", "GET", SETTING]));
    if ([...NEEDED].every((flag) => now.includes(flag))) return;
    await configure(source, ["CONFIG", "SET", SETTING, `${now}${NEEDED}`]);
    if (this.#before === null)
      printLine(
        `changed ${SETTING} of the Redis from "${shown(now)}" to "${shown(now)}${NEEDED}" for the duration of the import`,
      );
    this.#before ??= now;
  }

  async restore(source: RedisSource): Promise<void> {
    if (this.#before === null) return;
    try {
      await source.query(["CONFIG", "SET", SETTING, this.#before]);
      printLine(`restored ${SETTING} of the Redis to "${shown(this.#before)}"`);
    } catch (problem) {
      printLine(
        `${SETTING} of the Redis could not be restored to "${shown(this.#before)}": ${shown((problem as Error).message)}`,
      );
    }
  }
}

async function configure(source: RedisSource, argv: readonly string[]) {
  try {
    return await source.query(argv);
  } catch (problem) {
    if (!(problem instanceof RedisError)) throw problem;
    throw new RedisError(
      `the Redis refuses to report written keys (${problem.message}): permit the user CONFIG GET and CONFIG SET`,
    );
  }
}
