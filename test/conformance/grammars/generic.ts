/** Calls of the commands on keys of any type. */

import "../../support/installed-families.js";
import { Database } from "../../../daemon/store/database.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { redisDumps } from "../../support/redis-dumps.js";
import type { FamilyGrammar, Generator } from "../grammar.js";

const condition = (g: Generator): ByteString[] =>
  g.shuffleOptions([g.maybe(0.15, "NX"), g.maybe(0.15, "XX"), g.maybe(0.15, "GT"), g.maybe(0.15, "LT")]);

const typeName = (g: Generator): ByteString =>
  g.oneOf("string", "list", "set", "zset", "hash", "stream", "HASH", "abc");

/** A command that creates a value. */
const creation = (g: Generator): readonly ByteString[] =>
  g.oneOf<readonly ByteString[]>(
    ["SET", "k", g.value()],
    ["RPUSH", "k", ...g.some(() => g.value(), 1, 5)],
    ["SADD", "k", ...g.some(() => g.member(), 1, 5)],
    ["HSET", "k", ...g.some(() => [g.field(), g.value()], 1, 5)],
    ["ZADD", "k", ...g.some(() => [g.score(), g.member()], 1, 5)],
    ["XADD", "k", `${g.random.below(5)}-1`, ...g.some(() => [g.field(), g.value()], 1, 3)],
  );

/** A serialized value: dumped by us, by redis-server, or invalid. */
const payload = (g: Generator): ByteString => {
  const kind = g.random.below(20);
  if (kind < 8) return g.random.oneOf(redisDumps).payload;
  if (kind < 10) return g.value();
  const database = new Database();
  const unit = { at: 0, db: 0, id: "" };
  database.execute(creation(g), unit);
  const dumped = database.execute(["DUMP", "k"], unit);
  const bytes = dumped.kind === "bulk" ? dumped.bytes : "";
  if (kind < 18) return bytes;
  const place = g.random.below(bytes.length + 1);
  return `${bytes.slice(0, place)}${g.bytes(1)}${bytes.slice(place + g.random.below(2))}`;
};

/** A pattern that turns elements of collections into keys, or an invalid one. */
const keyPattern = (g: Generator): ByteString =>
  g.oneOf(
    "s:*",
    "h:*->a",
    "h:*->1",
    "*",
    "x:*",
    "*:1",
    "#",
    "nosort",
    "h:*->",
    "*->a",
    "s:*\0",
    "h[*]->b",
    "l:*",
  );

const sortOptions = (g: Generator): (readonly ByteString[])[] => [
  g.maybe(0.3, "BY", keyPattern(g)),
  g.maybe(0.25, "LIMIT", g.index(), g.count()),
  g.maybe(0.3, "GET", keyPattern(g)),
  g.maybe(0.15, "GET", keyPattern(g)),
  g.maybe(0.2, "ASC"),
  g.maybe(0.3, "DESC"),
  g.maybe(0.5, "ALPHA"),
];

/** A key, usually of a type that SORT accepts. */
const sortable = (g: Generator): ByteString =>
  g.key(g.oneOf("list", "set", "zset", "list", "set", "zset", "any"));

export const grammar: FamilyGrammar = {
  COPY: (g) => [
    g.key(),
    g.key(),
    ...g.shuffleOptions([g.maybe(0.3, "DB", g.dbIndex()), g.maybe(0.4, "REPLACE")]),
  ],
  DEL: (g) => g.keys(1, 3),
  DUMP: (g) => [g.key()],
  EXISTS: (g) => g.keys(1, 4),
  EXPIRE: (g) => [g.key(), g.seconds(), ...condition(g)],
  EXPIREAT: (g) => [g.key(), g.unixSeconds(), ...condition(g)],
  EXPIRETIME: (g) => [g.key()],
  KEYS: (g) => [g.pattern()],
  MOVE: (g) => [g.key(), g.dbIndex()],
  MEMORY: () => [],
  "MEMORY|USAGE": (g) => [g.key(), ...g.maybe(0.5, "SAMPLES", g.count()), ...g.maybe(0.1, "SAMPLES")],
  OBJECT: () => [],
  "OBJECT|ENCODING": (g) => [g.key()],
  "OBJECT|FREQ": (g) => [g.key()],
  "OBJECT|HELP": () => [],
  "OBJECT|IDLETIME": (g) => [g.key()],
  "OBJECT|REFCOUNT": (g) => [g.key()],
  PERSIST: (g) => [g.key()],
  PEXPIRE: (g) => [g.key(), g.milliseconds(), ...condition(g)],
  PEXPIREAT: (g) => [g.key(), g.unixMilliseconds(), ...condition(g)],
  PEXPIRETIME: (g) => [g.key()],
  PTTL: (g) => [g.key()],
  RANDOMKEY: () => [],
  RENAME: (g) => [g.key(), g.key()],
  RENAMENX: (g) => [g.key(), g.key()],
  RESTORE: (g) => {
    const isAbsolute = g.chance(0.3);
    const time = isAbsolute ? g.unixMilliseconds() : g.milliseconds();
    return [
      g.key(),
      g.chance(0.5) ? "0" : time,
      payload(g),
      ...g.shuffleOptions([
        g.maybe(0.6, "REPLACE"),
        isAbsolute ? ["ABSTTL"] : [],
        g.maybe(0.1, "IDLETIME", g.integer()),
        g.maybe(0.1, "FREQ", g.integer()),
      ]),
    ];
  },
  SCAN: (g) => [
    g.cursor(),
    ...g.shuffleOptions([
      g.maybe(0.3, "MATCH", g.pattern()),
      g.maybe(0.4, "COUNT", g.count()),
      g.maybe(0.3, "TYPE", typeName(g)),
    ]),
  ],
  SORT: (g) => [
    sortable(g),
    ...g.shuffleOptions([
      ...sortOptions(g),
      g.maybe(0.25, "STORE", g.key()),
      g.maybe(0.05, "STORE", g.key()),
    ]),
  ],
  SORT_RO: (g) => [sortable(g), ...g.shuffleOptions([...sortOptions(g), g.maybe(0.02, "STORE", g.key())])],
  TOUCH: (g) => g.keys(1, 3),
  TTL: (g) => [g.key()],
  TYPE: (g) => [g.key()],
  UNLINK: (g) => g.keys(1, 3),
};
