/** Compares OBJECT ENCODING and REFCOUNT of new values with redis-server's, at the limits of each encoding. */
import "../support/installed-families.js";
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Database } from "../../daemon/store/database.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { RedisConnection } from "../support/redis-connection.js";
import { type RedisServer, startRedis } from "../support/redis-server.js";
import { skipWithout } from "../support/requirements.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";
import { Generator } from "./grammar.js";
import { shown } from "./resp2-fold.js";

const RANDOM_VALUES = 400;

const skip = skipWithout("redis-server");
const seed = seedOfRun();
let server: RedisServer;
before(async () => {
  if (skip === false) server = await startRedis();
});
after(() => server?.stop());

/** Returns `count` different texts. */
const texts = (count: number, text: (i: number) => ByteString = String) =>
  Array.from({ length: count }, (_, i) => text(i));

const limits: readonly (readonly ByteString[])[] = [
  ...[44, 45].map((bytes) => ["SET", "k", "x".repeat(bytes)]),
  ...["0", "9999", "10000", "-1", "-0", "01", "9223372036854775807", "9223372036854775808", ""].map(
    (text) => ["SET", "k", text],
  ),
  ...[512, 513].map((count) => ["SADD", "k", ...texts(count)]),
  ["SADD", "k", "1", "a"],
  ["SADD", "k", "9223372036854775808"],
  ...[512, 513].map((count) => ["HSET", "k", ...texts(2 * count)]),
  ...[64, 65].flatMap((bytes) => [
    ["HSET", "k", "f", "x".repeat(bytes)],
    ["HSET", "k", "x".repeat(bytes), "v"],
    ["ZADD", "k", "1", "x".repeat(bytes)],
    ["RPUSH", "k", "x".repeat(bytes)],
  ]),
  ...[128, 129].map((count) => ["ZADD", "k", ...texts(count).flatMap((member) => ["1", member])]),
  ["RPUSH", "k", ...texts(2000)],
];

test(`OBJECT replies as redis-server does for new values (seed ${seed})`, { skip }, async () => {
  using redis = await RedisConnection.open(server.port);
  const g = new Generator({ random: new SeededRandom(seed, 1), now: 0 });
  const random = texts(RANDOM_VALUES).map(() =>
    g.oneOf<readonly ByteString[]>(
      ["SET", "k", g.value()],
      ["SADD", "k", ...g.some(() => g.value(), 1, 5)],
      ["SADD", "k", ...g.some(() => g.integer(), 1, 5)],
      // Each field occurs once. Otherwise a long value could be replaced within the command, and redis-server would
      // still change the encoding because of it.
      ["HSET", "k", ...texts(g.random.between(1, 5)).flatMap((field) => [field, g.value()])],
      ["ZADD", "k", "1", g.value()],
    ),
  );
  for (const making of [...limits, ...random]) {
    const database = new Database();
    const unit = { at: 0, db: 0, id: "" };
    database.execute(making, unit);
    const questions = ["ENCODING", "REFCOUNT"].map((about) => ["OBJECT", about, "k"]);
    for (const argv of [["DEL", "k"], making, ...questions]) redis.queue(argv);
    const [, , ...theirs] = await redis.flush();
    const ours = questions.map((argv) => database.execute(argv, unit));
    assert.deepEqual(ours.map(shown), theirs.map(shown), JSON.stringify(making).slice(0, 200));
  }
});
