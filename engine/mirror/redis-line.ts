/**
 * The mirror's line to Redis: a connection that asks and writes, and one that hears which keys others have changed there
 * (CLIENT TRACKING by broadcast, without what the first has written). When either breaks the line has ended.
 */
import { Command, Redis } from "ioredis";
import { connectionOptions, sentenceOf } from "../backends/redis/connection-options.js";
import type { MirrorParts } from "./mirror-parts.js";
import type { RedisCommand } from "./mirrored-key.js";
import type { Work } from "./work.js";

const INVALIDATIONS = "__redis__:invalidate";
/** What a connection that subscribes may say. */
const SUBSCRIBERS: ReadonlySet<string> = new Set(["SUBSCRIBE", "PING"]);
/** Of a key's time of expiry, exactly. */
const REDIS_LEAST = 7;

/** Integers come as text, errors as values. */
export type RedisAnswer = Buffer | string | null | Error | readonly RedisAnswer[];

/** Milliseconds between two questions on the connection that hears, which else is silent for hours: it may be half open. */
const HEAR_EVERY_MS = 10_000;

export class RedisLine {
  readonly #asking: Redis;
  readonly #hearing: Redis;
  readonly #timed: Work["timed"];
  #cancel = () => {};
  /** Whether it has each of those that were asked for. */
  readonly #databases = new Map<number, boolean>();
  #trouble: string | null = null;

  private constructor(
    { specification, timeout }: MirrorParts,
    timed: Work["timed"],
    onChanged: (keys: readonly Buffer[] | null) => void,
    onEnded: () => void,
  ) {
    this.#timed = timed;
    const options = {
      ...connectionOptions(specification, specification, timeout()),
      // The mirror makes another line, and looks at the mark again.
      retryStrategy: null as never,
    };
    this.#asking = new Redis(options);
    this.#hearing = new Redis(options);
    for (const redis of [this.#asking, this.#hearing]) {
      redis.on("error", (problem: Error) => {
        this.#trouble ??= sentenceOf(problem);
      });
      redis.on("close", () => {
        this.#trouble ??= "the connection was lost";
        onEnded();
      });
    }
    // Of ioredis, for whatever a channel brings; this one brings keys, or nil.
    this.#hearing.on("messageBuffer", (_: Buffer, keys: unknown) => {
      onChanged(Array.isArray(keys) ? keys.filter((key) => Buffer.isBuffer(key)) : null);
    });
  }

  /**
   * @param timed      does work that nothing else is done beside, and counts how long it takes
   * @param onChanged  others have changed these keys, of whatever database; null: all
   * @param onEnded    the line has ended
   * @throws Error  why there is none
   */
  static async open(
    parts: MirrorParts,
    timed: Work["timed"],
    onChanged: (keys: readonly Buffer[] | null) => void,
    onEnded: () => void,
  ): Promise<RedisLine> {
    const line = new RedisLine(parts, timed, onChanged, onEnded);
    try {
      await Promise.all([line.#asking.connect(), line.#hearing.connect()]);
      const id = await line.#askOf(line.#hearing, ["CLIENT", "ID"]);
      await line.#askOf(line.#hearing, ["SUBSCRIBE", INVALIDATIONS]);
      const version = /redis_version:(\d+)/.exec(String(await line.#one(["INFO", "server"])))?.[1] ?? "0";
      if (Number(version) < REDIS_LEAST)
        throw new Error(`it is Redis ${version}, and a mirror needs ${REDIS_LEAST}.0 or later`);
      await line.#one(["CLIENT", "TRACKING", "ON", "REDIRECT", String(id), "BCAST", "NOLOOP"]);
      line.#hear(parts);
      return line;
    } catch (problem) {
      const reason = line.#trouble ?? sentenceOf(problem);
      line.close();
      throw new Error(reason);
    }
  }

  /** Why it has ended; null: it stands. */
  get trouble(): string | null {
    return this.#trouble;
  }

  /**
   * Sends commands in one go.
   * @returns an answer for each, in order
   * @throws Error  the line has ended; what became of them is not known
   */
  async ask(commands: readonly RedisCommand[]): Promise<readonly RedisAnswer[]> {
    try {
      return await Promise.all(
        this.#timed(() => commands.map((command) => this.#askOf(this.#asking, command))),
      );
    } catch (problem) {
      this.#trouble ??= sentenceOf(problem);
      this.close();
      throw new Error(this.#trouble);
    }
  }

  /** Those whose database Redis has: another one may have fewer, and would take a key into the database before. */
  async present<Key extends { readonly db: number }>(keys: readonly Key[]): Promise<readonly Key[]> {
    for (const { db } of keys) {
      if (this.#databases.has(db)) continue;
      const [answer] = await this.ask([["SELECT", String(db)]]);
      this.#databases.set(db, !(answer instanceof Error));
    }
    return keys.filter(({ db }) => this.#databases.get(db));
  }

  /** Of databases that are not empty. @throws Error */
  async keyCounts(): Promise<readonly { readonly db: number; readonly keys: number }[]> {
    const text = String(await this.#one(["INFO", "keyspace"]));
    return [...text.matchAll(/^db(\d+):keys=(\d+)/gm)].map(([, db, keys]) => ({
      db: Number(db),
      keys: Number(keys),
    }));
  }

  close(): void {
    this.#trouble ??= "closed";
    this.#cancel();
    this.#asking.disconnect();
    this.#hearing.disconnect();
  }

  /** Asks now and then; no answer within `timeout` ends the line, and what was missed is compared on the next one. */
  #hear(parts: MirrorParts): void {
    this.#cancel = parts.environment.setTimer(parts.hearEvery ?? HEAR_EVERY_MS, () => {
      this.#askOf(this.#hearing, ["PING"]).then(
        () => {
          if (this.#trouble === null) this.#hear(parts);
        },
        () => {
          this.#trouble ??= "the connection that hears of others' writes does not answer";
          this.close();
        },
      );
    });
  }

  /** @throws Error  also where Redis answers with one */
  async #one(command: RedisCommand): Promise<RedisAnswer> {
    const answer = await this.#askOf(this.#asking, command);
    if (answer instanceof Error) throw answer;
    return answer;
  }

  #askOf(redis: Redis, [name, ...args]: RedisCommand): Promise<RedisAnswer> {
    // An upper-case name keeps ioredis from reshaping arguments and answers, but of these it has to know.
    const known = SUBSCRIBERS.has(String(name)) ? String(name).toLowerCase() : String(name);
    const command = new Command(known, [...args], { replyEncoding: null });
    redis.sendCommand(command);
    return (command.promise as Promise<RedisAnswer>).catch((problem: unknown) => {
      if (problem instanceof Error && problem.name === "ReplyError") return problem;
      throw problem;
    });
  }
}
