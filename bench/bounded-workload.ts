/**
 * Commands of many kinds that write indefinitely and keep a state of constant size, so that growth under them has
 * another cause.
 */
import type { SeededRandom } from "../test/support/seeded-random.js";

export type Argv = readonly string[];

export interface WorkloadSize {
  /** In addition to the keys of live sessions; at least 100. */
  readonly keys: number;
  /** Lifetime of a session. Names of sessions are never reused. */
  readonly sessionSeconds: number;
}

/** Keys of each kind, 100,000 together. */
const KEYS = { text: 40_000, count: 20_000, hash: 20_000, set: 8_000, list: 6_000, ranks: 4_000, log: 2_000 };
/** Elements of a list, members of a set and of a sorted set, entries of a stream. */
const ELEMENTS = 20;
const FIELDS = 12;
const KEYS_TOGETHER = 100_000;
const LONG = "x".repeat(1024);

interface Choice {
  readonly below: (count: number) => number;
  readonly key: (kind: keyof typeof KEYS) => string;
  readonly number: number;
  readonly name: string;
  readonly sessionSeconds: number;
}

type Make = (choice: Choice) => readonly Argv[];

/** One command, or two of which the second removes what the first added. All are equally likely. */
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

/** The number of kinds of commands, for reports. */
export const KINDS = MAKES.length;

const listTrimmed = (key: string, number: number): readonly Argv[] => [
  ["LPUSH", key, String(number)],
  ["LTRIM", key, "0", String(ELEMENTS - 1)],
];

export class BoundedWorkload {
  readonly #random: SeededRandom;
  readonly #size: WorkloadSize;
  readonly #name: string;
  #number = 0;

  /** Creates a workload. @param name  prefix of its sessions: a different one for each concurrent workload */
  constructor(random: SeededRandom, size: WorkloadSize, name = "") {
    this.#random = random;
    this.#size = size;
    this.#name = name;
  }

  next(count: number): Argv[] {
    const commands: Argv[] = [];
    const below = (most: number) => this.#random.below(most);
    const share = this.#size.keys / KEYS_TOGETHER;
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
