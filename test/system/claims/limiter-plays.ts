/** Limiters that count calls in a key that expires. Clients of all daemons use and delete the same key. */
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Redis } from "ioredis";
import { RedisRateLimit } from "../../../examples/recipes/redis-rate-limit.js";
import { amount } from "../../support/amount.js";
import { pause } from "../../support/pause.js";
import { repositoryRoot } from "../../support/repository.js";
import { DAEMONS, type Play, type Round } from "./claim-rounds.js";

/** The rounds that run at the same time: each has a single key. */
const ROUNDS_AT_ONCE = amount(20, 50);
const CALLS = 4;
const PAUSE_MS_MAX = 50;
/** A lifetime in seconds after which a key does not expire during its round. */
const SECONDS = 1000;
/** The share of the calls of a limiter that delete the key. */
const DELETES = 0.25;

interface Limiter {
  readonly name: string;
  readonly withKills: boolean;
  /** The share of the calls at a daemon that delete the key. */
  removalsAt(round: Round, daemon: number): number;
  /** The name of the key that a round counts in. */
  keyOf(round: Round): string;
  count(round: Round, daemon: number): Promise<void>;
  remove(round: Round, daemon: number): Promise<void>;
}

/** Returns rounds that count the keys without a lifetime. */
export function limiterPlay(limiter: Limiter): Play {
  const { name, withKills } = limiter;
  const using = async (round: Round, daemon: number) => {
    const removals = limiter.removalsAt(round, daemon);
    const calls = Array.from({ length: CALLS }, () => ({
      ms: round.random.below(PAUSE_MS_MAX),
      removes: round.random.chance(removals),
    }));
    for (const { ms, removes } of calls) {
      await pause(ms);
      await (removes ? limiter.remove(round, daemon) : limiter.count(round, daemon));
    }
  };
  return {
    name,
    atOnce: ROUNDS_AT_ONCE,
    withKills,
    async work(round) {
      await Promise.all(DAEMONS.map((daemon) => using(round, daemon)));
    },
    async count(round, figures) {
      const outcome = await round.connections.call(
        round.random.oneOf(DAEMONS),
        round.lane,
        "TTL",
        limiter.keyOf(round),
      );
      if (outcome.kind !== "answer") throw new Error(`TTL: ${JSON.stringify(outcome)}`);
      if (outcome.answer === -1) figures.withoutLifetime++;
      figures.jobs++;
    },
  };
}

const keyOf = ({ key }: Round) => `${key}:calls`;

/**
 * The limiter of Redis's page on INCR. A client that dies between its commands leaves a key without a lifetime. So does
 * a client whose daemon has received another client's INCR, but neither the EXPIRE that follows it nor a DEL. In half
 * of the rounds, all daemons therefore count and none deletes; in the other half, one counts and the others delete.
 */
export const incremented: Limiter = {
  name: "INCR, and EXPIRE if the answer is 1",
  withKills: false,
  removalsAt: ({ number }, daemon) => (number % 2 === 0 || daemon === (number >> 1) % DAEMONS.length ? 0 : 1),
  keyOf,
  async count(round, daemon) {
    const outcome = await round.connections.call(daemon, round.lane, "INCR", keyOf(round));
    if (outcome.kind === "answer" && outcome.answer === 1)
      await round.connections.call(daemon, round.lane, "EXPIRE", keyOf(round), String(SECONDS));
  },
  async remove(round, daemon) {
    await round.connections.call(daemon, round.lane, "DEL", keyOf(round));
  },
};

/** The length of a slot of the recipe, in milliseconds. It exceeds the duration of the test. */
const SLOT_MS = 1e12;

/** The limiter of docs/recipes.md. */
export const recipe: Limiter = {
  name: "the recipe for Redis clients",
  withKills: true,
  removalsAt: () => DELETES,
  keyOf: (round) => `rate:${keyOf(round)}:${Math.floor(Date.now() / SLOT_MS)}`,
  async count(round, daemon) {
    const { connections, lane } = round;
    // A daemon that was killed does not answer.
    await connections
      .redis(daemon, lane)
      .then((redis) => new RedisRateLimit(redis, CALLS, SLOT_MS).admit(keyOf(round)))
      .catch(() => null);
  },
  async remove(round, daemon) {
    await round.connections.call(daemon, round.lane, "DEL", this.keyOf(round));
  },
};

interface RateLimiter {
  consume(key: string, points?: number): Promise<unknown>;
  penalty(key: string, points?: number): Promise<unknown>;
  delete(key: string): Promise<boolean>;
}

interface RateLimiterFlexible {
  readonly RateLimiterRedis: new (options: {
    storeClient: Redis;
    points: number;
    duration: number;
    keyPrefix: string;
  }) => RateLimiter;
}

/** Returns the limiter of a library, or null if the library is not installed. */
export function rateLimiterFlexible(): Limiter | null {
  const require = createRequire(join(repositoryRoot, "test", "libraries", "npm", "package.json"));
  let library: RateLimiterFlexible;
  try {
    library = require("rate-limiter-flexible") as RateLimiterFlexible;
  } catch {
    return null;
  }

  const limiterOf = async ({ connections, lane, key }: Round, daemon: number) =>
    new library.RateLimiterRedis({
      storeClient: await connections.redis(daemon, lane),
      points: 5,
      duration: SECONDS,
      keyPrefix: key,
    });
  /** A daemon that was killed does not answer, and a client without points is rejected. */
  const attempt = async (round: Round, daemon: number, call: (limiter: RateLimiter) => Promise<unknown>) => {
    await limiterOf(round, daemon)
      .then(call)
      .catch(() => null);
  };

  return {
    name: "rate-limiter-flexible",
    withKills: true,
    removalsAt: () => DELETES,
    keyOf: ({ key }) => `${key}:caller`,
    count: (round, daemon) =>
      attempt(round, daemon, (limiter) =>
        round.random.chance(0.8) ? limiter.consume("caller") : limiter.penalty("caller", 2),
      ),
    remove: (round, daemon) => attempt(round, daemon, (limiter) => limiter.delete("caller")),
  };
}
