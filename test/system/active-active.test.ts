/**
 * Reproduces problems that users of other databases with several writable servers have reported, with Redis clients,
 * kills, cut links and different clocks. docs/active-active.md describes the expected behaviour of dbsync.
 * DBSYNC_SEED replays a run, and DBSYNC_SCENARIO_RUNS repeats each scenario with other timing.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ActiveCluster } from "../support/active-cluster.js";
import { skipUnlessFull } from "../support/amount.js";
import { pause } from "../support/pause.js";
import { SeededRandom } from "../support/seeded-random.js";
import { until } from "../support/until.js";
import { assertEverywhere, by, COUNTS, client, RUNS, type Run, scenario, seed } from "./scenario.js";

const QUEUED = 20;

describe("a key that was deleted while a server was down", { skip: skipUnlessFull }, () => {
  scenario("stays deleted when that server returns", async (run) => {
    const { cluster, random, prefix, one, other } = run;
    const key = `${prefix}deleted`;
    await client(run, random.below(cluster.indices.length)).call("SET", key, "there");
    await cluster.untilEqual();
    await assertEverywhere(cluster, ["GET", key], "there");
    await cluster.end(one, by(random));
    assert.equal(await client(run, other).call("DEL", key), 1);
    if (random.chance(0.5)) await pause(random.below(200));
    await cluster.restart(one);
    await cluster.untilEqual();
    await assertEverywhere(cluster, ["EXISTS", key], 0);
  });
});

describe("servers that all accept writes while one is killed and restarted", () => {
  scenario("lose no acknowledged write", async (run) => {
    const { cluster, random, prefix, one } = run;
    const acknowledged = new Map<string, string>();
    let isOver = false;
    const writer = async (index: number) => {
      for (let n = 0; !isOver; n++) {
        const key = `${prefix}${index}:${n}`;
        try {
          await client(run, index).call("SET", key, String(n));
        } catch {
          return; // The daemon is down. A command without an answer may have been applied or not.
        }
        acknowledged.set(key, String(n));
        // All clients send at the same time. The result must depend on the order alone, and not on the entries that a
        // daemon has already received.
        await client(run, index)
          .call("INCR", `${prefix}sum`)
          .then(
            () => sum++,
            () => unsure++,
          );
      }
    };

    let [sum, unsure] = [0, 0];
    const writers = cluster.indices.map(writer);
    await pause(random.between(20, 200));
    await cluster.end(one, "SIGKILL");
    await pause(random.below(100));
    await cluster.restart(one);
    await pause(random.between(20, 100));

    isOver = true;
    await Promise.all(writers);
    await cluster.untilEqual();

    const keys = [...acknowledged.keys()];
    assert.ok(keys.length > 0);
    for (const values of await cluster.answers("MGET", keys[0] as string, ...keys.slice(1)))
      assert.deepEqual(values, [...acknowledged.values()]);

    const [total, ...others] = (await cluster.answers("GET", `${prefix}sum`)).map(Number);
    assert.ok(others.every((each) => each === total));
    assert.ok(Number(total) >= sum && Number(total) <= sum + unsure, `${total} of ${sum} and ${unsure}`);
  });
});

describe("clients that write the same keys on several servers at the same time", {
  skip: skipUnlessFull,
}, () => {
  scenario("finally read the same value from all servers", async (run) => {
    const { cluster, random, prefix } = run;
    const keys = Array.from({ length: 20 }, (_, n) => `${prefix}same:${n}`) as [string, ...string[]];
    const writes = keys.flatMap((key) =>
      cluster.indices.map(async (index) => {
        await pause(random.below(15));
        return await client(run, index).call("SET", key, `of ${index}`);
      }),
    );
    assert.ok((await Promise.all(writes)).every((answer) => answer === "OK"));
    await cluster.untilEqual();
    const [first, ...others] = await cluster.answers("MGET", ...keys);
    for (const each of others) assert.deepEqual(each, first);
    for (const value of first as string[]) assert.match(value, /^of \d$/);
  });
});

describe("locks and queues", { skip: skipUnlessFull }, () => {
  scenario(
    "a lock that two servers may grant at the same time finally has one owner on all servers",
    async (run) => {
      const { cluster, prefix } = run;
      const key = `${prefix}lock`;
      const answers = await Promise.all(
        run.clients.map((each, index) => each.call("SET", key, `of ${index}`, "NX")),
      );
      // This is a documented limit: daemons do not coordinate before they answer.
      assert.ok(answers.filter((answer) => answer === "OK").length >= 1);
      await cluster.untilEqual();
      const [holder, ...others] = await cluster.answers("GET", key);
      assert.match(String(holder), /^of \d$/);
      assert.ok(others.every((each) => each === holder));
    },
  );

  scenario("a lock that all clients acquire on one server never has more than one owner", async (run) => {
    const { cluster, one, open, prefix } = run;
    const key = `${prefix}lock`;
    const owners = Array.from({ length: 5 }, () => open(one));
    let holders = 0;

    await Promise.all(
      owners.map(async (owner, number) => {
        const acquires = async () =>
          (await owner.call("SET", key, String(number), "NX", "PX", "60000")) === "OK";
        await until(`client ${number} acquires the lock`, acquires, { pause: () => pause(1) });
        assert.equal(++holders, 1);
        await pause(2);
        holders--;
        const release = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end";
        assert.equal(await owner.call("EVAL", release, "1", key, String(number)), 1);
      }),
    );

    for (const owner of owners) owner.disconnect();
    await cluster.untilEqual();
    await assertEverywhere(cluster, ["EXISTS", key], 0);
  });

  scenario("a queue that is filled and read on one server returns each element once", async (run) => {
    const { cluster, random, one, other, open, prefix } = run;
    const key = `${prefix}queue`;
    const pushed = Array.from({ length: QUEUED }, (_, n) => String(n));
    const producer = open(one);
    const producing = (async () => {
      for (const element of pushed) {
        await pause(random.below(3));
        await producer.call("LPUSH", key, element);
      }
    })();

    const restarting = pause(random.below(50))
      .then(() => cluster.end(other, "SIGKILL"))
      .then(() => cluster.restart(other));

    const popped: string[] = [];
    const workers = Array.from({ length: 3 }, () => open(one));
    const working = workers.map(async (worker) => {
      const pop = async () => {
        const answer = (await worker.call("BRPOP", key, "0.1")) as [string, string] | null;
        if (answer !== null) popped.push(answer[1]);
      };
      await until("all elements are popped", () => popped.length >= pushed.length, { pause: pop });
    });

    await Promise.all([producing, restarting, ...working]);
    for (const worker of [producer, ...workers]) worker.disconnect();
    assert.deepEqual(popped.toSorted(), pushed.toSorted());

    await cluster.untilEqual();
    await assertEverywhere(cluster, ["LLEN", key], 0);
  });

  scenario("a queue that is filled on all servers and read on one returns each element once", async (run) => {
    const { cluster, random, one, open, prefix } = run;
    const key = `${prefix}queue`;
    const producing = cluster.indices.map(async (index) => {
      for (let n = 0; n < QUEUED; n++) {
        await pause(random.below(3));
        await client(run, index).call("LPUSH", key, `${index}:${n}`);
      }
    });
    const worker = open(one);
    const popped: string[] = [];
    const working = (async () => {
      for (let n = 0; n < QUEUED; n++) {
        const element = await worker.call("RPOP", key);
        if (typeof element === "string") popped.push(element);
      }
    })();

    await Promise.all([...producing, working]);
    worker.disconnect();
    await cluster.untilEqual();

    // What the client received is gone, and everything else is there, although pushes arrive late.
    const [rest, ...others] = (await cluster.answers("LRANGE", key, "0", "-1")) as string[][];
    for (const each of others) assert.deepEqual(each, rest);
    const pushed = cluster.indices.flatMap((index) =>
      Array.from({ length: QUEUED }, (_, n) => `${index}:${n}`),
    );
    assert.deepEqual([...popped, ...(rest ?? [])].toSorted(), pushed.toSorted());
  });
});

/** Writes to all servers while all links are cut. @returns the last value, and the number of increments */
async function writeApart(run: Run): Promise<{ last: string; counted: number }> {
  const { cluster, random, prefix } = run;
  cluster.areApart = true;
  let [last, counted] = ["", 0];
  const writes = random.between(3, 8);
  for (let n = 0; n < writes; n++) {
    const index = n < cluster.indices.length ? n : random.below(cluster.indices.length);
    last = `${n} of ${index}`;
    await client(run, index).call("SET", `${prefix}b`, last);
    await client(run, index).call("INCR", `${prefix}count`);
    await client(run, index).call("SADD", `${prefix}all`, String(n));
    counted++;
    // The order of two writes in the same millisecond is not predictable.
    await pause(random.between(2, 20));
  }

  cluster.areApart = false;
  await cluster.untilEqual();
  return { last, counted };
}

