/**
 * An endless workload of many kinds of writes whose data have a constant total size. If a daemon's memory or disk usage
 * grows under this load, the cause is not the data.
 */
import type { SeededRandom } from "../test/support/seeded-random.js";

export type Argv = readonly string[];

/** The number of keys of each kind. The keys of live sessions are additional. */
const KEYS = { text: 8_000, count: 4_000, hash: 4_000, set: 1_600, list: 1_200, ranks: 800, log: 400 };
export const KEYS_TOTAL = Object.values(KEYS).reduce((sum, keys) => sum + keys);
/** The maximum lifetime of a session. Names of sessions are never reused. */
const SESSION_SECONDS = 60;
/** The number of elements of a list or sorted set, of members of a set and of entries of a stream. */
const ELEMENTS = 20;
const FIELDS = 12;
const LONG = "x".repeat(1024);

interface Choice {
  readonly below: (count: number) => number;
  readonly key: (kind: keyof typeof KEYS) => string;
  readonly number: number;
  readonly name: string;
}

type Make = (choice: Choice) => readonly Argv[];

/**
 * The kinds of writes, all equally likely. Each function returns one command, or two: one that adds an element and one
 * that removes another element.
 */
const MAKES: readonly Make[] = [
  ({ key, below, number }) => [["SET", key("text"), `${number}:${LONG.slice(0, below(200))}`]],
  ({ key, below, number }) => [["SET", key("text"), `${number}:${LONG.slice(0, below(200))}`]],
  ({ key }) => [["APPEND", key("text"), "more"]],
  ({ key }) => [["DEL", key("text")]],
  ({ key, below }) => [["EXPIRE", key("text"), String(60 + below(600))]],
  ({ below, name, number }) => [
    ["SET", `session:${name}:${number}`, LONG.slice(0, 64), "EX", String(1 + below(SESSION_SECONDS))],
  ],
  ({ key }) => [["INCR", key("count")]],
  ({ key, below }) => [["INCRBY", key("count"), String(below(100))]],
  ({ key, below, number }) => [["HSET", key("hash"), `field:${below(FIELDS)}`, String(number)]],
  ({ key }) => [["HINCRBY", key("hash"), "count", "1"]],
  ({ key, below }) => [["HDEL", key("hash"), `field:${below(FIELDS)}`]],
  ({ key, number }) => listTrimmed(key("list"), number),
  ({ key, below }) => [["SADD", key("set"), `member:${below(ELEMENTS)}`]],
  ({ key, below }) => [["SREM", key("set"), `member:${below(ELEMENTS)}`]],
  ({ key, below, number }) => [["ZADD", key("ranks"), String(number), `member:${below(ELEMENTS)}`]],
  ({ key, below }) => [["ZREM", key("ranks"), `member:${below(ELEMENTS)}`]],
  ({ key, number }) => [["XADD", key("log"), "MAXLEN", String(ELEMENTS), "*", "number", String(number)]],
];

/** The number of kinds of writes, for reports. */
export const KINDS = MAKES.length;

const listTrimmed = (key: string, number: number): readonly Argv[] => [
  ["LPUSH", key, String(number)],
  ["LTRIM", key, "0", String(ELEMENTS - 1)],
];

export class ConstantSizeWorkload {
  readonly #random: SeededRandom;
  readonly #name: string;
  #number = 0;

  /** Creates a workload. @param name  the prefix of its session names, different for each concurrent workload */
  constructor(random: SeededRandom, name: string) {
    this.#random = random;
    this.#name = name;
  }

  next(count: number): Argv[] {
    const commands: Argv[] = [];
    const below = (limit: number) => this.#random.below(limit);
    const key = (kind: keyof typeof KEYS) => `${kind}:${below(KEYS[kind])}`;
    while (commands.length < count) {
      const made = this.#random.oneOf(MAKES)({ below, key, name: this.#name, number: ++this.#number });
      if (commands.length + made.length <= count) commands.push(...made);
    }
    return commands;
  }
}
