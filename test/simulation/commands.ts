/**
 * The commands of the simulated clients. They use few keys, so that commands conflict. Their results depend on their
 * order, and keys may expire during a partition. Some commands are arbitrary calls that the store's grammars generate.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { randomCall } from "../conformance/call.js";
import { commandGrammars } from "../conformance/families.js";
import { Generator } from "../conformance/grammar.js";
import type { SeededRandom } from "../support/seeded-random.js";
import { GroupCommands } from "./group-commands.js";
import { TableCommands } from "./table-commands.js";

type Argv = readonly ByteString[];

/** The share of calls that the grammars generate. */
const ANYTHING = 0.08;
const MALFORMED = 0.03;
/** The share of the remaining calls that use the run's favourite kind of value. */
const FOCUS = 0.5;

/** Kinds of values by the prefixes of their keys. */
const KINDS = { n: "number", t: "text", l: "list", s: "set", h: "hash", z: "sorted set" } as const;

export class CommandMaker {
  readonly #random: SeededRandom;
  readonly #generator: Generator;
  readonly #keys: number;
  /** The most frequent commands. */
  readonly #focus: readonly Maker[];
  /** The chance that a call uses tables or groups. */
  readonly #share: number;
  /** Commands on tables or groups, or null if the run has neither and draws no random numbers for them. */
  readonly #others: TableCommands | GroupCommands | null;
  #count = 0;

  constructor(
    random: SeededRandom,
    { keys, now, tables = 0, groups = 0 }: { keys: number; now: number; tables?: number; groups?: number },
  ) {
    this.#random = random;
    this.#keys = keys;
    this.#share = tables > 0 ? tables : groups;
    this.#others =
      tables > 0 ? new TableCommands(random, keys) : groups > 0 ? new GroupCommands(random, keys) : null;
    this.#focus = OF_KIND[random.oneOf(Object.keys(OF_KIND) as (keyof typeof KINDS)[])];
    this.#generator = new Generator({ random, now });
  }

