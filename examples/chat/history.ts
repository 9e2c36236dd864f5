/**
 * The history of the chat, in Redis or in MongoDB. Messages are appended, and read from the end, but never changed.
 */
import type { Redis } from "ioredis";
import type { Collection, MongoClient } from "mongodb";
import { type Message, orderOf } from "./message.js";

export interface History {
  /**
   * Stores a message, unless a message with its id is already stored. Resolves when it is stored.
   * @returns the stored message with this id: the given message, or the one that was stored first
   */
  add(message: Message): Promise<Message>;
  /**
   * Returns the last messages of a room in their order.
   * @param before  an order key, to return only messages before it, or null to begin at the end
   */
  last(room: string, count: number, before: string | null): Promise<readonly Message[]>;
  close(): Promise<void>;
}

/**
 * The number of messages that are read in addition to a page. Messages of the same millisecond as the message `before`
 * may have to be skipped.
 */
const SAME_TIME_MAX = 64;

/**
 * The history in Redis, for servers without MongoDB. Each room has a hash of messages by id, and a sorted set of ids
 * by time.
 */
export class RedisHistory implements History {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  async add(message: Message): Promise<Message> {
    const { messages, times } = keysOf(message.room);
    const { id, order: _, ...fields } = message;
    // Both commands are applied once or not at all, so a lost answer leaves no incomplete state.
    const results = await this.#redis
      .multi()
      .hsetnx(messages, id, JSON.stringify(fields))
      .zadd(times, "NX", message.at, id)
      .exec();
    for (const [problem] of results ?? [[new Error("the transaction was not executed")]])
      if (problem) throw problem;
    if (results?.[0]?.[1] === 1) return message;
    const [known] = await this.#read(messages, [id]);
    return known ?? message;
  }

  async last(room: string, count: number, before: string | null): Promise<readonly Message[]> {
    const { messages, times } = keysOf(room);
    const from = before === null ? "+inf" : String(Number.parseInt(before, 16));
    const max = before === null ? count : count + SAME_TIME_MAX;
    const ids = await this.#redis.zrange(times, from, "-inf", "BYSCORE", "REV", "LIMIT", 0, max);
    const found = await this.#read(messages, ids);
    return found
      .filter(({ order }) => before === null || order < before)
      .slice(0, count)
      .sort((a, b) => (a.order < b.order ? -1 : 1));
  }

  async close(): Promise<void> {
    // The connection belongs to the sessions, which close it.
  }

  async #read(messages: string, ids: readonly string[]): Promise<readonly Message[]> {
    if (ids.length === 0) return [];
    const texts = await this.#redis.hmget(messages, ...ids);
    return texts.flatMap((text, index) => {
      if (text === null) return [];
      const id = ids[index] as string;
      const fields = JSON.parse(text) as Omit<Message, "id" | "order">;
      return [{ id, order: orderOf(fields.at, id), ...fields }];
    });
  }
}

const keysOf = (room: string) => ({ messages: `chat:messages:${room}`, times: `chat:times:${room}` });

type StoredMessage = Omit<Message, "id"> & { readonly _id: string };

/** The error of MongoDB if the `_id` already exists. */
const DUPLICATE = 11000;
/** The errors of the driver that concern the connection and not the request. */
const LINE_TROUBLE = /^Mongo(Network|NetworkTimeout|ServerSelection|NotConnected|TopologyClosed|PoolCleared)/;

interface Opened {
  readonly client: MongoClient;
  readonly messages: Collection<StoredMessage>;
}

/**
 * The history in MongoDB. Each message is a document with the message's id as `_id`. The database is `chat`, unless
 * the address names another one.
 */
export class MongoHistory implements History {
  readonly #urls: readonly string[];
  readonly #answersWithinMs: number;
  #tried = 0;
  #opened: Promise<Opened> | null = null;

  private constructor(urls: readonly string[], answersWithinMs: number) {
    this.#urls = urls;
    this.#answersWithinMs = answersWithinMs;
  }

  /**
   * @param urls  the addresses of servers with the same data, such as daemons that are peers; they are tried in turn
   * @throws Error  if the package mongodb is missing, or no server answers
   */
  static async open(urls: readonly string[], answersWithinMs: number): Promise<MongoHistory> {
    const history = new MongoHistory(urls, answersWithinMs);
    await history.#request((messages) => messages.createIndex({ room: 1, order: 1 }));
    return history;
  }

  add(message: Message): Promise<Message> {
    const { id, ...rest } = message;
    return this.#request(async (messages) => {
      try {
        await messages.insertOne({ _id: id, ...rest });
        return message;
      } catch (problem) {
        if ((problem as { code?: unknown }).code !== DUPLICATE) throw problem;
        const known = await messages.findOne({ _id: id });
        return known === null ? message : messageOf(known);
      }
    });
  }

  async last(room: string, count: number, before: string | null): Promise<readonly Message[]> {
    const which = before === null ? { room } : { room, order: { $lt: before } };
    const found = await this.#request((messages) =>
      messages.find(which).sort({ order: -1 }).limit(count).toArray(),
    );
    return found.reverse().map(messageOf);
  }

  async close(): Promise<void> {
    const opened = await this.#opened?.catch(() => null);
    await opened?.client.close();
  }

  /**
   * Sends a request to the server that answered last, and if that fails, to each other server once. A request can be
   * repeated, since an id is stored only once.
   */
  async #request<Answer>(work: (messages: Collection<StoredMessage>) => Promise<Answer>): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      const opening = (this.#opened ??= this.#open());
      try {
        const { messages } = await opening;
        return await work(messages);
      } catch (problem) {
        if (!LINE_TROUBLE.test((problem as Error).name)) throw problem;
        // Several requests may detect the lost server at the same time. Only one request connects to the next server.
        if (this.#opened === opening) {
          this.#opened = null;
          this.#tried++;
          opening.then(({ client }) => client.close()).catch(() => {});
        }
        if (attempt > this.#urls.length) throw problem;
      }
    }
  }

  async #open(): Promise<Opened> {
    const { MongoClient } = await import("mongodb");
    const url = this.#urls[this.#tried % this.#urls.length] as string;
    const within = this.#answersWithinMs / this.#urls.length;
    const client = new MongoClient(url, {
      serverSelectionTimeoutMS: within,
      connectTimeoutMS: within,
      socketTimeoutMS: this.#answersWithinMs,
      // The driver need not repeat writes, since a duplicate shows that the first attempt was stored.
      retryWrites: false,
    });
    await client.connect();
    const name = client.options.dbName === "test" ? "chat" : client.options.dbName;
    return { client, messages: client.db(name).collection("messages") };
  }
}

const messageOf = ({ _id, ...rest }: StoredMessage): Message => ({ id: _id, ...rest });
