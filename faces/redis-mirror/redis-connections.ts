/**
 * The mirror's two connections to Redis. The first is for requests and writes. The second receives the keys that other
 * clients have changed (CLIENT TRACKING in broadcast mode, excluding the first connection's writes). If one of them
 * closes, the other one is closed too.
 */
import { Command, Redis } from "ioredis";
import { connectionOptions, sentenceOf } from "../redis-behind/redis-link.js";
import type { MirrorParts } from "./mirror-parts.js";
import type { RedisCommand } from "./mirrored-key.js";

const INVALIDATIONS = "__redis__:invalidate";
/** The commands that a subscribed connection may send. */
const SUBSCRIBERS: ReadonlySet<string> = new Set(["SUBSCRIBE", "PING"]);
/** The first version that reports a key's expiry time exactly. */
const REDIS_MIN = 7;

/** A reply of Redis. Integers are text, and errors are values. */
export type RedisAnswer = Buffer | string | null | Error | readonly RedisAnswer[];

/**
 * The interval in milliseconds between two pings on the connection that receives changes. That connection may be silent
 * for hours, so only a ping can detect that the other end is gone.
 */
const PING_INTERVAL_MS = 10_000;

export class RedisConnections {
  readonly #requesting: Redis;
  readonly #receiving: Redis;
  readonly #timed: CpuTime["timed"];
  #cancel = () => {};
  /** For each database that was checked so far, whether Redis has it. */
  readonly #databases = new Map<number, boolean>();
  #trouble: string | null = null;

  private constructor(
    { specification, timeout }: MirrorParts,
    timed: CpuTime["timed"],
    onChanged: (keys: readonly Buffer[] | null) => void,
    onEnded: () => void,
  ) {
    this.#timed = timed;
    const options = {
      ...connectionOptions(specification, specification, timeout()),
      // Do not reconnect: the mirror opens new connections instead, and checks the mark again.
      retryStrategy: null as never,
    };
    this.#requesting = new Redis(options);
    this.#receiving = new Redis(options);
    for (const redis of [this.#requesting, this.#receiving]) {
      redis.on("error", (problem: Error) => {
        this.#trouble ??= sentenceOf(problem);
      });
      redis.on("close", () => {
        this.#trouble ??= "the connection was lost";
        onEnded();
      });
    }

    // ioredis emits this event for messages on every channel. On this channel a message is a list of keys, or nil.
    this.#receiving.on("messageBuffer", (_: Buffer, keys: unknown) => {
      onChanged(Array.isArray(keys) ? keys.filter((key) => Buffer.isBuffer(key)) : null);
    });
  }

  /**
   * @param timed      runs synchronous work, and adds its duration to the total
   * @param onChanged  called with the keys that other clients have changed, in any database, or null for all keys
   * @param onEnded    called when the connections have closed
   * @throws Error  the reason why they cannot be opened
   */
  static async open(
    parts: MirrorParts,
    timed: CpuTime["timed"],
    onChanged: (keys: readonly Buffer[] | null) => void,
    onEnded: () => void,
  ): Promise<RedisConnections> {
    const connections = new RedisConnections(parts, timed, onChanged, onEnded);
    try {
      await Promise.all([connections.#requesting.connect(), connections.#receiving.connect()]);
      const id = await connections.#requestOn(connections.#receiving, ["CLIENT", "ID"]);
      await connections.#requestOn(connections.#receiving, ["SUBSCRIBE", INVALIDATIONS]);
      const version =
        /redis_version:(\d+)/.exec(String(await connections.#one(["INFO", "server"])))?.[1] ?? "0";
      if (Number(version) < REDIS_MIN)
        throw new Error(`it is Redis ${version}, but a mirror needs ${REDIS_MIN}.0 or later`);
      await connections.#one(["CLIENT", "TRACKING", "ON", "REDIRECT", String(id), "BCAST", "NOLOOP"]);
      connections.#pingRegularly(parts);
      return connections;
    } catch (problem) {
      const reason = connections.#trouble ?? sentenceOf(problem);
      connections.close();
      throw new Error(reason);
    }
  }

  /** The reason why the connections have closed, or null if they are open. */
  get trouble(): string | null {
    return this.#trouble;
  }

  /**
   * Sends commands together.
   * @returns one reply for each command, in order
   * @throws Error  the connections have closed, and the outcome of the commands is unknown
   */
  async request(commands: readonly RedisCommand[]): Promise<readonly RedisAnswer[]> {
    try {
      return await Promise.all(
        this.#timed(() => commands.map((command) => this.#requestOn(this.#requesting, command))),
      );
    } catch (problem) {
      this.#trouble ??= sentenceOf(problem);
      this.close();
      throw new Error(this.#trouble);
    }
  }

  /**
   * Returns the keys whose database exists in Redis. Redis may have fewer databases than the fold, and would write a
   * key of a missing database to the previously selected one.
   */
  async present<Key extends { readonly db: number }>(keys: readonly Key[]): Promise<readonly Key[]> {
    for (const { db } of keys) {
      if (this.#databases.has(db)) continue;
      const [answer] = await this.request([["SELECT", String(db)]]);
      this.#databases.set(db, !(answer instanceof Error));
    }
    return keys.filter(({ db }) => this.#databases.get(db));
  }

  /** Returns the number of keys in each database that is not empty. @throws Error */
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
    this.#requesting.disconnect();
    this.#receiving.disconnect();
  }

  /**
   * Pings regularly. If no reply arrives within `timeout`, both connections are closed. The comparison after the next
   * connection finds the changes that were missed.
   */
  #pingRegularly(parts: MirrorParts): void {
    this.#cancel = parts.environment.setTimer(parts.pingInterval ?? PING_INTERVAL_MS, () => {
      this.#requestOn(this.#receiving, ["PING"]).then(
        () => {
          if (this.#trouble === null) this.#pingRegularly(parts);
        },
        () => {
          this.#trouble ??= "the connection that receives other clients' changes does not reply";
          this.close();
        },
      );
    });
  }

  /** @throws Error  the connections have closed, or Redis replied with an error */
  async #one(command: RedisCommand): Promise<RedisAnswer> {
    const answer = await this.#requestOn(this.#requesting, command);
    if (answer instanceof Error) throw answer;
    return answer;
  }

  #requestOn(redis: Redis, [name, ...args]: RedisCommand): Promise<RedisAnswer> {
    // Write names in upper case, so that ioredis does not convert arguments and replies. Only the names of the commands
    // in `SUBSCRIBERS` are in lower case, because ioredis must recognize them.
    const known = SUBSCRIBERS.has(String(name)) ? String(name).toLowerCase() : String(name);
    const command = new Command(known, [...args], { replyEncoding: null });
    redis.sendCommand(command);
    return (command.promise as Promise<RedisAnswer>).catch((problem: unknown) => {
      if (problem instanceof Error && problem.name === "ReplyError") return problem;
      throw problem;
    });
  }
}

const MICROSECONDS = 1000;

/** The CPU time that the mirror uses. Elapsed time would include other programs on a busy machine. */
export class CpuTime {
  #spent = 0;

  /** Runs synchronous work, and adds its CPU time to the total. */
  readonly timed = <Result>(work: () => Result): Result => {
    const from = process.cpuUsage();
    const result = work();
    const { user, system } = process.cpuUsage(from);
    this.#spent += (user + system) / MICROSECONDS;
    return result;
  };

  /** Returns the CPU time since the last call, in milliseconds. */
  take(): number {
    const spent = this.#spent;
    this.#spent = 0;
    return spent;
  }
}
