/**
 * Tests that the same commands as in redis-server reset the idle time of a key. Before each command, RESTORE makes all
 * keys idle for a long time, so the comparison does not depend on how long the test takes.
 */
import "../support/installed-families.js";
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Database } from "../../daemon/store/database.js";
import type { Reply } from "../../protocol/reply.js";
import { RedisConnection } from "../support/redis-connection.js";
import { type RedisServer, startRedis } from "../support/redis-server.js";
import { skipWithout } from "../support/requirements.js";

const skip = skipWithout("redis-server");
let server: RedisServer;
before(async () => {
  if (skip === false) server = await startRedis();
});
after(() => server?.stop());

const IDLE = 1_000_000;
const CREATED = ["SET s v", "RPUSH l 1 2", "SADD m 1", "HSET h f v", "ZADD z 1 m", "XADD x 1-1 f v"];
const KEYS = CREATED.map((line) => line.split(" ")[1] as string);

/** Calls that use some of the keys, or only describe them. */
const LINES = [
  ...["GET s", "STRLEN s", "GETRANGE s 0 1", "MGET s s none", "SUBSTR s 0 0", "LCS s s", "TOUCH s l"],
  ...["EXISTS s l", "TYPE s", "TTL s", "PTTL s", "EXPIRETIME s", "DUMP s", "KEYS *", "SCAN 0", "RANDOMKEY"],
  ...["OBJECT ENCODING s", "OBJECT REFCOUNT s", "OBJECT IDLETIME s", "MEMORY USAGE l", "DBSIZE"],
  ...["SET s w", "APPEND s w", "SETRANGE s 0 w", "GETSET s w", "GETEX s", "SETEX s 1000 v", "SETNX s w"],
  ...["SET s w NX", "SET s w GET", "EXPIRE s 1000", "PERSIST s", "EXPIRE s 1000 XX"],
  ...[
    "LRANGE l 0 -1",
    "LLEN l",
    "LPUSHX l 3",
    "LINDEX l 0",
    "LPOS l 1",
    "LMOVE l l LEFT RIGHT",
    "LSET l 0 9",
  ],
  ...["SCARD m", "SISMEMBER m 1", "SMEMBERS m", "SADD m 1", "SREM m 7", "SUNION m m", "SSCAN m 0"],
  ...["HGET h f", "HLEN h", "HSET h f v", "HSCAN h 0", "HRANDFIELD h", "HDEL h none"],
  ...["ZCARD z", "ZSCORE z m", "ZADD z 1 m", "ZRANGE z 0 -1", "ZUNION 2 z m", "ZREM z none", "ZRANDMEMBER z"],
  ...["XLEN x", "XRANGE x - +", "XREAD STREAMS x 0", "XADD x * f v", "XINFO STREAM x", "XDEL x 9-9"],
  ...["SORT l", "SORT l BY nosort GET s", "GETBIT s 0", "SETBIT s 0 1", "BITCOUNT s", "PFADD none 1"],
];

/** Returns the seconds that each key has been idle. */
const idleOf = (replies: readonly (Reply | undefined)[]): boolean[] =>
  replies.map((reply) => {
    assert.ok(reply?.kind === "integer", JSON.stringify(reply));
    return Number(reply.value) >= IDLE;
  });

test("the same commands as in redis-server reset the idle time of keys", { skip }, async () => {
  using redis = await RedisConnection.open(server.port);
  const database = new Database();
  const at = 1_790_000_000_000;
  database.usage.tick(at);
  const run = (argv: readonly string[]) => database.execute(argv, { at, db: 0, id: "u" });
  const create = CREATED.map((line) => line.split(" "));

  for (const argv of [...create, ...KEYS.map((key) => ["DUMP", key])]) redis.queue(argv);
  const dumps = (await redis.flush()).slice(CREATED.length);

  const restore = KEYS.map((key, i) => {
    const payload = dumps[i];
    assert.ok(payload?.kind === "bulk");
    return ["RESTORE", key, "0", payload.bytes, "REPLACE", "IDLETIME", String(IDLE)];
  });
  const ask = KEYS.map((key) => ["OBJECT", "IDLETIME", key]);

  for (const line of LINES) {
    const calls = [...restore, line.split(" "), ...ask];
    for (const argv of calls) redis.queue(argv);
    const theirs = idleOf((await redis.flush()).slice(-KEYS.length));
    const ours = idleOf(calls.map(run).slice(-KEYS.length));
    assert.deepEqual(ours, theirs, `${line}: whether ${KEYS.join(", ")} are idle`);
  }
});
