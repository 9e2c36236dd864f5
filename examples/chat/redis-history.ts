/**
 * The history in Redis, for servers without MongoDB. Each room has a hash of messages by id, and a sorted set of ids
 * by time.
 */
import type { Redis } from "ioredis";
import type { History } from "./history.js";
import { type Message, orderOf } from "./message.js";

/**
 * The number of messages that are read in addition to a page. Messages of the same millisecond as the message `before`
 * may have to be skipped.
 */
const SAME_TIME_MAX = 64;

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
