/** Commands that only one of several clients can send with success, one for each kind of change. */

export type Argv = readonly [string, ...(string | number)[]];

export interface Race {
  readonly name: string;
  /** Commands that a client sends before the race. */
  readonly first?: (key: string) => readonly Argv[];
  /** Returns the command of a client. */
  readonly command: (key: string, client: number) => Argv;
  /** The text of the winner's answer, or what it is not. */
  readonly wins: string | { readonly not: string };
}

const set = (key: string): readonly Argv[] => [["SET", key, "v"]];
const list = (key: string): readonly Argv[] => [["RPUSH", key, "a", "b"]];
const members = (key: string): readonly Argv[] => [["SADD", key, "m"]];
const field = (key: string): readonly Argv[] => [["HSET", key, "f", 1]];
const scores = (key: string): readonly Argv[] => [["ZADD", key, 1, "m"]];
const entry = (key: string): readonly Argv[] => [["XADD", key, "5-5", "f", 1]];
const group = (key: string): readonly Argv[] => [
  ["XGROUP", "CREATE", key, "g", "0", "MKSTREAM"],
  ...entry(key),
];
const read = (key: string): readonly Argv[] => [
  ...group(key),
  ["XREADGROUP", "GROUP", "g", "c", "STREAMS", key, ">"],
];
const noSuchKey = "ERR no such key";

/** The library of the function `take`. */
export const LIBRARY = `#!lua name=winners
redis.register_function('take', function(keys, args) return redis.call('SETNX', keys[1], args[1]) end)`;

export const RACES: readonly Race[] = [
  { name: "SETNX", command: (key, i) => ["SETNX", key, i], wins: "1" },
  { name: "SET NX GET", command: (key, i) => ["SET", key, i, "NX", "GET"], wins: "nil" },
  { name: "MSETNX", command: (key, i) => ["MSETNX", `plain:${key}:${i}`, i, key, i], wins: "1" },
  { name: "GETSET", command: (key, i) => ["GETSET", key, i], wins: "nil" },
  { name: "GETDEL", first: set, command: (key) => ["GETDEL", key], wins: "v" },
  { name: "GETEX", first: set, command: (key) => ["GETEX", key, "PXAT", 1], wins: "v" },
  { name: "DEL", first: set, command: (key) => ["DEL", key], wins: "1" },
  { name: "EXPIRE NX", first: set, command: (key) => ["EXPIRE", key, 1000, "NX"], wins: "1" },
  { name: "PEXPIRE", first: set, command: (key) => ["PEXPIRE", key, -1], wins: "1" },
  {
    name: "PERSIST",
    first: (key) => [["SET", key, "v", "EX", 1000]],
    command: (key) => ["PERSIST", key],
    wins: "1",
  },
  {
    name: "RENAME",
    first: set,
    command: (key, i) => ["RENAME", key, `plain:${key}:${i}`],
    wins: { not: noSuchKey },
  },
  {
    name: "RENAMENX",
    first: (key) => [0, 1, 2].map((i) => ["SET", `plain:${key}:${i}`, "v"]),
    command: (key, i) => ["RENAMENX", `plain:${key}:${i}`, key],
    wins: "1",
  },
  {
    name: "COPY",
    first: (key) => set(`${key}:source`),
    command: (key) => ["COPY", `${key}:source`, key],
    wins: "1",
  },
  { name: "MOVE", first: set, command: (key) => ["MOVE", key, 3], wins: "1" },
  { name: "APPEND", command: (key) => ["APPEND", key, "x"], wins: "1" },
  { name: "SETBIT", command: (key) => ["SETBIT", key, 5, 1], wins: "0" },
  { name: "BITFIELD", command: (key) => ["BITFIELD", key, "SET", "u8", 0, 7], wins: "0" },
  { name: "INCRBYFLOAT", command: (key) => ["INCRBYFLOAT", key, "0.5"], wins: "0.5" },
  { name: "PFADD", command: (key) => ["PFADD", key, "a"], wins: "1" },
  { name: "RPUSH", command: (key) => ["RPUSH", key, "a"], wins: "1" },
  { name: "LPOP", first: list, command: (key) => ["LPOP", key, 2], wins: { not: "nil" } },
  { name: "LREM", first: list, command: (key) => ["LREM", key, 1, "a"], wins: "1" },
  {
    name: "LMPOP",
    first: list,
    command: (key) => ["LMPOP", 2, `${key}:none`, key, "LEFT", "COUNT", 2],
    wins: { not: "nil" },
  },
  { name: "SADD", command: (key) => ["SADD", key, "m"], wins: "1" },
  { name: "SREM", first: members, command: (key) => ["SREM", key, "m"], wins: "1" },
  { name: "SMOVE", first: members, command: (key, i) => ["SMOVE", key, `plain:${key}:${i}`, "m"], wins: "1" },
  { name: "HSETNX", command: (key, i) => ["HSETNX", key, "f", i], wins: "1" },
  { name: "HDEL", first: field, command: (key) => ["HDEL", key, "f"], wins: "1" },
  { name: "ZADD NX", command: (key, i) => ["ZADD", key, "NX", i, "m"], wins: "1" },
  { name: "ZADD GT", first: scores, command: (key) => ["ZADD", key, "GT", "CH", 5, "m"], wins: "1" },
  { name: "ZREM", first: scores, command: (key) => ["ZREM", key, "m"], wins: "1" },
  { name: "ZMPOP", first: scores, command: (key) => ["ZMPOP", 1, key, "MIN"], wins: { not: "nil" } },
  { name: "GEOADD", command: (key) => ["GEOADD", key, 1, 1, "m"], wins: "1" },
  { name: "XADD", command: (key) => ["XADD", key, "5-5", "f", 1], wins: "5-5" },
  { name: "XDEL", first: entry, command: (key) => ["XDEL", key, "5-5"], wins: "1" },
  { name: "XTRIM", first: entry, command: (key) => ["XTRIM", key, "MAXLEN", 0], wins: "1" },
  { name: "XGROUP CREATE", command: (key) => ["XGROUP", "CREATE", key, "g", "$", "MKSTREAM"], wins: "OK" },
  { name: "XGROUP DESTROY", first: group, command: (key) => ["XGROUP", "DESTROY", key, "g"], wins: "1" },
  {
    name: "XREADGROUP",
    first: group,
    command: (key, i) => ["XREADGROUP", "GROUP", "g", `c${i}`, "STREAMS", key, ">"],
    wins: { not: "nil" },
  },
  { name: "XACK", first: read, command: (key) => ["XACK", key, "g", "5-5"], wins: "1" },
  {
    name: "EVAL without KEYS",
    command: (key, i) => ["EVAL", `return redis.call('SETNX', '${key}', ${i})`, 0],
    wins: "1",
  },
  { name: "FCALL", command: (key, i) => ["FCALL", "take", 1, key, i], wins: "1" },
];
