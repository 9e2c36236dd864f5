/**
 * Limiters whose programs use several servers at the same moment, for ../decided-programs.test.ts. Arguments: the number
 * of calls, then the ports. Writes what each limiter admitted and counted to stdout, as a line of JSON.
 */
import { Redis } from "ioredis";
import { RedisStore } from "rate-limit-redis";
import { RateLimiterRedis } from "rate-limiter-flexible";

const [calls, ...ports] = process.argv.slice(2).map(Number);
const DURATION_S = 600;
/** Each run of this program counts separately. */
const PREFIX = `limit:${process.pid}`;
/** The calls that a limiter admits. */
const LIMIT = Math.ceil(calls / 2);
const clients = ports.map((port) => new Redis({ port }));
const at = (items, index) => items[index % items.length];
const numbers = Array.from({ length: calls }, (_, index) => index);
const figures = {};

/** rate-limiter-flexible: which calls are admitted, and the remaining points that each one reports. */
{
  const limiters = clients.map(
    (storeClient) =>
      new RateLimiterRedis({ storeClient, points: LIMIT, duration: DURATION_S, keyPrefix: PREFIX }),
  );
  const consume = async (number) => {
    try {
      const { consumedPoints } = await at(limiters, number).consume("user");
      return { admitted: true, count: consumedPoints };
    } catch (refusal) {
      // A refusal is no error, but the state of the limiter.
      if (refusal instanceof Error) return { error: refusal.message };
      return { admitted: false, count: refusal.consumedPoints };
    }
  };
  figures["rate-limiter-flexible"] = figuresOf(await Promise.all(numbers.map(consume)));
}

/** rate-limit-redis: the number of hits that each call reports. */
{
  const stores = clients.map((redis) => {
    const store = new RedisStore({
      sendCommand: (...words) => redis.call(...words),
      prefix: `${PREFIX}:express:`,
    });
    store.init({ windowMs: DURATION_S * 1000 });
    return store;
  });
  const increment = async (number) => {
    try {
      const { totalHits } = await at(stores, number).increment("user");
      return { admitted: totalHits <= LIMIT, count: totalHits };
    } catch (problem) {
      return { error: problem.message };
    }
  };
  figures["rate-limit-redis"] = figuresOf(await Promise.all(numbers.map(increment)));
}

function figuresOf(outcomes) {
  const answered = outcomes.filter(({ error }) => error === undefined);
  return {
    admitted: answered.filter(({ admitted }) => admitted).length,
    limit: LIMIT,
    answered: answered.length,
    counts: new Set(answered.map(({ count }) => count)).size,
    errors: [...new Set(outcomes.flatMap(({ error }) => (error === undefined ? [] : [error])))].slice(0, 3),
  };
}

console.log(JSON.stringify(figures));
for (const client of clients) client.disconnect();
