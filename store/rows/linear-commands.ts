/**
 * Writing commands that take time proportional to the length of their arguments: a bounded number of steps for each
 * argument (at most a tree's height), and the bytes of the arguments. Budgets count every writing command except these.
 */
const LINEAR: ReadonlySet<string> = new Set([
  ...[
    "APPEND",
    "DECR",
    "DECRBY",
    "GETDEL",
    "GETEX",
    "GETSET",
    "INCR",
    "INCRBY",
    "INCRBYFLOAT",
    "MSET",
    "MSETNX",
  ],
  ...["PSETEX", "SET", "SETEX", "SETNX", "PFADD"],
  ...["DEL", "EXPIRE", "EXPIREAT", "MOVE", "PERSIST", "PEXPIRE", "PEXPIREAT", "RENAME", "RENAMENX", "UNLINK"],
  ...["HDEL", "HINCRBY", "HINCRBYFLOAT", "HMSET", "HSET", "HSETNX"],
  ...["LPUSH", "LPUSHX", "RPUSH", "RPUSHX"],
  ...["SADD", "SMOVE", "SREM", "ZADD", "ZINCRBY", "ZREM", "GEOADD"],
  ...["XACK", "XGROUP|CREATE", "XGROUP|CREATECONSUMER", "XGROUP|SETID", "XSETID"],
  ...["FLUSHALL", "FLUSHDB", "SWAPDB"],
]);

/** @param writes whether its flags include `write` */
export const isLinear = (name: string, writes: boolean): boolean => writes && LINEAR.has(name);

/** Reading commands that can produce their replies in steps, if the caller supports that. */
const QUERIES: ReadonlySet<string> = new Set([
  "LCS",
  "SQL_RO",
  "MDB.AGGREGATE",
  "MDB.COUNT",
  "MDB.DISTINCT",
  "MDB.FIND",
]);

/**
 * Whether budgets limit a reading command even if its unit writes nothing, because its cost does not follow from its
 * keys. Where the command can yield to other commands between its steps, budgets do not limit it.
 */
export const isQuery = (name: string): boolean => QUERIES.has(name);
