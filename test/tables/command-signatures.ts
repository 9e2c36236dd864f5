/**
 * The arguments and results of the commands that are methods of the client: `client.hset("user:7", "name", "Ada")`. A
 * test compares the arguments with the arity, keys and summaries in the store's table, and the results with those of
 * random calls. A `?` marks an optional argument, and `...` any number of arguments. A type with `@` is defined in
 * RESULT_TYPES.
 */

/** Short names for long types. */
const RESULT_TYPES: Readonly<Record<string, string>> = {
  "@text?": "string | null",
  "@list": "string[]",
  "@list?": "(string | null)[]",
  "@integer": "number | bigint",
  "@integer?": "number | bigint | null",
  "@some": "string | string[] | null",
  "@scan": "[cursor: string, found: string[]]",
  "@reply": "ReplyValue",
};

const LINES = `
APPEND key value: number
DECR key: @integer
DECRBY key decrement: @integer
GET key: @text?
GETDEL key: @text?
GETEX key ...options: @text?
GETRANGE key start end: string
GETSET key value: @text?
INCR key: @integer
INCRBY key increment: @integer
INCRBYFLOAT key increment: string
LCS key1 key2 ...options: @reply
MGET key ...keys: @list?
MSET key value ...more: "OK"
MSETNX key value ...more: number
PSETEX key milliseconds value: "OK"
SET key value ...options: @text?
SETEX key seconds value: "OK"
SETNX key value: number
SETRANGE key offset value: number
STRLEN key: number
BITCOUNT key ...range: number
BITFIELD key ...operations: @reply
BITPOS key bit ...range: number
GETBIT key offset: number
SETBIT key offset bit: number
PFADD key ...elements: number
PFCOUNT key ...keys: number
PFMERGE key ...keys: "OK"
COPY key1 key2 ...options: number
DEL key ...keys: number
EXISTS key ...keys: number
EXPIRE key seconds ...options: number
EXPIREAT key time ...options: number
EXPIRETIME key: @integer
KEYS pattern: @list
PERSIST key: number
PEXPIRE key milliseconds ...options: number
PEXPIREAT key time ...options: number
PEXPIRETIME key: @integer
PTTL key: @integer
RANDOMKEY: @text?
RENAME key1 key2: "OK"
RENAMENX key1 key2: number
SCAN cursor ...options: @scan
TOUCH key ...keys: number
TTL key: @integer
TYPE key: string
UNLINK key ...keys: number
DBSIZE: number
FLUSHALL ...options: "OK"
FLUSHDB ...options: "OK"
LINDEX key index: @text?
LINSERT key where pivot element: number
LLEN key: number
LMOVE key1 key2 from to: @text?
LPOP key count?: @some
LPOS key element ...options: number | number[] | null
LPUSH key element ...elements: number
LPUSHX key element ...elements: number
LRANGE key start stop: @list
LREM key count element: number
LSET key index element: "OK"
LTRIM key start stop: "OK"
RPOP key count?: @some
RPOPLPUSH key1 key2: @text?
RPUSH key element ...elements: number
RPUSHX key element ...elements: number
HDEL key field ...fields: number
HEXISTS key field: number
HGET key field: @text?
HGETALL key: @list
HINCRBY key field increment: @integer
HINCRBYFLOAT key field increment: string
HKEYS key: @list
HLEN key: number
HMGET key field ...fields: @list?
HRANDFIELD key ...options: @some
HSCAN key cursor ...options: @scan
HSET key field value ...more: number
HSETNX key field value: number
HSTRLEN key field: number
HVALS key: @list
SADD key member ...members: number
SCARD key: number
SDIFF key ...keys: @list
SDIFFSTORE key ...keys: number
SINTER key ...keys: @list
SINTERSTORE key ...keys: number
SISMEMBER key member: number
SMEMBERS key: @list
SMISMEMBER key member ...members: number[]
SMOVE key1 key2 member: number
SPOP key count?: @some
SRANDMEMBER key count?: @some
SREM key member ...members: number
SSCAN key cursor ...options: @scan
SUNION key ...keys: @list
SUNIONSTORE key ...keys: number
ZADD key ...rest: number | string | null
ZCARD key: number
ZCOUNT key min max: number
ZINCRBY key increment member: string
ZLEXCOUNT key min max: number
ZMSCORE key member ...members: @list?
ZPOPMAX key count?: @list
ZPOPMIN key count?: @list
ZRANDMEMBER key ...options: @some
ZRANGE key start stop ...options: @list
ZRANGEBYLEX key min max ...options: @list
ZRANGEBYSCORE key min max ...options: @list
ZRANK key member: number | null
ZREM key member ...members: number
ZREMRANGEBYLEX key min max: number
ZREMRANGEBYRANK key start stop: number
ZREMRANGEBYSCORE key min max: number
ZREVRANGE key start stop ...options: @list
ZREVRANK key member: number | null
ZSCAN key cursor ...options: @scan
ZSCORE key member: @text?
XACK key group id ...ids: number
XADD key ...rest: @text?
XDEL key id ...ids: number
XLEN key: number
XRANGE key start end ...options: @reply
XREVRANGE key end start ...options: @reply
XTRIM key ...rest: number
GEOADD key ...rest: number
GEODIST key member1 member2 unit?: @text?
GEOHASH key ...members: @list?
GEOPOS key ...members: @reply
GEOSEARCH key ...rest: @reply
PUBLISH channel message: number
PING message?: string
`;

export interface Signature {
  /** The name in upper case. */
  readonly name: string;
  /** The parameters in their written form, in order. */
  readonly parameters: readonly string[];
  /** The type of the result in TypeScript. */
  readonly result: string;
}

export const SIGNATURES: readonly Signature[] = LINES.trim()
  .split("\n")
  .map((line) => {
    const [call = "", result = ""] = line.split(": ");
    const [name = "", ...parameters] = call.split(" ");
    return { name, parameters, result: RESULT_TYPES[result] ?? result };
  });
