/** Unmodified clients of one daemon, none of which sends a command twice. */
import { Redis } from "ioredis";
import { type Collection, MongoClient, MongoServerError, MongoServerSelectionError } from "mongodb";
import { pause } from "../../../support/pause.js";
import { RawClient } from "../../../support/raw-client.js";
import type { RedisValue } from "../../../support/redis-connection.js";
import type { SeededRandom } from "../../../support/seeded-random.js";
import {
  compareAndSet,
  DOCUMENTS,
  documentText,
  type Fields,
  MEMCACHED,
  type Meaning,
  type PlainCommand,
  REDIS,
  setIfUnchanged,
} from "./commands.js";

/** The outcome of a command, as its client knows it. `unsent`: the daemon does not run. */
export type Ended =
  | { readonly kind: "answer"; readonly answer: RedisValue }
  | { readonly kind: "refused" | "unknown" | "unsent"; readonly reason: string };

/** A command on a key before it is sent. */
export interface Call {
  readonly meaning: Meaning;
  /** Whether it takes an element, which the daemon puts back if it loses the client. */
  readonly isClaim?: boolean;
  readonly send: () => Promise<Ended>;
}

/** The choices from which a call is drawn. */
export interface Drawing {
  readonly kind: string;
  readonly key: string;
  /** A value that no other command writes. */
  readonly token: string;
  readonly random: SeededRandom;
}

export interface PlainClient extends Disposable {
  readonly name: string;
  /** The seat of its daemon. */
  readonly seat: number;
  /** The kinds of keys that it uses. */
  readonly kinds: readonly string[];
  /** Returns the next call, or null if it needs a value that the daemon does not return. */
  draw(drawing: Drawing): Promise<Call | null>;
}

/** The timeout of a call and of a connection in milliseconds. */
const CALL_MS = 4_000;
const CONNECT_MS = 1_000;
/** The error of a command that may have an effect. Each other error of a daemon excludes one. */
const MAYBE_APPLIED = /MAYBEAPPLIED/;
/** The commands that take elements. */
const CLAIMS = /POP|GETDEL|LMOVE/;
const unsent = (reason: string): Ended => ({ kind: "unsent", reason });
const unknown = (reason: string): Ended => ({ kind: "unknown", reason });
const refused = (reason: string): Ended => ({
  kind: MAYBE_APPLIED.test(reason) ? "unknown" : "refused",
  reason,
});

/** The share of commands on a counter that are transactions after WATCH. */
const TRANSACTIONS = 0.2;

export class PlainRedis implements PlainClient {
  readonly name: string;
  readonly seat: number;
  readonly kinds = Object.keys(REDIS);
  readonly #port: number;
  #redis: Redis | null = null;

  constructor(seat: number, port: number) {
    this.name = `Redis client of ${seat}`;
    this.seat = seat;
    this.#port = port;
  }

  async draw({ kind, key, token, random }: Drawing): Promise<Call | null> {
    if (kind === "counter" && random.chance(TRANSACTIONS)) return await this.#watched(key);

    const meaning = random.oneOf(REDIS[kind] ?? [])(key, token, random);
    const isClaim = meaning.calls.some(([name = ""]) => CLAIMS.test(name));
    return { meaning, isClaim, send: () => this.#send(meaning) };
  }

  /** Returns a transaction that takes effect unless a key changes that the client watches from now on. */
  async #watched(key: string): Promise<Call | null> {
    const redis = await this.#connected();
    if (redis === null) return null;
    try {
      await redis.watch(key);
      const seen = await redis.get(key);
      const meaning = setIfUnchanged(key, seen);
      return { meaning, send: () => this.#send(meaning, redis) };
    } catch {
      this[Symbol.dispose]();
      return null;
    }
  }

  /** @param watching  the connection that watches keys; null: none */
  async #send(command: PlainCommand, watching: Redis | null = null): Promise<Ended> {
    const redis = watching ?? (await this.#connected());
    if (redis === null) return unsent("no connection");
    try {
      return { kind: "answer", answer: await run(redis, command) };
    } catch (problem) {
      const { message, name } = problem as Error;
      if (name === "ReplyError") return refused(message);
      // The connection is lost, or the time is over.
      this[Symbol.dispose]();
      return unknown(message);
    }
  }

  async #connected(): Promise<Redis | null> {
    if (this.#redis?.status === "ready") return this.#redis;

    this[Symbol.dispose]();
    const redis = new Redis({
      port: this.#port,
      lazyConnect: true,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: null,
      commandTimeout: CALL_MS,
      connectTimeout: CONNECT_MS,
    });
    redis.on("error", () => {});
    this.#redis = redis;

    try {
      await redis.connect();
      return redis;
    } catch {
      this[Symbol.dispose]();
      return null;
    }
  }

  [Symbol.dispose](): void {
    this.#redis?.disconnect();
    this.#redis = null;
  }
}

async function run(redis: Redis, { calls, isTransaction }: PlainCommand): Promise<RedisValue> {
  const [[first = "", ...rest] = []] = calls;
  if (calls.length === 1 && isTransaction !== true) return (await redis.call(first, ...rest)) as RedisValue;
  const replies = await redis
    .multi(calls.map(([name = "", ...argv]) => [name.toLowerCase(), ...argv]))
    .exec();
  return replies === null ? null : replies.map(([problem, reply]) => problem ?? (reply as RedisValue));
}

/** The answers of memcached to a request that has failed. */
const MEMCACHED_ERROR = /^(SERVER_ERROR|CLIENT_ERROR|ERROR)/;

export class PlainMemcached implements PlainClient {
  readonly name: string;
  readonly seat: number;
  readonly kinds = Object.keys(MEMCACHED);
  readonly #port: number;
  #raw: RawClient | null = null;

