/**
 * Tests concurrent scripts on three daemons with timelines, one of which is killed. Each script is applied completely
 * or not at all, no answered script is lost, and all three daemons are equal in the end.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { itemsOf, shown } from "../conformance/resp2-fold.js";
import { amount } from "../support/amount.js";
import { RedisConnection } from "../support/redis-connection.js";
import { authorizeDaemons, respPort } from "../support/resp-trio.js";
import { Trio } from "../support/trio.js";

const ROUNDS = amount(30, 400);
/** A script that reads a value, and writes depending on it. */
const SCRIPT = `
local total = redis.call('incr', 'total')
redis.call('rpush', 'log', ARGV[1])
redis.call('sadd', 'pool', ARGV[1], 'x' .. total)
local taken = redis.call('spop', 'pool')
redis.call('hset', 'taken', ARGV[1], taken)
local id = redis.call('xadd', 'events', '*', 'n', ARGV[1])
redis.call('hset', 'ids', ARGV[1], id)
if total % 7 == 0 then redis.call('del', 'pool') end
return total`;

test("scripts on three daemons are applied completely and equally, and no answered script is lost", async () => {
  await using trio = await Trio.start(["--resp", "0"]);
  await authorizeDaemons(trio);
  const answered: string[] = [];

  const run = async (index: number, from: number, to: number) => {
    using client = await RedisConnection.open(await respPort(trio, index));
    for (let round = from; round < to; round++) {
      const name = `${index}:${round}`;
      const reply = await client.call("EVAL", SCRIPT, "0", name);
      assert.equal(reply.kind, "integer", shown(reply));
      answered.push(name);
    }
  };

  const half = ROUNDS / 2;
  await Promise.all([0, 1, 2].map((index) => run(index, 0, half)));

  const dying = run(0, half, ROUNDS).catch(() => {});
  const others = [1, 2].map((index) => run(index, half, ROUNDS));
  await trio.until("the daemon is running scripts", async () =>
    answered.some((name) => name.startsWith(`0:${half}`)),
  );

  await trio.end(0, "SIGKILL");
  await Promise.all([dying, ...others]);
  await trio.start(0);
  await trio.level(120_000);

  for (const index of [0, 1, 2]) {
    using client = await RedisConnection.open(await respPort(trio, index));
    const log = itemsOf(await client.call("LRANGE", "log", "0", "-1")).map((item) =>
      item.kind === "bulk" ? item.bytes : "",
    );
    assert.equal(new Set(log).size, log.length, "none twice");
    assert.deepEqual(
      answered.filter((name) => !log.includes(name)),
      [],
    );

    const counts = [
      ["GET", "total"],
      ["HLEN", "taken"],
      ["HLEN", "ids"],
      ["XLEN", "events"],
    ] as const;
    for (const argv of counts)
      assert.equal(shown(await client.call(...argv)).replace(/\D/g, ""), String(log.length), argv.join(" "));
  }
});
