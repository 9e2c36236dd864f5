/**
 * The commands: their methods in the client, and their names by what the client knows of them: whether they read,
 * whether their first argument is a key, and whether they are methods. Each name is in the constant of exactly its
 * properties. A reading command that is missing here is sent as a write.
 */
import type { Argument } from "./command-input.js";
import type { ReplyValue } from "./reply-value.js";

// From the store's table: made by npm run tables.
export interface CommandMethods {
  /** Appends to a string, which is created if absent. */
  append(key: Argument, value: Argument): Promise<number>;
  /** Subtracts one from a key's integer; an absent key counts as 0. */
  decr(key: Argument): Promise<number | bigint>;
  /** Subtracts a number from a key's integer. */
  decrby(key: Argument, decrement: Argument): Promise<number | bigint>;
  /** Returns the string of a key. */
  get(key: Argument): Promise<string | null>;
  /** Returns the string of a key, and removes the key. */
  getdel(key: Argument): Promise<string | null>;
  /** Returns the string of a key, and sets or removes its expiry time. */
  getex(key: Argument, ...options: Argument[]): Promise<string | null>;
  /** Returns a part of a string. */
  getrange(key: Argument, start: Argument, end: Argument): Promise<string>;
  /** Sets a key and returns its previous value. */
  getset(key: Argument, value: Argument): Promise<string | null>;
  /** Adds one to a key's integer; an absent key counts as 0. */
  incr(key: Argument): Promise<number | bigint>;
  /** Adds a number to a key's integer. */
  incrby(key: Argument, increment: Argument): Promise<number | bigint>;
  /** Adds a floating-point number to a key's number. */
  incrbyfloat(key: Argument, increment: Argument): Promise<string>;
  /** Returns the longest common subsequence of two strings. */
  lcs(key1: Argument, key2: Argument, ...options: Argument[]): Promise<ReplyValue>;
  /** Returns the strings of several keys. */
  mget(key: Argument, ...keys: Argument[]): Promise<(string | null)[]>;
  /** Sets several keys. */
  mset(key: Argument, value: Argument, ...more: Argument[]): Promise<"OK">;
  /** Sets several keys if none of them exists. */
  msetnx(key: Argument, value: Argument, ...more: Argument[]): Promise<number>;
  /** Sets a key with a time to live in milliseconds. */
  psetex(key: Argument, milliseconds: Argument, value: Argument): Promise<"OK">;
  /** Sets a key to a string. */
  set(key: Argument, value: Argument, ...options: Argument[]): Promise<string | null>;
  /** Sets a key with a time to live in seconds. */
  setex(key: Argument, seconds: Argument, value: Argument): Promise<"OK">;
  /** Sets a key if it is absent. */
  setnx(key: Argument, value: Argument): Promise<number>;
  /** Overwrites a part of a string, which is first padded with NULs if it is too short. */
  setrange(key: Argument, offset: Argument, value: Argument): Promise<number>;
  /** Returns the length of a string in bytes. */
  strlen(key: Argument): Promise<number>;
  /** Counts the bits of a string, or of a part of it, that are 1. */
  bitcount(key: Argument, ...range: Argument[]): Promise<number>;
  /** Reads, sets and adds to integers of any width within a string. */
  bitfield(key: Argument, ...operations: Argument[]): Promise<ReplyValue>;
  /** Returns the index of the first bit that is set (1) or clear (0). */
  bitpos(key: Argument, bit: Argument, ...range: Argument[]): Promise<number>;
  /** Returns a bit of a string. */
  getbit(key: Argument, offset: Argument): Promise<number>;
  /** Sets a bit of a string and returns its previous value. */
  setbit(key: Argument, offset: Argument, bit: Argument): Promise<number>;
  /** Adds elements to a HyperLogLog, which is created if absent. */
  pfadd(key: Argument, ...elements: Argument[]): Promise<number>;
  /** Estimates the number of different elements of several HyperLogLogs together. */
  pfcount(key: Argument, ...keys: Argument[]): Promise<number>;
  /** Merges HyperLogLogs into one. */
  pfmerge(key: Argument, ...keys: Argument[]): Promise<"OK">;
  /** Copies a key's value to another key, optionally in another database. */
  copy(key1: Argument, key2: Argument, ...options: Argument[]): Promise<number>;
  /** Removes keys. */
  del(key: Argument, ...keys: Argument[]): Promise<number>;
  /** Counts the given keys that exist; a key given twice counts twice. */
  exists(key: Argument, ...keys: Argument[]): Promise<number>;
  /** Sets a key's time to live in seconds. */
  expire(key: Argument, seconds: Argument, ...options: Argument[]): Promise<number>;
  /** Sets the Unix time in seconds at which a key expires. */
  expireat(key: Argument, time: Argument, ...options: Argument[]): Promise<number>;
  /** Returns the Unix time in seconds at which a key expires. */
  expiretime(key: Argument): Promise<number | bigint>;
  /** Returns all keys that match a pattern. */
  keys(pattern: Argument): Promise<string[]>;
  /** Removes a key's expiry time. */
  persist(key: Argument): Promise<number>;
  /** Sets a key's time to live in milliseconds. */
  pexpire(key: Argument, milliseconds: Argument, ...options: Argument[]): Promise<number>;
  /** Sets the Unix time in milliseconds at which a key expires. */
  pexpireat(key: Argument, time: Argument, ...options: Argument[]): Promise<number>;
  /** Returns the Unix time in milliseconds at which a key expires. */
  pexpiretime(key: Argument): Promise<number | bigint>;
  /** Returns the milliseconds until a key expires. */
  pttl(key: Argument): Promise<number | bigint>;
  /** Returns a random key of the database. */
  randomkey(): Promise<string | null>;
  /** Renames a key, and replaces any key that has the new name. */
  rename(key1: Argument, key2: Argument): Promise<"OK">;
  /** Renames a key unless the new name exists. */
  renamenx(key1: Argument, key2: Argument): Promise<number>;
  /** Returns all keys, one page at a time. */
  scan(cursor: Argument, ...options: Argument[]): Promise<[cursor: string, found: string[]]>;
  /** Counts the given keys that exist. */
  touch(key: Argument, ...keys: Argument[]): Promise<number>;
  /** Returns the seconds until a key expires. */
  ttl(key: Argument): Promise<number | bigint>;
  /** Returns the type of a key's value. */
  type(key: Argument): Promise<string>;
  /** Removes keys. */
  unlink(key: Argument, ...keys: Argument[]): Promise<number>;
  /** Removes fields, and the hash if no fields remain. */
  hdel(key: Argument, field: Argument, ...fields: Argument[]): Promise<number>;
  /** Returns whether a hash has a field. */
  hexists(key: Argument, field: Argument): Promise<number>;
  /** Returns the value of a field. */
  hget(key: Argument, field: Argument): Promise<string | null>;
  /** Returns all fields with their values. */
  hgetall(key: Argument): Promise<string[]>;
  /** Adds a number to a field's integer; an absent field counts as 0. */
  hincrby(key: Argument, field: Argument, increment: Argument): Promise<number | bigint>;
  /** Adds a floating-point number to a field's number. */
  hincrbyfloat(key: Argument, field: Argument, increment: Argument): Promise<string>;
  /** Returns all fields, without their values. */
  hkeys(key: Argument): Promise<string[]>;
  /** Counts the fields of a hash. */
  hlen(key: Argument): Promise<number>;
  /** Returns the values of several fields. */
  hmget(key: Argument, field: Argument, ...fields: Argument[]): Promise<(string | null)[]>;
  /** Returns random fields. */
  hrandfield(key: Argument, ...options: Argument[]): Promise<string | string[] | null>;
  /** Returns the fields and values page by page. */
  hscan(key: Argument, cursor: Argument, ...options: Argument[]): Promise<[cursor: string, found: string[]]>;
  /** Sets fields of a hash, which is created if absent. */
  hset(key: Argument, field: Argument, value: Argument, ...more: Argument[]): Promise<number>;
  /** Sets a field if it is absent. */
  hsetnx(key: Argument, field: Argument, value: Argument): Promise<number>;
  /** Returns the length of a field's value in bytes. */
  hstrlen(key: Argument, field: Argument): Promise<number>;
  /** Returns all values, without their fields. */
  hvals(key: Argument): Promise<string[]>;
  /** Returns the element at an index, counted from the left or, if negative, from the right. */
  lindex(key: Argument, index: Argument): Promise<string | null>;
  /** Inserts an element before or after the first occurrence of another element. */
  linsert(key: Argument, where: Argument, pivot: Argument, element: Argument): Promise<number>;
  /** Counts the elements of a list. */
  llen(key: Argument): Promise<number>;
  /** Moves an element from one end of a list to one end of another, or of the same list. */
  lmove(key1: Argument, key2: Argument, from: Argument, to: Argument): Promise<string | null>;
  /** Removes elements from the left end, and returns them. */
  lpop(key: Argument, count?: Argument): Promise<string | string[] | null>;
  /** Returns the indexes at which an element occurs. */
  lpos(key: Argument, element: Argument, ...options: Argument[]): Promise<number | number[] | null>;
  /** Adds elements to the left end of a list, which is created if absent. */
  lpush(key: Argument, element: Argument, ...elements: Argument[]): Promise<number>;
  /** Adds elements to the left end of a list that exists. */
  lpushx(key: Argument, element: Argument, ...elements: Argument[]): Promise<number>;
  /** Returns the elements from one index to another. */
  lrange(key: Argument, start: Argument, stop: Argument): Promise<string[]>;
  /** Removes all occurrences of an element, or some from the left or the right. */
  lrem(key: Argument, count: Argument, element: Argument): Promise<number>;
  /** Replaces the element at an index. */
  lset(key: Argument, index: Argument, element: Argument): Promise<"OK">;
  /** Removes the elements outside a range of indexes. */
  ltrim(key: Argument, start: Argument, stop: Argument): Promise<"OK">;
  /** Removes elements from the right end, and returns them. */
  rpop(key: Argument, count?: Argument): Promise<string | string[] | null>;
  /** Moves an element from the right end of a list to the left end of another; LMOVE's old form. */
  rpoplpush(key1: Argument, key2: Argument): Promise<string | null>;
  /** Adds elements to the right end of a list, which is created if absent. */
  rpush(key: Argument, element: Argument, ...elements: Argument[]): Promise<number>;
  /** Adds elements to the right end of a list that exists. */
  rpushx(key: Argument, element: Argument, ...elements: Argument[]): Promise<number>;
  /** Adds members to a set, which is created if absent. */
  sadd(key: Argument, member: Argument, ...members: Argument[]): Promise<number>;
  /** Counts the members of a set. */
  scard(key: Argument): Promise<number>;
  /** Returns the members of the first set that are in no other set. */
  sdiff(key: Argument, ...keys: Argument[]): Promise<string[]>;
  /** Stores the members of the first set that are in no other set. */
  sdiffstore(key: Argument, ...keys: Argument[]): Promise<number>;
  /** Returns the members that all sets have. */
  sinter(key: Argument, ...keys: Argument[]): Promise<string[]>;
  /** Stores the members that all sets have. */
  sinterstore(key: Argument, ...keys: Argument[]): Promise<number>;
  /** Returns whether a set has a member. */
  sismember(key: Argument, member: Argument): Promise<number>;
  /** Returns all members of a set. */
  smembers(key: Argument): Promise<string[]>;
  /** Returns whether a set has each of several members. */
  smismember(key: Argument, member: Argument, ...members: Argument[]): Promise<number[]>;
  /** Moves a member from one set to another. */
  smove(key1: Argument, key2: Argument, member: Argument): Promise<number>;
  /** Removes random members and returns them. */
  spop(key: Argument, count?: Argument): Promise<string | string[] | null>;
  /** Returns members chosen at random; with a negative count a member may occur more than once. */
  srandmember(key: Argument, count?: Argument): Promise<string | string[] | null>;
  /** Removes members from a set. */
  srem(key: Argument, member: Argument, ...members: Argument[]): Promise<number>;
  /** Returns a page of a set's members and the cursor of the next page. */
  sscan(key: Argument, cursor: Argument, ...options: Argument[]): Promise<[cursor: string, found: string[]]>;
  /** Returns the members of any of the sets. */
  sunion(key: Argument, ...keys: Argument[]): Promise<string[]>;
  /** Stores the members of any of the sets. */
  sunionstore(key: Argument, ...keys: Argument[]): Promise<number>;
  /** Adds members to a sorted set, which is created if absent, or changes their scores. */
  zadd(key: Argument, ...rest: Argument[]): Promise<number | string | null>;
  /** Counts the members of a sorted set. */
  zcard(key: Argument): Promise<number>;
  /** Adds to a member's score; an absent member counts as 0. */
  zincrby(key: Argument, increment: Argument, member: Argument): Promise<string>;
  /** Returns the scores of several members. */
  zmscore(key: Argument, member: Argument, ...members: Argument[]): Promise<(string | null)[]>;
  /** Removes the members with the highest scores and returns them. */
  zpopmax(key: Argument, count?: Argument): Promise<string[]>;
  /** Removes the members with the lowest scores and returns them. */
  zpopmin(key: Argument, count?: Argument): Promise<string[]>;
  /** Returns members chosen at random; with a negative count a member may occur more than once. */
  zrandmember(key: Argument, ...options: Argument[]): Promise<string | string[] | null>;
  /** Returns a member's rank, counted from the lowest score. */
  zrank(key: Argument, member: Argument): Promise<number | null>;
  /** Removes members from a sorted set. */
  zrem(key: Argument, member: Argument, ...members: Argument[]): Promise<number>;
  /** Returns a member's rank, counted from the highest score. */
  zrevrank(key: Argument, member: Argument): Promise<number | null>;
  /** Returns a page of a sorted set's members and scores and the cursor of the next page. */
  zscan(key: Argument, cursor: Argument, ...options: Argument[]): Promise<[cursor: string, found: string[]]>;
  /** Returns a member's score. */
  zscore(key: Argument, member: Argument): Promise<string | null>;
  /** Counts the members with a score in a range. */
  zcount(key: Argument, min: Argument, max: Argument): Promise<number>;
  /** Counts the members in a range of names; all must have the same score. */
  zlexcount(key: Argument, min: Argument, max: Argument): Promise<number>;
  /** Returns the members in a range of ranks, scores or names. */
  zrange(key: Argument, start: Argument, stop: Argument, ...options: Argument[]): Promise<string[]>;
  /** Returns the members in a range of names; all must have the same score. */
  zrangebylex(key: Argument, min: Argument, max: Argument, ...options: Argument[]): Promise<string[]>;
  /** Returns the members with a score in a range, lowest first. */
  zrangebyscore(key: Argument, min: Argument, max: Argument, ...options: Argument[]): Promise<string[]>;
  /** Removes the members in a range of names; all must have the same score. */
  zremrangebylex(key: Argument, min: Argument, max: Argument): Promise<number>;
  /** Removes the members in a range of ranks. */
  zremrangebyrank(key: Argument, start: Argument, stop: Argument): Promise<number>;
  /** Removes the members with a score in a range. */
  zremrangebyscore(key: Argument, min: Argument, max: Argument): Promise<number>;
  /** Returns the members in a range of ranks, counted from the highest score. */
  zrevrange(key: Argument, start: Argument, stop: Argument, ...options: Argument[]): Promise<string[]>;
  /** Appends an entry to a stream, which is created if absent; may remove its oldest entries. */
  xadd(key: Argument, ...rest: Argument[]): Promise<string | null>;
  /** Removes entries from a stream, which stays even if it is empty. */
  xdel(key: Argument, id: Argument, ...ids: Argument[]): Promise<number>;
  /** Counts the entries of a stream. */
  xlen(key: Argument): Promise<number>;
  /** Returns the entries between two ids, the oldest first. */
  xrange(key: Argument, start: Argument, end: Argument, ...options: Argument[]): Promise<ReplyValue>;
  /** Returns the entries between two ids, the newest first. */
  xrevrange(key: Argument, end: Argument, start: Argument, ...options: Argument[]): Promise<ReplyValue>;
  /** Removes a stream's oldest entries; with ~, only whole nodes of 100. */
  xtrim(key: Argument, ...rest: Argument[]): Promise<number>;
  /** Acknowledges entries: they are no longer pending. */
  xack(key: Argument, group: Argument, id: Argument, ...ids: Argument[]): Promise<number>;
  /** Adds members with their longitudes and latitudes, or moves them. */
  geoadd(key: Argument, ...rest: Argument[]): Promise<number>;
  /** Returns the distance between two members. */
  geodist(key: Argument, member1: Argument, member2: Argument, unit?: Argument): Promise<string | null>;
  /** Returns the positions of members as geohashes of 11 characters. */
  geohash(key: Argument, ...members: Argument[]): Promise<(string | null)[]>;
  /** Returns the longitudes and latitudes of members. */
  geopos(key: Argument, ...members: Argument[]): Promise<ReplyValue>;
  /** Returns the members in a circle or a box. */
  geosearch(key: Argument, ...rest: Argument[]): Promise<ReplyValue>;
  /** Sends a message to the subscribers of a channel. */
  publish(channel: Argument, message: Argument): Promise<number>;
  /** Returns PONG, or its argument. */
  ping(message?: Argument): Promise<string>;
  /** Counts the keys of the database. */
  dbsize(): Promise<number>;
  /** Empties all databases. */
  flushall(...options: Argument[]): Promise<"OK">;
  /** Empties the database. */
  flushdb(...options: Argument[]): Promise<"OK">;
}
const KEYED =
  "BLMOVE BLPOP BRPOP BRPOPLPUSH BZPOPMAX BZPOPMIN DOC.CREATE DOC.DELETE DOC.DROP DOC.EMPTY DOC.INSERT " +
  "DOC.UPDATE GEORADIUS GEORADIUSBYMEMBER GEOSEARCHSTORE HMSET MOVE RESTORE SORT XAUTOCLAIM XCLAIM " +
  "XSETID ZDIFFSTORE ZINTERSTORE ZRANGESTORE ZUNIONSTORE";
