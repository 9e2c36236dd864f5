/**
 * Tests programs (scripts, functions, transactions with scripts) that write decided keys, with three real daemons that
 * all take them. Source: docs/decisions/0082-programs-on-decided-keys.md.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Redis } from "ioredis";
import { ActiveCluster } from "../support/active-cluster.js";
import { skipUnlessFull } from "../support/amount.js";
import { EARLY_PATTERNS } from "../support/decided-patterns.js";
import { assertEverywhere } from "./scenario.js";

/** Takes the element with the lowest score of a sorted set, and notes who has taken it. */
const TAKE = `
  local found = redis.call('zrange', KEYS[1], 0, 0)
  if #found == 0 then return false end
  redis.call('zrem', KEYS[1], found[1])
  redis.call('hset', KEYS[2], found[1], ARGV[1])
  return found[1]`;
/** Sets a lock to a token if it is free. */
const LOCK =
  "if redis.call('exists', KEYS[1]) == 1 then return 0 end redis.call('set', KEYS[1], ARGV[1]) return 1";
const UNLOCK = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0";

describe("programs on decided keys of three daemons", { skip: skipUnlessFull }, () => {
  let cluster: ActiveCluster;
  let clients: Redis[];

  before(async () => {
    cluster = await ActiveCluster.start(3, { isPatient: true, args: () => EARLY_PATTERNS });
    await cluster.untilListed();
    await cluster.decideOn(["d:*"]);
    clients = cluster.indices.map((index) => new Redis({ port: cluster.respPort(index) }));
  });

  after(async () => {
    for (const client of clients) client.disconnect();
    await cluster[Symbol.asyncDispose]();
  });

  test("each element is taken once, by scripts of three daemons at the same time", async () => {
    const count = 300;
    const [first] = clients as [Redis];
    await first.zadd("d:queue", ...Array.from({ length: count }, (_, n) => [n, `e${n}`]).flat());

    const taken: string[] = [];
    await Promise.all(
      clients.flatMap((client, index) =>
        Array.from({ length: 8 }, async () => {
          const take = () =>
            client.eval(TAKE, 2, "d:queue", "d:owners", String(index)) as Promise<string | null>;
          for (let element = await take(); element !== null; element = await take()) taken.push(element);
        }),
      ),
    );

    assert.equal(taken.length, count);
    assert.equal(new Set(taken).size, count);
    await cluster.untilEqual();
    await assertEverywhere(cluster, ["HLEN", "d:owners"], count);
  });

  test("a lock has one owner, and each daemon can release it", async () => {
    for (let round = 0; round < 50; round++) {
      const key = `d:lock:${round}`;
      const won = await Promise.all(clients.map((client, index) => client.eval(LOCK, 1, key, String(index))));
      assert.equal(won.filter((one) => one === 1).length, 1, `${won}`);
      const owner = won.indexOf(1);
      const other = clients[(owner + 1) % 3] as Redis;
      assert.equal(await other.eval(UNLOCK, 1, key, "nobody"), 0);
      assert.equal(await other.eval(UNLOCK, 1, key, String(owner)), 1);
    }
  });

  test("a transaction with a script takes effect only if nobody has changed a watched key", async () => {
    const [one, two] = clients as [Redis, Redis, Redis];
    await one.set("d:watched", "1");
    const rename = "redis.call('set', KEYS[2], redis.call('get', KEYS[1])) return redis.call('get', KEYS[2])";
    const attempt = async (client: Redis) => {
      await client.watch("d:watched");
      return await client.multi().eval(rename, 2, "d:watched", "d:copy").incr("d:watched").exec();
    };
    const results = await Promise.all([attempt(one), attempt(two)]);
    assert.equal(results.filter((result) => result !== null).length, 1);
    await cluster.untilEqual();
    await assertEverywhere(cluster, ["MGET", "d:watched", "d:copy"], ["2", "1"]);
  });

  test("a function whose library each daemon has counts exactly", async () => {
    const code =
      "#!lua name=counting\nredis.register_function('add', function(keys) local n = tonumber(redis.call('get', keys[1]) or 0) redis.call('set', keys[1], n + 1) return n + 1 end)";
    await Promise.all(clients.map((client) => client.function("LOAD", "REPLACE", code)));
    const counted = await Promise.all(
      clients.flatMap((client) => Array.from({ length: 20 }, () => client.fcall("add", 1, "d:counted"))),
    );
    assert.equal(new Set(counted).size, 60);
    await cluster.untilEqual();
    await assertEverywhere(cluster, ["GET", "d:counted"], "60");
  });

  test("a group of a stream delivers each entry to one script", async () => {
    const [first] = clients as [Redis];
    await first.xgroup("CREATE", "d:stream", "g", "$", "MKSTREAM");
    for (let n = 0; n < 30; n++) await first.xadd("d:stream", "*", "n", String(n));

    const read =
      "return redis.call('xreadgroup', 'GROUP', 'g', ARGV[1], 'COUNT', 1, 'STREAMS', KEYS[1], '>')";
    const ids: string[] = [];
    await Promise.all(
      clients.map(async (client, index) => {
        const next = () =>
          client.eval(read, 1, "d:stream", `c${index}`) as Promise<[string, [string, string[]][]][] | null>;
        for (let found = await next(); found !== null; found = await next())
          for (const [id] of found[0]?.[1] ?? []) ids.push(id);
      }),
    );

    assert.equal(ids.length, 30);
    assert.equal(new Set(ids).size, 30);
  });
});