  constructor(seat: number, port: number) {
    this.name = `memcached client of ${seat}`;
    this.seat = seat;
    this.#port = port;
  }

  async draw({ kind, key, token, random }: Drawing): Promise<Call | null> {
    const meaning = random.chance(0.3)
      ? await this.#compared(key)
      : random.oneOf(MEMCACHED[kind] ?? [])(key, token, random);
    if (meaning === null) return null;
    const [[line = ""] = []] = meaning.calls;
    return { meaning, send: () => this.#send(line) };
  }

  /** Returns a request that replaces the value that the daemon has at present. */
  async #compared(key: string): Promise<PlainCommand | null> {
    const raw = await this.#connected();
    if (raw === null) return null;
    raw.send(`gets ${key}\r\n`);
    const answer = await this.#answer(raw, "END\r\n");
    const [, unique = "", value = ""] = /^VALUE \S+ \d+ \d+ (\d+)\r\n(.*)\r\n/.exec(answer) ?? [];
    return /^\d$/.test(value) ? compareAndSet(key, { value, unique }) : null;
  }

  async #send(line: string): Promise<Ended> {
    const raw = await this.#connected();
    if (raw === null) return unsent("no connection");
    raw.send(`${line}\r\n`);
    const answer = (await this.#answer(raw, "\r\n")).trimEnd();
    if (answer === "") return unknown("no answer");
    return MEMCACHED_ERROR.test(answer) ? refused(answer) : { kind: "answer", answer };
  }

  /** Returns the answer up to its end, or "" after the timeout or if the connection is lost. */
  async #answer(raw: RawClient, end: string): Promise<string> {
    const late = pause(CALL_MS).then(() => "");
    const answer = await Promise.race([raw.readTo(end).catch(() => ""), late]);
    if (answer.endsWith(end)) return answer;
    this[Symbol.dispose]();
    return "";
  }

  async #connected(): Promise<RawClient | null> {
    if (this.#raw?.ended === true) this[Symbol.dispose]();
    this.#raw ??= await RawClient.open(this.#port).catch(() => null);
    return this.#raw;
  }

  [Symbol.dispose](): void {
    this.#raw?.[Symbol.dispose]();
    this.#raw = null;
  }
}

/** The database and the collection of the documents, whose key is `mongo:shop.orders`. */
export const [DATABASE, COLLECTION] = ["shop", "orders"] as const;
const DUPLICATE = 11_000;

interface Order extends Fields {
  readonly _id: string;
}

export class PlainMongo implements PlainClient {
  readonly name: string;
  readonly seat: number;
  readonly kinds = ["document"];
  readonly #client: MongoClient;
  readonly #orders: Collection<Order>;

  /** @param selectMs  the milliseconds for which a call waits for a connection */
  constructor(seat: number, port: number, selectMs = CONNECT_MS) {
    this.name = `MongoDB client of ${seat}`;
    this.seat = seat;
    this.#client = new MongoClient(`mongodb://127.0.0.1:${port}`, {
      directConnection: true,
      retryWrites: false,
      maxPoolSize: 1,
      serverSelectionTimeoutMS: selectMs,
      connectTimeoutMS: selectMs,
      socketTimeoutMS: CALL_MS,
    });
    this.#orders = this.#client.db(DATABASE).collection<Order>(COLLECTION);
  }

  async draw({ key: _id, token, random }: Drawing): Promise<Call | null> {
    const orders = this.#orders;
    const call = (meaning: Meaning, run: () => Promise<RedisValue>): Call => ({
      meaning,
      send: () => ended(run),
    });
    switch (random.below(6)) {
      case 0:
        return call(DOCUMENTS.insert(_id, token), () =>
          orders.insertOne({ _id, v: token }).then(
            () => "inserted",
            (problem) => {
              if (problem instanceof MongoServerError && problem.code === DUPLICATE) return "duplicate";
              throw problem;
            },
          ),
        );
      case 1:
        return call(DOCUMENTS.remove(_id), async () => returned(await orders.findOneAndDelete({ _id })));
      case 2:
        return call(DOCUMENTS.upsert(_id), async () => {
          const { upsertedCount } = await orders.updateOne({ _id }, { $inc: { n: 1 } }, { upsert: true });
          return upsertedCount === 1 ? "upserted" : "matched";
        });
      case 3: {
        const seen = await orders.findOne({ _id }).catch(() => null);
        if (seen?.v === undefined) return null;
        const filter = { _id, v: seen.v };
        return call(DOCUMENTS.replace(_id, seen.v, token), async () => {
          const { matchedCount } = await orders.updateOne(filter, { $set: { v: token } });
          return matchedCount === 1 ? "matched" : "none";
        });
      }
      default:
        return call(DOCUMENTS.countAndReturn(_id), async () =>
          returned(await orders.findOneAndUpdate({ _id }, { $inc: { n: 1 } }, { returnDocument: "after" })),
        );
    }
  }

  /** Returns the text of a document, or null if there is none. */
  async read(_id: string): Promise<string | null> {
    return returned(await this.#orders.findOne({ _id }));
  }

  [Symbol.dispose](): void {
    void this.#client.close();
  }
}

const returned = (found: Fields | null): string | null => (found === null ? null : documentText(found));

async function ended(run: () => Promise<RedisValue>): Promise<Ended> {
  try {
    return { kind: "answer", answer: await run() };
  } catch (problem) {
    const { message } = problem as Error;
    if (problem instanceof MongoServerSelectionError) return unsent(message);
    return problem instanceof MongoServerError ? refused(message) : unknown(message);
  }
}