const KEYED_METHODS =
  "APPEND BITFIELD COPY DECR DECRBY DEL EXPIRE EXPIREAT GEOADD GETDEL GETEX GETSET HDEL HINCRBY " +
  "HINCRBYFLOAT HSET HSETNX INCR INCRBY INCRBYFLOAT LINSERT LMOVE LPOP LPUSH LPUSHX LREM LSET LTRIM " +
  "MSET MSETNX PERSIST PEXPIRE PEXPIREAT PFADD PFMERGE PSETEX RENAME RENAMENX RPOP RPOPLPUSH RPUSH " +
  "RPUSHX SADD SDIFFSTORE SET SETBIT SETEX SETNX SETRANGE SINTERSTORE SMOVE SPOP SREM SUNIONSTORE " +
  "UNLINK XACK XADD XDEL XTRIM ZADD ZINCRBY ZPOPMAX ZPOPMIN ZREM ZREMRANGEBYLEX ZREMRANGEBYRANK " +
  "ZREMRANGEBYSCORE";
const MESSAGES = "SPUBLISH";
const MESSAGES_METHODS = "PUBLISH";
const METHODS = "FLUSHALL FLUSHDB";
const OTHERS =
  "ACL BGREWRITEAOF BGSAVE BITOP BLMPOP BZMPOP CLIENT CONFIG DEBUG DOC.INDEX DOC.MEMBER FAILOVER " +
  "LATENCY LMPOP MDB.CREATE MDB.CREATEINDEXES MDB.DELETE MDB.DROP MDB.DROPDATABASE MDB.DROPINDEXES " +
  "MDB.FINDANDMODIFY MDB.INSERT MDB.RENAME MDB.UPDATE MODULE MONITOR PFDEBUG PFSELFTEST PSYNC REPLCONF " +
  "REPLICAOF SAVE SHUTDOWN SLAVEOF SLOWLOG SQL SWAPDB SYNC TIMELINE XGROUP XREADGROUP ZMPOP";
