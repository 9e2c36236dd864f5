/**
 * `dbsync import redis://… --replicate`: copies all keys, and then each key that the Redis reports as written, until the cut-over. Then it
 * checks all keys once more, and deletes the keys that only the daemons have. After a broken connection it checks all keys again, because
 * notifications may be missing.
 */

import { DbsyncError } from "../../client/shared/errors.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { inParallel } from "../shared/in-parallel.js";
import type { AskBuffers } from "../shared/one-daemon.js";
import { printLine } from "../shared/output.js";
import { showProgress } from "../shared/progress.js";
import type { SendToAll } from "../shared/send-to-all.js";
import {
  count,
  keys,
  keysOf,
  named,
  ON_THE_WAY,
  requireEmpty,
  SILENCE_MS,
  type Tally,
} from "./import-redis.js";
import { KeyCopier, type Marks } from "./key-copier.js";
import { KeyNotices } from "./key-notices.js";
import { RedisError, RedisSource } from "./redis-source.js";
import type { RedisAddress } from "./redis-url.js";

/** Milliseconds between two checks for writes of which the server sends no notification. */
const LOOK_MS = 100;
const AGAIN_MS = 1_000;
const SCAN_COUNT = "512";
/** The error of a Redis that has just started and is still loading its data. */
const STARTING = /^LOADING /;

export interface Daemons {
  readonly send: SendToAll;
  /** Sends a command to the daemon whose keys are listed. */
  readonly ask: AskBuffers;
}

export interface ReplicateOptions {
  readonly replace: boolean;
  /** Cuts over once nothing was written for this long; null: when the user presses Ctrl-C. */
  readonly quietMs: number | null;
}

