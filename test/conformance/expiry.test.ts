/**
 * Tests that keys expire in the same millisecond as in a real redis-server. Its clock is read together with the key, so
 * both sides use exactly the same time.
 */
import "../support/installed-families.js";
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { Database } from "../../daemon/store/database.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import { RedisConnection } from "../support/redis-connection.js";
import { type RedisServer, startRedis } from "../support/redis-server.js";
import { skipWithout } from "../support/requirements.js";
import { folded, itemsOf, sameReply, shown } from "./resp2-fold.js";

/** Milliseconds for which the key lives, and for which the test watches it afterwards. */
const LIFE = 600;
const AFTERLIFE = 20;

const skip = skipWithout("redis-server");
let server: RedisServer;
before(async () => {
  if (skip === false) server = await startRedis();
});
after(() => server?.stop());

/** Commands that set a key's expiry time, in Unix milliseconds. */
const setters: Readonly<Record<string, (end: number) => ByteString[]>> = {
  PEXPIREAT: (end) => ["PEXPIREAT", "k", String(end)],
  "SET PXAT": (end) => ["SET", "k", "v", "PXAT", String(end)],
  "GETEX PXAT": (end) => ["GETEX", "k", "PXAT", String(end)],
};

for (const [name, setter] of Object.entries(setters)) {
  test(`a key set by ${name} expires as in redis-server`, { skip }, async () => {
    using redis = await RedisConnection.open(server.port);
    const database = new Database();

    const start = millisecondsOf(await redis.call("TIME"));
    const end = start + LIFE;
    for (const argv of [["SET", "k", "v"], setter(end)]) {
      assert.ok(
        sameReply(await redis.call(...argv), folded(database.execute(argv, { at: start, db: 0, id: "" }))),
      );
    }

    const looks: readonly ByteString[][] = [
      ["EXISTS", "k"],
      ["PTTL", "k"],
      ["TTL", "k"],
      ["EXPIRETIME", "k"],
      ["GET", "k"],
    ];

    let compared = 0;
    for (let at = start; at <= end + AFTERLIFE; ) {
      const sample = await atomically(redis, looks);
      at = sample.at;
      if (!sample.isOneMillisecond) continue;

      const ours = (date: number) =>
        looks.map((argv) => shown(folded(database.execute(argv, { at: date, db: 0, id: "" }))));
      const theirs = sample.replies.map(shown);
      // EXEC uses the time of its beginning, which can be in the millisecond before TIME's.
      if (!isDeepStrictEqual(ours(at - 1), theirs)) {
        assert.deepEqual(ours(at), theirs, `${at - end} ms after its expiry time`);
      }
      compared++;
    }
    assert.ok(compared > 0);
  });
}

interface Sample {
  readonly at: number;
  /** Whether redis-server's clock showed the same millisecond before and after the calls. */
  readonly isOneMillisecond: boolean;
  readonly replies: readonly Reply[];
}

async function atomically(redis: RedisConnection, calls: readonly ByteString[][]): Promise<Sample> {
  for (const argv of [["MULTI"], ["TIME"], ...calls, ["TIME"], ["EXEC"]]) redis.queue(argv);
  const results = itemsOf((await redis.flush()).at(-1));
  const at = millisecondsOf(results[0]!);
  return { at, isOneMillisecond: at === millisecondsOf(results.at(-1)!), replies: results.slice(1, -1) };
}

function millisecondsOf(time: Reply): number {
  const [seconds, microseconds] = itemsOf(time).map((part) =>
    part.kind === "bulk" ? Number(part.bytes) : Number.NaN,
  );
  return seconds! * 1000 + Math.floor(microseconds! / 1000);
}