const READS =
  "ASKING AUTH COMMAND DOC.GETALL DOC.LIST ECHO EVAL EVALSHA EVALSHA_RO EVAL_RO FCALL FCALL_RO " +
  "FUNCTION INFO LASTSAVE LOLWUT MDB.AGGREGATE MDB.COUNT MDB.DISTINCT MDB.EXPLAIN MDB.FIND " +
  "MDB.LISTCOLLECTIONS MDB.LISTDATABASES MDB.LISTINDEXES MDB.STATS MEMORY OBJECT PSUBSCRIBE PUBSUB " +
  "PUNSUBSCRIBE READONLY READWRITE ROLE SCRIPT SINTERCARD SQL_RO SSUBSCRIBE SUBSCRIBE SUNSUBSCRIBE " +
  "TIME UNSUBSCRIBE WAIT XINFO XREAD ZDIFF ZINTER ZINTERCARD ZUNION";
const READS_KEYED =
  "BITFIELD_RO DECIDED DOC.COUNT DOC.GET DOC.GETKEYS DUMP GEORADIUSBYMEMBER_RO GEORADIUS_RO SORT_RO " +
  "SUBSTR WRITERS XPENDING ZREVRANGEBYLEX ZREVRANGEBYSCORE";
const READS_KEYED_METHODS =
  "BITCOUNT BITPOS EXISTS EXPIRETIME GEODIST GEOHASH GEOPOS GEOSEARCH GET GETBIT GETRANGE HEXISTS HGET " +
  "HGETALL HKEYS HLEN HMGET HRANDFIELD HSCAN HSTRLEN HVALS LCS LINDEX LLEN LPOS LRANGE MGET " +
  "PEXPIRETIME PFCOUNT PTTL SCARD SDIFF SINTER SISMEMBER SMEMBERS SMISMEMBER SRANDMEMBER SSCAN STRLEN " +
  "SUNION TOUCH TTL TYPE XLEN XRANGE XREVRANGE ZCARD ZCOUNT ZLEXCOUNT ZMSCORE ZRANDMEMBER ZRANGE " +
  "ZRANGEBYLEX ZRANGEBYSCORE ZRANK ZREVRANGE ZREVRANK ZSCAN ZSCORE";