  write(): Argv {
    const random = this.#random;
    const others = this.#aboutOthers();
    if (others !== null) return others.write();
    if (random.chance(ANYTHING)) return randomCall(this.#generator, random.oneOf(writing));
    const argv = random.oneOf(random.chance(FOCUS) ? this.#focus : MAKERS)(this);
    return random.chance(MALFORMED) && argv.length > 1 ? argv.slice(0, -1) : argv;
  }

  read(): Argv {
    const random = this.#random;
    const others = this.#aboutOthers();
    if (others !== null) return others.read();
    return random.oneOf<Argv>([
      ["GET", this.key("t")],
      ["GET", this.key("n")],
      ["LRANGE", this.key("l"), "0", "-1"],
      ["SMEMBERS", this.key("s")],
      ["DBSIZE"],
      ["TTL", this.anyKey()],
    ]);
  }

  /** Returns a key for values of a kind, rarely one of another kind. */
  key(kind: keyof typeof KINDS): ByteString {
    return this.#random.chance(0.04) ? this.anyKey() : `${kind}${this.#random.below(this.#keys)}`;
  }

  anyKey(): ByteString {
    const others = this.#aboutOthers();
    if (others !== null) return others.key();
    return `${this.#random.oneOf(Object.keys(KINDS))}${this.#random.below(this.#keys)}`;
  }

  /** Returns a value that no other command uses. */
  value(): ByteString {
    return `v${++this.#count}`;
  }

  /** Returns one of a few members, so that the value often contains the member already. */
  member(): ByteString {
    return `m${this.#random.below(8)}`;
  }

  /** Returns a time to live in milliseconds. */
  life(): ByteString {
    return String(this.#random.oneOf([1, 300, 1_000, 3_000, 10_000, 60_000]));
  }

  small(): ByteString {
    return String(this.#random.between(-3, 9));
  }

  db(): ByteString {
    return String(this.#random.below(2));
  }

  oneOf<T>(choices: readonly T[]): T {
    return this.#random.oneOf(choices);
  }

  /** Returns the commands that create the tables or groups of the run. The array is empty if the run has none. */
  beginning(): readonly Argv[] {
    return this.#others?.beginning() ?? [];
  }

  #aboutOthers(): TableCommands | GroupCommands | null {
    return this.#others !== null && this.#random.chance(this.#share) ? this.#others : null;
  }
}

const writing = commandGrammars.filter(({ name }) => !/^(FLUSH|SWAPDB|KEYS|SCAN|RANDOMKEY)/.test(name));

type Maker = (m: CommandMaker) => Argv;

const repeated = (times: number, maker: Maker): Maker[] => Array.from({ length: times }, () => maker);

/** The commands for each kind of value. */
const OF_KIND: Readonly<Record<keyof typeof KINDS, readonly Maker[]>> = {
  n: [
    ...repeated(6, (m) => ["INCR", m.key("n")]),
    (m) => ["INCRBY", m.key("n"), m.small()],
    (m) => ["SET", m.key("n"), m.small()],
  ],
  t: [
    (m) => ["SET", m.key("t"), m.value()],
    (m) => ["SET", m.key("t"), m.value(), "PX", m.life()],
    (m) => ["SET", m.key("t"), m.value(), m.oneOf(["NX", "XX", "GET", "KEEPTTL"])],
    (m) => ["APPEND", m.key("t"), m.value()],
    (m) => ["GETDEL", m.key("t")],
    (m) => ["MSETNX", m.key("t"), m.value(), m.key("t"), m.value()],
  ],
  l: [
    (m) => ["RPUSH", m.key("l"), m.value()],
    (m) => ["RPUSH", m.key("l"), m.value(), m.member()],
    (m) => ["LPUSH", m.key("l"), m.member()],
    (m) => ["LPOP", m.key("l")],
    (m) => ["RPOP", m.key("l")],
    (m) => ["LREM", m.key("l"), "1", m.member()],
    (m) => ["LINSERT", m.key("l"), "BEFORE", m.member(), m.value()],
    (m) => ["LMOVE", m.key("l"), m.key("l"), m.oneOf(["LEFT", "RIGHT"]), m.oneOf(["LEFT", "RIGHT"])],
  ],
  s: [
    ...repeated(2, (m) => ["SADD", m.key("s"), m.member(), m.member()]),
    (m) => ["SADD", m.key("s"), m.member()],
    ...repeated(2, (m) => ["SREM", m.key("s"), m.member()]),
    (m) => ["SPOP", m.key("s")],
    (m) => ["SMOVE", m.key("s"), m.key("s"), m.member()],
    (m) => ["SUNIONSTORE", m.key("s"), m.key("s"), m.key("s")],
  ],
  h: [
    (m) => ["HSET", m.key("h"), m.member(), m.value()],
    (m) => ["HDEL", m.key("h"), m.member()],
    (m) => ["HINCRBY", m.key("h"), "count", m.small()],
  ],
  z: [
    (m) => ["ZADD", m.key("z"), m.small(), m.member()],
    (m) => ["ZINCRBY", m.key("z"), m.small(), m.member()],
    (m) => ["ZPOPMIN", m.key("z")],
  ],
};

const MAKERS: readonly Maker[] = [
  ...Object.values(OF_KIND).flat(),
  (m) => ["DEL", m.anyKey()],
  ...repeated(2, (m) => ["PEXPIRE", m.anyKey(), m.life()]),
  (m) => ["PERSIST", m.anyKey()],
  (m) => ["RENAME", m.anyKey(), m.anyKey()],
  (m) => ["COPY", m.anyKey(), m.anyKey(), "REPLACE"],
  (m) => ["COPY", m.anyKey(), m.anyKey(), "DB", m.db()],
  (m) => ["MOVE", m.anyKey(), m.db()],
  (m) => m.oneOf(["FLUSHDB", "FLUSHDB", "FLUSHALL", "SWAPDB 0 1"]).split(" "),
];