/** @throws Error  as for an import; or the user interrupted it twice */
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
    while (!(await replica.follow())) await pause(AGAIN_MS);
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
  /** Keys that were written since they were last read. */
  readonly #written = new Set<ByteString>();
  #writtenAt = performance.now();
  #interrupts = 0;
  #hasCopied = false;
  #hasToldOfWriters = false;
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

  /** @returns whether it has cut over; if not, the connection to the Redis must be opened again */
  async follow(): Promise<boolean> {
    try {
      using source = await RedisSource.open(this.#address, SILENCE_MS);
      using events = await RedisSource.open(this.#address, SILENCE_MS, (key) => this.#heard(key));
      await this.#notices.turnOn(source);
      try {
        await this.#followOn(source, events);
      } finally {
        await this.#notices.restore(source);
      }
      return true;
    } catch (problem) {
      const isLost =
        problem instanceof RedisError
          ? STARTING.test(problem.message)
          : !(problem instanceof DbsyncError || problem instanceof Ended);
      if (!this.#hasCopied || !isLost || this.#interrupts > 0) throw problem;
      printLine(`${(problem as Error).message}; connecting again, and comparing all keys`);
      return false;
    }
  }

  #heard(key: ByteString): void {
    this.#written.add(key);
    this.#writtenAt = performance.now();
  }

  async #followOn(source: RedisSource, events: RedisSource): Promise<void> {
    this.#events = events;
    await events.ask(["PSUBSCRIBE", `__keyevent@${this.#address.db}__:*`]);
    const copier = await KeyCopier.of(source, this.#daemons.send, this.#marks);
    await this.#copyAll(source, copier);
    using _ = showProgress(() => `following; ${keys(this.#written.size)} to copy; Ctrl-C cuts over`);
    for (;;) {
      // Notifications of earlier writes arrive before its answer.
      await Promise.all([events.ask(["PING"]), source.ask(["PING"])]);
      if (this.#interrupts > 1)
        throw new Ended("ended before it has cut over: what is written since is not taken over");
      if (this.#written.size > 0) await this.#copyWritten(copier);
      else if (!this.#isToCutOver()) await pause(LOOK_MS);
      else if (await this.#cutOver(source, events, copier)) return;
    }
  }

  #isToCutOver(): boolean {
    const quietMs = performance.now() - this.#writtenAt;
    return this.#interrupts > 0 || (this.#quietMs !== null && quietMs >= this.#quietMs);
  }

  async #copyAll(source: RedisSource, copier: KeyCopier): Promise<void> {
    const started = performance.now();
    const changed = await this.#compare(source, copier);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    printLine(
      this.#hasCopied
        ? `all keys looked at: ${keys(changed)} had changed or gone`
        : `${keys(this.#marks.size)} in ${seconds} s; following what is written from now on. Ctrl-C cuts over`,
    );
    this.#hasCopied = true;
    this.#writtenAt = performance.now();
  }

  /** Copies each key that differs, once. @returns how many differed */
  async #compare(source: RedisSource, copier: KeyCopier): Promise<number> {
    const tally: Tally = { dumps: 0, pieces: 0, gone: 0, left: [] };
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
    await inParallel(once(), ON_THE_WAY, async (key) => count(tally, key, await this.#copy(copier, key)));
    this.#left = tally.left;
    return tally.dumps + tally.pieces + tally.gone;
  }

  async #copyWritten(copier: KeyCopier): Promise<void> {
    const written = [...this.#written];
    this.#written.clear();
    const each = async function* () {
      yield* written;
    };
    await inParallel(each(), ON_THE_WAY, async (key) => void (await this.#copy(copier, key)));
  }

  async #copy(copier: KeyCopier, key: ByteString) {
    const copied = await copier.copy(key).catch(async (problem: unknown) => {
      if (!(await this.#isWrittenAgain(key, problem))) throw problem;
      return "same" as const;
    });
    if (copied === "gone" && this.#marks.delete(key)) await this.#delete(Buffer.from(key, "latin1"));
    return copied;
  }

  /**
   * Whether a key was written while it was copied piece by piece: then its pieces are of different moments, either side may refuse them, and
   * the key is copied again.
   */
  async #isWrittenAgain(key: ByteString, problem: unknown): Promise<boolean> {
    const isAnswer =
      problem instanceof RedisError || (problem instanceof DbsyncError && problem.code === "reply");
    if (!isAnswer) return false;
    await this.#events?.ask(["PING"]);
    return this.#written.has(key);
  }

  /** @returns whether nothing was written meanwhile */
  async #cutOver(source: RedisSource, events: RedisSource, copier: KeyCopier): Promise<boolean> {
    const changed = await this.#compare(source, copier);
    const strange = await this.#deleteOthers();
    await events.ask(["PING"]);
    if (this.#written.size > 0) {
      if (!this.#hasToldOfWriters)
        printLine("the Redis is still written to: stop its writers, and this ends");
      this.#hasToldOfWriters = true;
      return false;
    }
    printLine(`cut over: the daemons hold the ${keys(this.#marks.size)} of the Redis`);
    if (changed > 0) printLine(`${keys(changed)} had changed without a notice, and are copied`);
    if (strange > 0) printLine(`${keys(strange)} that the Redis does not have are deleted`);
    if (this.#left.length > 0)
      throw new Ended(`${keys(this.#left.length)} could not be taken over:\n${named(this.#left)}`);
    return true;
  }

  /** Deletes keys that are not in the source, from an earlier import or written at the daemons. @returns their number */
  async #deleteOthers(): Promise<number> {
    let strange = 0;
    let cursor = "0";
    do {
      const [next, found] = (await this.#daemons.ask(["SCAN", cursor, "COUNT", SCAN_COUNT])) as [
        Buffer,
        Buffer[],
      ];
      cursor = String(next);
      for (const key of found) {
        if (this.#marks.has(key.toString("latin1"))) continue;
        await this.#delete(key);
        strange++;
      }
    } while (cursor !== "0");
    return strange;
  }

  async #delete(key: Buffer): Promise<void> {
    await this.#daemons.send(["DEL", key]);
  }
}

/** Thrown to end the import, whatever the connections do. */
class Ended extends Error {
  override readonly name = "Ended";
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