describe("servers that were disconnected from each other", { skip: skipUnlessFull }, () => {
  scenario("have the last value and all increments and additions after they reconnect", async (run) => {
    const { last, counted } = await writeApart(run);
    await assertEverywhere(run.cluster, ["GET", `${run.prefix}b`], last);
    await assertEverywhere(run.cluster, ["GET", `${run.prefix}count`], String(counted));
    await assertEverywhere(run.cluster, ["SCARD", `${run.prefix}all`], counted);
  });

  for (const count of COUNTS)
    test(`converge to one value, possibly not the last one, if their clocks differ: ${count} daemons (seed ${seed})`, async () => {
      // A daemon whose clock differs by more than this rejects writes.
      const clocks = [0, -900, 600].slice(0, count);
      await using cluster = await ActiveCluster.start(count, { clocks });
      for (let number = 0; number < RUNS; number++) {
        const random = new SeededRandom(seed, count, number);
        const open = (index: number) => cluster.client(index);
        const clients = cluster.indices.map(open);
        const run = { cluster, random, clients, open, prefix: `${number}:`, one: 0, other: 1 };
        const { counted } = await writeApart(run);
        const values = await cluster.answers("GET", `${number}:b`);
        assert.equal(new Set(values).size, 1, String(values));
        await assertEverywhere(cluster, ["GET", `${number}:count`], String(counted));
        for (const each of clients) each.disconnect();
      }
    });
});

