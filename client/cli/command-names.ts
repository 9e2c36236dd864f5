/**
 * Names that `dbsync repl` completes, and that `dbsync` knows without `send` in front. A convenience, not a limit: any command
 * can be typed. test/client/cli/command-names.test.ts holds them to the store's table.
 */
const COMMAND_NAMES: readonly string[] = (
  "APPEND CLUSTER COMMAND COPY DBSIZE DECR DECRBY DEL ECHO EXISTS EXPIRE EXPIREAT EXPIRETIME FLUSHALL FLUSHDB " +
  "GET GETDEL GETEX GETRANGE GETSET HDEL HEXISTS HGET HGETALL HINCRBY HINCRBYFLOAT HKEYS HLEN HMGET " +
  "HMSET HRANDFIELD HSCAN HSET HSETNX HSTRLEN HVALS INCR INCRBY INCRBYFLOAT KEY KEYS LCS LINDEX " +
  "LINSERT LLEN LMOVE LMPOP LPOP LPOS LPUSH LPUSHX LRANGE LREM LSET LTRIM MGET MOVE MSET MSETNX " +
  "PERSIST PEXPIRE PEXPIREAT PEXPIRETIME PING PSETEX PTTL RANDOMKEY RENAME RENAMENX RPOP RPOPLPUSH " +
  "RPUSH RPUSHX SADD SCAN SCARD SDIFF SDIFFSTORE SET SETEX SETNX SETRANGE SINTER SINTERCARD " +
  "SINTERSTORE SISMEMBER SMEMBERS SMISMEMBER SMOVE SPOP SRANDMEMBER SREM SSCAN STRLEN SUBSTR SUNION " +
  "SUNIONSTORE SWAPDB TIME TIMELINE TOUCH TTL TYPE UNLINK WRITERS " +
  "XADD XDEL XINFO XLEN XRANGE XREAD XREVRANGE XSETID XTRIM ZADD ZCARD ZCOUNT ZDIFF ZDIFFSTORE ZINCRBY " +
  "ZINTER ZINTERCARD ZINTERSTORE ZLEXCOUNT ZMPOP ZMSCORE ZPOPMAX ZPOPMIN ZRANDMEMBER ZRANGE " +
  "ZRANGEBYLEX ZRANGEBYSCORE ZRANGESTORE ZRANK ZREM ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE " +
  "ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK ZSCAN ZSCORE ZUNION ZUNIONSTORE"
).split(" ");

export function isCommandName(word: string): boolean {
  return COMMAND_NAMES.includes(word.toUpperCase());
}

/**
 * Completes a command's name, in the case it was begun in; arguments are nobody's to guess.
 * @returns  candidates and what they complete, as node:readline asks
 */
export function completeCommand(line: string): [string[], string] {
  if (line.includes(" ")) return [[], line];
  const hits = COMMAND_NAMES.filter((name) => name.startsWith(line.toUpperCase()));
  const isLower = line !== "" && line === line.toLowerCase();
  return [hits.map((name) => `${isLower ? name.toLowerCase() : name} `), line];
}
