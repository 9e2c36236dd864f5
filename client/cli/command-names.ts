/**
 * Names that `dbsync repl` completes, and that `dbsync` knows without `send` in front. A convenience, not a limit: any command can be typed.
 * Source: Redis 7's commands for strings, hashes, lists, sets, sorted sets and keys.
 */
const COMMAND_NAMES: readonly string[] = (
  "APPEND BITCOUNT COPY DBSIZE DECR DECRBY DEL ECHO EXISTS EXPIRE EXPIREAT EXPIRETIME FLUSHALL FLUSHDB " +
  "GET GETDEL GETEX GETRANGE GETSET HDEL HEXISTS HGET HGETALL HINCRBY HINCRBYFLOAT HKEYS HLEN HMGET " +
  "HMSET HSET HSETNX HSTRLEN HVALS INCR INCRBY INCRBYFLOAT INFO KEYS LINDEX LINSERT LLEN LMOVE LPOP " +
  "LPOS LPUSH LPUSHX LRANGE LREM LSET LTRIM MGET MSET MSETNX OBJECT PERSIST PEXPIRE PEXPIREAT " +
  "PEXPIRETIME PING PSETEX PTTL RANDOMKEY RENAME RENAMENX RPOP RPOPLPUSH RPUSH RPUSHX SADD SCARD SDIFF " +
  "SDIFFSTORE SET SETEX SETNX SETRANGE SINTER SINTERCARD SINTERSTORE SISMEMBER SMEMBERS SMISMEMBER " +
  "SMOVE SPOP SRANDMEMBER SREM STRLEN SUNION SUNIONSTORE TIME TOUCH TTL TYPE UNLINK ZADD ZCARD ZCOUNT " +
  "ZDIFF ZINCRBY ZINTER ZLEXCOUNT ZMSCORE ZPOPMAX ZPOPMIN ZRANDMEMBER ZRANGE ZRANGEBYSCORE ZRANK ZREM " +
  "ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREVRANGE ZREVRANK ZSCORE ZUNION"
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