describe("servers without a disk", { skip: skipUnlessFull }, () => {
  for (const count of COUNTS)
    test(`send all data to a server that returns empty, and continue to answer: ${count} daemons (seed ${seed})`, async () => {
      await using cluster = await ActiveCluster.start(count, { isInMemory: true });
      for (let number = 0; number < RUNS; number++) {
        const random = new SeededRandom(seed, count, number);
        const one = random.below(count);
        const other = (one + 1) % count;
        const healthy = cluster.client(other);
        await healthy.call("SET", `${number}:before`, "1");
        await cluster.untilEqual();
        await cluster.end(one, by(random));
        await healthy.call("SET", `${number}:meanwhile`, "2");
        let isBack = false;
        const asking = (async () => {
          for (; !isBack; await pause(50)) {
            assert.equal(await healthy.call("GET", `${number}:before`), "1");
            assert.equal(await healthy.call("SET", `${number}:during`, "3"), "OK");
          }
        })();
        const restarted = cluster.restart(one).finally(() => {
          isBack = true;
        });
        await Promise.all([restarted, asking]);
        await cluster.untilEqual();
        const keys = ["before", "meanwhile", "during"].map((name) => `${number}:${name}`);
        await assertEverywhere(cluster, ["MGET", ...keys], ["1", "2", "3"]);
        healthy.disconnect();
      }
    });

  test("lose all data if all of them are killed together (a documented limit)", async () => {
    await using cluster = await ActiveCluster.start(2, { isInMemory: true });
    await cluster.client(0).call("SET", "k", "v");
    await cluster.untilEqual();
    for (const index of cluster.indices) await cluster.end(index, "SIGKILL");
    await Promise.all(cluster.indices.map((index) => cluster.spawn(index)));
    for (const index of cluster.indices) await cluster.untilWritable(index);
    await assertEverywhere(cluster, ["EXISTS", "k"], 0);
  });
});
