/** Compares OBJECT ENCODING with redis-server's answers, with Redis's settings and for strings that were changed. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { skipWithout } from "../../../test/support/requirements.js";
import { lines, RedisComparison } from "./redis-comparison.js";

const skip = skipWithout("redis-server");
let comparison: RedisComparison;
before(async () => {
  if (skip === false) comparison = await RedisComparison.start();
});
after(() => comparison?.[Symbol.asyncDispose]());

const encoding = (...making: readonly string[]) => [...making, "OBJECT ENCODING k", "DEL k"];

test("collections that Redis stores compactly are scanned in one step and in its order, regardless of cursor and count", {
  skip,
}, async () => {
  const many = (n: number, word: (i: number) => string) =>
    Array.from({ length: n }, (_, i) => word(i)).join(" ");
  const scans = (command: string) => [
    `${command} k 0`,
    `${command} k 7 COUNT 2`,
    `${command} k 0 MATCH *1* COUNT 1`,
    "DEL k",
  ];
  await comparison.assertSame(
    lines(
      ...[`HSET k ${many(100, (i) => `f${i} v${i}`)}`, "HSET k f50 other", ...scans("HSCAN")],
      ...[
        `SADD k ${many(300, (i) => `${(i * 7919) % 601}`)}`,
        "SADD k -5 9223372036854775807 -9223372036854775808",
      ],
      ...["SREM k 7", ...scans("SSCAN")],
      ...[
        `ZADD k ${many(128, (i) => `${(i * 37) % 101} m${i}`)}`,
        "ZINCRBY k 0.5 m3",
        "ZREM k m9",
        ...scans("ZSCAN"),
      ],
      ...[
        "CONFIG SET hash-max-listpack-entries 600",
        `HSET k ${many(600, (i) => `f${i} v`)}`,
        ...scans("HSCAN"),
      ],
      "CONFIG SET hash-max-listpack-entries 512",
    ),
  );
});

test("OBJECT ENCODING uses the limits that CONFIG SET has set", { skip }, async () => {
  const answered = await comparison.assertSame(
    lines(
      "CONFIG SET hash-max-ziplist-entries 2 hash-max-listpack-value 3 set-max-intset-entries 2",
      "CONFIG SET zset-max-listpack-entries 2 zset-max-ziplist-value 3",
      ...encoding("HSET k a 1 b 2"),
      ...encoding("HSET k a 1 b 2 c 3"),
      ...encoding("HSET k abc 1"),
      ...encoding("HSET k abcd 1"),
      ...encoding("HSET k 1 abcd"),
      ...encoding("SADD k 1 2"),
      ...encoding("SADD k 1 2 3"),
      ...encoding("ZADD k 1 a 2 b"),
      ...encoding("ZADD k 1 a 2 b 3 c"),
      ...encoding("ZADD k 1 abcd"),
      "CONFIG SET hash-max-listpack-entries 0 set-max-intset-entries 0 zset-max-ziplist-entries 0",
      ...encoding("HSET k a 1"),
      ...encoding("SADD k 1"),
      ...encoding("ZADD k 1 a", "MULTI", "OBJECT ENCODING k", "EXEC"),
      "CONFIG GET zset-max-listpack-value",
      "CONFIG SET hash-max-listpack-entries 512 hash-max-listpack-value 64 set-max-intset-entries 512",
      "CONFIG SET zset-max-listpack-entries 128 zset-max-listpack-value 64",
      ...encoding("HSET k a 1"),
    ),
  );
  assert.match(answered, /skiplist/);
});

test("a short string that was changed in place is raw, and one to which a float was added is embstr", {
  skip,
}, async () => {
  await comparison.assertSame(
    lines(
      ...encoding("SET k 1234", "SETRANGE k 0 2"),
      ...encoding("SET k 1234", 'SETRANGE k 0 ""'),
      ...encoding("SET k 1234", "APPEND k 5"),
      ...encoding("APPEND k 5"),
      ...encoding("SET k 1234", "APPEND k 5", "INCR k"),
      ...encoding("SET k 1234", "APPEND k 5", "SET k 6"),
      ...encoding("SET k 1234", "APPEND k 5", "DEL k", "SET k 6"),
      ...encoding("SETRANGE k 1 ab"),
      ...encoding("SETBIT k 7 1"),
      ...encoding("BITFIELD k SET u8 0 49"),
      ...encoding("SET a 1", "BITOP AND k a a"),
      ...encoding("SET k 1", "INCRBYFLOAT k 1"),
      ...encoding("INCRBYFLOAT k 1"),
      ...encoding("INCRBYFLOAT k 1", "INCR k"),
      ...encoding("PFADD k a"),
      ...encoding("PFADD k a", "PFADD k b c d"),
    ),
  );
});
