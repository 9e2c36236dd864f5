/** A rate limiter for a Redis client: N calls per time slot and name. The daemon of the client decides alone. */
import type { Redis } from "ioredis";

/** The number of slots after which a count expires. A slot may begin later on another program's clock. */
const SLOTS_STORED = 2;

export class RedisRateLimit {
  readonly #redis: Redis;
  readonly #limit: number;
  readonly #slotMs: number;

  constructor(redis: Redis, limit: number, slotMs: number) {
    this.#redis = redis;
    this.#limit = limit;
    this.#slotMs = slotMs;
  }

  /** Returns whether one more call is admitted. Refused calls are counted too. */
  async admit(name: string): Promise<boolean> {
    // Each slot has its own key, so a count never locks out its user permanently.
    const key = `rate:${name}:${Math.floor(Date.now() / this.#slotMs)}`;
    const unit = this.#redis
      .multi()
      .incr(key)
      .pexpire(key, SLOTS_STORED * this.#slotMs);
    const [failure, count] = (await unit.exec())?.[0] ?? [new Error("the daemon did not count the call")];
    if (failure !== null) throw failure;
    return Number(count) <= this.#limit;
  }
}