const READS_METHODS = "DBSIZE KEYS PING RANDOMKEY SCAN";
const RING = "CLUSTER KEY";
// The end of what is made by npm run tables.

/**
 * The kind of a command. Only commands of one kind share an envelope: daemons do not record reads and messages, and
 * accept reads, messages and commands for the key ring only in separate envelopes.
 */
export type CommandKind = "reads" | "writes" | "messages" | "ring";

const namesIn = (...groups: readonly string[]): readonly string[] => groups.join(" ").split(" ");

/** The kinds of all commands that are not writes. */
export const COMMAND_KINDS: ReadonlyMap<string, CommandKind> = new Map([
  ...namesIn(READS, READS_KEYED, READS_KEYED_METHODS, READS_METHODS).map((name) => [name, "reads"] as const),
  ...namesIn(MESSAGES, MESSAGES_METHODS).map((name) => [name, "messages"] as const),
  ...namesIn(RING).map((name) => [name, "ring"] as const),
]);

/** Returns the commands whose first argument is a key. The first argument of others may be a value or a secret. */
export const keyedCommands = (): ReadonlySet<string> =>
  new Set(namesIn(KEYED, KEYED_METHODS, READS_KEYED, READS_KEYED_METHODS));

/** Returns the commands that are methods of a client. */
export const methodNames = (): readonly string[] =>
  namesIn(KEYED_METHODS, MESSAGES_METHODS, METHODS, READS_KEYED_METHODS, READS_METHODS);

/** Returns the names of all commands that an envelope may contain, sorted. */
export const commandNames = (): readonly string[] =>
  [...namesIn(...[...COMMAND_KINDS.keys()], KEYED, KEYED_METHODS, METHODS, OTHERS)].sort();
