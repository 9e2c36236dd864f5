/** Random pipelines on decided and other keys, whose answers do not depend on dates or on other clients. */
import type { SeededRandom } from "../support/seeded-random.js";

export type Command = readonly string[];

/** Scripts with two keys. The first ones also catch or cause errors after they have written. */
const SCRIPTS = [
  "redis.call('set', KEYS[1], 'a'); local e = redis.pcall('lpush', KEYS[1], 'x'); redis.call('append', KEYS[1], 'b'); return e.err",
  "redis.call('del', KEYS[1]); local e = redis.pcall('hincrby', KEYS[1], 'f', 'x'); return {e.err, redis.call('incr', KEYS[1])}",
  "redis.call('set', KEYS[1], 'partial'); return redis.call('lpush', KEYS[1], 'x')",
  "redis.call('set', KEYS[2], 'partial'); error('no')",
  "redis.call('del', KEYS[1], KEYS[2]); redis.call('rpush', KEYS[1], 'a'); redis.call('rename', KEYS[1], KEYS[2]); return redis.call('llen', KEYS[2])",
  "redis.setresp(3); redis.call('del', KEYS[1]); redis.call('zadd', KEYS[1], 1.5, 'm'); return redis.call('zrange', KEYS[1], 0, -1, 'withscores')",
  "return {redis.call('type', KEYS[1]), redis.call('exists', KEYS[2])}",
];
/** The databases that the pipelines use. */
export const DATABASES = ["0", "2"];

/**
 * The keys of a connection: two that are decided in each database, one that is decided in database 2, and one on which
 * the members never decide.
 */
export const keysOf = (tag: string): string[] => [`d:${tag}:1`, `d:${tag}:2`, `x:${tag}`, `p:${tag}`];

/** The pipelines of a connection, which use its own keys, so that the answers do not depend on other clients. */
export class Pipelines {
  readonly #random: SeededRandom;
  readonly #keys: readonly string[];

  constructor(random: SeededRandom, tag: string) {
    this.#random = random;
    this.#keys = keysOf(tag);
  }

  next(): Command[] {
    return Array.from({ length: this.#random.between(1, 8) }, () => this.#part()).flat();
  }

  /** Returns commands that belong together. */
  #part(): Command[] {
    const random = this.#random;
    switch (random.below(10)) {
      case 0:
      case 1:
        return [this.#script()];
      case 2:
        return [["SELECT", random.oneOf(DATABASES)]];
      case 3:
        return [["HELLO", random.oneOf(["2", "3"])]];
      case 4:
        return [["CLIENT", "REPLY", "SKIP"], this.#command()];
      case 5:
        return [["CLIENT", "REPLY", "OFF"], this.#command(), ["CLIENT", "REPLY", "ON"]];
      case 6:
      case 7:
        return this.#transaction();
      default:
        return [this.#command(), this.#command()];
    }
  }

  #transaction(): Command[] {
    const random = this.#random;
    const queued = Array.from({ length: random.between(1, 4) }, () =>
      random.chance(0.8) ? this.#command() : this.#script(),
    );
    return [
      ...(random.chance(0.5) ? [["WATCH", random.oneOf(this.#keys)]] : []),
      ...(random.chance(0.3) ? [this.#command()] : []),
      ...[["MULTI"], ...queued, [random.chance(0.9) ? "EXEC" : "DISCARD"]],
    ];
  }

  #script(): Command {
    return ["EVAL", this.#random.oneOf(SCRIPTS), "2", this.#decided(), this.#random.oneOf(this.#keys)];
  }

  #decided(): string {
    return this.#random.oneOf(this.#keys.slice(0, 2));
  }

  /** Returns a command. Those that take elements take them from a key that is decided in each database. */
  #command(): Command {
    const random = this.#random;
    const [k, other, d] = [random.oneOf(this.#keys), random.oneOf(this.#keys), this.#decided()];
    const v = String(random.below(9));
    return random.oneOf<Command>([
      ...[
        ["SET", k, v],
        ["SET", k, v, "NX"],
        ["SET", k, v, "XX", "GET"],
        ["GETSET", k, v],
        ["GETDEL", d],
      ],
      ...[
        ["INCR", k],
        ["INCRBYFLOAT", k, "1.5"],
        ["APPEND", k, v],
        ["GET", k],
        ["SETRANGE", k, "2", v],
      ],
      ...[
        ["MSET", k, v, other, v],
        ["MSETNX", k, v, other, v],
        ["DEL", k, other],
        ["EXISTS", k, other],
      ],
      ...[["EXPIRE", k, "1000"], ["EXPIRE", k, "-1"], ["PERSIST", k], ["TYPE", k], ["NOSUCH", d], ["INCR"]],
      ...[
        ["RPUSH", k, v, "w"],
        ["LPOP", d],
        ["RPOP", d, "2"],
        ["LRANGE", k, "0", "-1"],
        ["LREM", k, "1", v],
      ],
      ...[
        ["LMOVE", d, k, "LEFT", "RIGHT"],
        ["BLPOP", d, "0.01"],
        ["BLMOVE", d, d, "LEFT", "LEFT", "0.01"],
      ],
      ...[
        ["SADD", k, v, "w"],
        ["SREM", k, v],
        ["SMOVE", k, other, "w"],
        ["SUNIONSTORE", k, other, d],
      ],
      ...[
        ["HSET", k, "f", v],
        ["HSETNX", k, "g", v],
        ["HINCRBY", k, "n", "2"],
        ["HDEL", k, "f"],
      ],
      ...[
        ["ZADD", k, "1.25", v, "2", "w"],
        ["ZPOPMIN", d],
        ["ZRANGE", k, "0", "-1", "WITHSCORES"],
      ],
      ...[
        ["XADD", k, "1-1", "f", v],
        ["XRANGE", k, "-", "+"],
        ["XGROUP", "CREATE", k, "g", "0", "MKSTREAM"],
      ],
      ...[
        ["XREADGROUP", "GROUP", "g", "c", "STREAMS", d, ">"],
        ["XACK", k, "g", "1-1"],
        ["XDEL", k, "1-1"],
      ],
      ...[
        ["RENAME", k, other],
        ["RENAMENX", k, other],
        ["COPY", k, other, "DB", random.oneOf(DATABASES)],
      ],
      ...[
        ["MOVE", k, random.oneOf(DATABASES)],
        ["SORT", k, "ALPHA", "STORE", other],
        ["PFADD", k, v],
      ],
    ]);
  }
}

/** Returns the number of replies to a pipeline. */
export function repliesTo(pipeline: readonly Command[]): number {
  const silent = pipeline.filter(([name, word]) => name === "CLIENT" && word === "REPLY");
  const skips = silent.filter(([, , mode]) => mode !== "ON").length;
  // SKIP and OFF have no reply themselves, and each is followed by one command without a reply.
  return pipeline.length - 2 * skips;
}
