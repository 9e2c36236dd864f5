/**
 * An endless workload of many kinds of writes whose data have a constant total size. If a daemon's memory or disk usage
 * grows under this load, the cause is not the data.
 */
import type { SeededRandom } from "../test/support/seeded-random.js";

export type Argv = readonly string[];

export interface WorkloadSize {
  /** The number of keys, at least 100. The keys of live sessions are additional. */
  readonly keys: number;
  /** The maximum lifetime of a session. Names of sessions are never reused. */
  readonly sessionSeconds: number;
}

/** The number of keys of each kind, 100,000 in total. */
const KEYS = { text: 40_000, count: 20_000, hash: 20_000, set: 8_000, list: 6_000, ranks: 4_000, log: 2_000 };
/** The number of elements of a list or sorted set, of members of a set and of entries of a stream. */
const ELEMENTS = 20;
const FIELDS = 12;
const KEYS_TOTAL = 100_000;
const LONG = "x".repeat(1024);

interface Choice {
  readonly below: (count: number) => number;
  readonly key: (kind: keyof typeof KEYS) => string;
  readonly number: number;
  readonly name: string;
  readonly sessionSeconds: number;
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
  ({ below, name, number, sessionSeconds }) => [
    ["SET", `session:${name}:${number}`, LONG.slice(0, 64), "EX", String(1 + below(sessionSeconds))],
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
  readonly #size: WorkloadSize;
  readonly #name: string;
  #number = 0;

  /** Creates a workload. @param name  the prefix of its session names, different for each concurrent workload */
  constructor(random: SeededRandom, size: WorkloadSize, name = "") {
    this.#random = random;
    this.#size = size;
    this.#name = name;
  }

  next(count: number): Argv[] {
    const commands: Argv[] = [];
    const below = (limit: number) => this.#random.below(limit);
    const share = this.#size.keys / KEYS_TOTAL;
    const key = (kind: keyof typeof KEYS) => `${kind}:${below(Math.ceil(KEYS[kind] * share))}`;
    const { sessionSeconds } = this.#size;
    while (commands.length < count) {
      const number = ++this.#number;
      const made = this.#random.oneOf(MAKES)({ below, key, name: this.#name, number, sessionSeconds });
      if (commands.length + made.length <= count) commands.push(...made);
    }
    return commands;
  }
}
