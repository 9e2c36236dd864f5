/**
 * Tests what docs/active-active.md promises for rarer situations: units that race, writes that a daemon has accepted
 * alone before it is killed, lost disks, suspended daemons, links that work in one direction, and wrong clocks.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ActiveCluster, type ScenarioClient } from "../support/active-cluster.js";
import { pause } from "../support/pause.js";
import { until } from "../support/until.js";
import { assertEverywhere, by, COUNTS, client, type Run, scenario, seed } from "./scenario.js";

/** Writes two keys in one unit: a transaction or a script. */
async function writeBoth(writer: ScenarioClient, isScript: boolean, keys: [string, string], value: string) {
  const [left, right] = keys;
  if (isScript) {
    const script = "redis.call('set', KEYS[1], ARGV[1]) redis.call('set', KEYS[2], ARGV[1])";
    await writer.call("EVAL", script, "2", left, right, value);
    return;
  }
  await writer.call("MULTI");
  await writer.call("SET", left, value);
  await writer.call("SET", right, value);
  await writer.call("EXEC");
}

describe("units of several commands on several servers at the same time", () => {
  scenario("are never mixed: the keys of a unit have values of the same unit", async (run) => {
    const { cluster, random, prefix } = run;
    cluster.areApart = random.chance(0.5);
    const pairs = Array.from({ length: 10 }, (_, n) => [`${prefix}${n}:a`, `${prefix}${n}:b`] as const);
    await Promise.all(
      cluster.indices.map(async (index) => {
        for (const [left, right] of pairs) {
          await pause(random.below(5));
          await writeBoth(client(run, index), random.chance(0.5), [left, right], `of ${index}`);
        }
      }),
    );
    cluster.areApart = false;
    await cluster.untilEqual();
    for (const [left, right] of pairs) {
      const [first, ...others] = (await cluster.answers("MGET", left, right)) as [string, string][];
      assert.equal(first?.[0], first?.[1], `${left} and ${right}`);
      for (const each of others) assert.deepEqual(each, first);
    }
  });

  scenario("all take effect if they add", async (run) => {
    const { cluster, random, prefix } = run;
    const amounts = cluster.indices.map(() => random.between(3, 10));
    await Promise.all(
      cluster.indices.map(async (index) => {
        for (let n = 0; n < (amounts[index] ?? 0); n++) {
          await client(run, index).call("HINCRBY", `${prefix}hash`, "field", "2");
          await client(run, index).call("SADD", `${prefix}set`, `${index}:${n}`);
          await client(run, index).call("LPUSH", `${prefix}list`, `${index}:${n}`);
        }
      }),
    );

    await cluster.untilEqual();
    const total = amounts.reduce((sum, each) => sum + each, 0);
    await assertEverywhere(cluster, ["HGET", `${prefix}hash`, "field"], String(2 * total));
    await assertEverywhere(cluster, ["SCARD", `${prefix}set`], total);

    const [first, ...others] = await cluster.answers("LRANGE", `${prefix}list`, "0", "-1");
    assert.equal(new Set(first as string[]).size, total);
    for (const each of others) assert.deepEqual(each, first);
  });
});

describe("a server that is killed while it is disconnected from the others", () => {
  scenario("keeps the writes that it has acknowledged alone, and all servers receive them", async (run) => {
    const { cluster, random, prefix, one, other } = run;
    await client(run, one).call("SET", `${prefix}deleted`, "there");
    await cluster.untilEqual();

    cluster.areApart = true;
    const alone = random.between(1, 10);
    for (let n = 0; n < alone; n++) await client(run, one).call("RPUSH", `${prefix}alone`, String(n));
    await client(run, other).call("DEL", `${prefix}deleted`);
    await cluster.end(one, "SIGKILL");
    await cluster.spawn(one);
    if (random.chance(0.5)) {
      // The daemon reaches no other daemon for 10 s, and then accepts writes alone.
      await cluster.untilWritable(one);
      const reopened = run.open(one);
      await reopened.call("RPUSH", `${prefix}alone`, "later");
      reopened.disconnect();
    }

    cluster.areApart = false;
    await cluster.untilWritable(one);
    await cluster.untilEqual();

    await assertEverywhere(cluster, ["EXISTS", `${prefix}deleted`], 0);
    const [first, ...others] = (await cluster.answers("LRANGE", `${prefix}alone`, "0", "-1")) as string[][];
    const expected = Array.from({ length: alone }, (_, n) => String(n));
    assert.deepEqual(
      first?.filter((element) => element !== "later"),
      expected,
    );
    for (const each of others) assert.deepEqual(each, first);
  });
});

describe("a server whose disk is lost", () => {
  scenario(
    "fetches all data after an order of an operator, and accepts writes only after that",
    async (run) => {
      const { cluster, random, prefix, one, other } = run;
      const before = random.between(1, 50);
      for (let n = 0; n < before; n++) await client(run, one).call("INCR", `${prefix}count`);
      await cluster.untilEqual();
      await cluster.untilListed();

      const lost = await cluster.idOf(one);
      await cluster.end(one, "SIGKILL");
      cluster.loseDisk(one);
      await client(run, other).call("INCR", `${prefix}count`);

      await cluster.spawn(one);
      const reopened = run.open(one);
      await assert.rejects(reopened.call("INCR", `${prefix}count`), /accepts no writes/);
      if (cluster.indices.length === 2) await cluster.orderMembers(other, "FORCE");
      else await cluster.orderMembers(other, "REPLACE", lost, await cluster.idOf(one));

      await cluster.untilWritable(one);
      assert.equal(await reopened.call("INCR", `${prefix}count`), before + 2);
      reopened.disconnect();

      await cluster.untilEqual();
      await assertEverywhere(cluster, ["GET", `${prefix}count`], String(before + 2));
    },
  );
});

describe("a server that returns", () => {
  scenario("accepts no write before it has the writes that it missed", async (run) => {
    const { cluster, random, prefix, one, other, open } = run;
    await cluster.end(one, by(random));
    const missed = random.between(1, 200);
    await Promise.all(
      Array.from({ length: missed }, () => client(run, other).call("INCR", `${prefix}count`)),
    );
    await cluster.spawn(one);
    const returned = open(one);
    let counted: unknown;
    await until("the server accepts a write", async () => {
      counted = await returned.call("INCR", `${prefix}count`).catch(() => undefined);
      return counted !== undefined;
    });

    returned.disconnect();
    assert.equal(counted, missed + 1);
    await cluster.untilEqual();
    await assertEverywhere(cluster, ["GET", `${prefix}count`], String(missed + 1));
  });
});

describe("a server whose process is suspended", () => {
  scenario("receives the deletions of the meantime, and loses no write that it acknowledges", async (run) => {
    const { cluster, random, prefix, one, other } = run;
    await client(run, one).call("SET", `${prefix}deleted`, "there");
    await cluster.untilEqual();
    cluster.hang(one);
    await client(run, other).call("DEL", `${prefix}deleted`);
    await client(run, other).call("INCR", `${prefix}count`);
    // The suspended daemon receives this command from its socket after it has resumed.
    const late = client(run, one)
      .call("INCR", `${prefix}count`)
      .then(
        () => 1,
        () => 0,
      );

    await pause(random.below(4000));
    cluster.resume(one);
    const acknowledged = await late;
    await cluster.untilWritable(one);
    await cluster.untilEqual();
    await assertEverywhere(cluster, ["EXISTS", `${prefix}deleted`], 0);
    await assertEverywhere(cluster, ["GET", `${prefix}count`], String(1 + acknowledged));
  });
});

describe("links of which some are cut", () => {
  /** Cuts random links, but not all of them. */
  function cutSome({ cluster, random, one, other }: Run): void {
    for (const from of cluster.indices)
      for (const to of cluster.indices)
        if (from !== to && !(from === one && to === other) && random.chance(0.6)) cluster.cut(from, to);
  }

  scenario("delay writes, but every server receives all of them in the end", async (run) => {
    const { cluster, random, prefix } = run;
    cutSome(run);

    let counted = 0;
    await Promise.all(
      cluster.indices.map(async (index) => {
        for (let n = random.between(5, 30); n > 0; n--, counted++) {
          await client(run, index).call("INCR", `${prefix}count`);
          await client(run, index).call("SET", `${prefix}last`, `${n} of ${index}`);
          await pause(random.below(5));
        }
      }),
    );

    cluster.areApart = false;
    await cluster.untilEqual();
    await assertEverywhere(cluster, ["GET", `${prefix}count`], String(counted));
    const [first, ...others] = await cluster.answers("GET", `${prefix}last`);
    for (const each of others) assert.equal(each, first);
  });

  scenario("in one direction between two servers do not separate them", async (run) => {
    const { cluster, prefix, one, other } = run;
    cluster.cut(one, other);
    await client(run, one).call("SET", `${prefix}one`, "1");
    await client(run, other).call("SET", `${prefix}other`, "2");
    await cluster.untilEqual();
    await assertEverywhere(cluster, ["MGET", `${prefix}one`, `${prefix}other`], ["1", "2"]);
    cluster.areApart = false;
  });
});

describe("a queue whose clients use another server after theirs was killed", () => {
  scenario("may return one element twice, and keeps the element that nobody received", async (run) => {
    const { cluster, prefix, one, other, open } = run;
    const key = `${prefix}queue`;
    await client(run, one).call("RPUSH", key, "x", "y");
    await cluster.untilEqual();
    cluster.areApart = true;
    assert.equal(await client(run, one).call("LPOP", key), "x");
    await cluster.end(one, "SIGKILL");
    const elsewhere = open(other);
    assert.equal(await elsewhere.call("LPOP", key), "x", "the other server has not received the first pop");
    elsewhere.disconnect();
    cluster.areApart = false;
    await cluster.restart(one);
    await cluster.untilEqual();
    // Both pops name x: in the final state, only the first one has removed an element.
    await assertEverywhere(cluster, ["LRANGE", key, "0", "-1"], ["y"]);
  });
});

describe("WATCH and WAIT while all other servers are down", () => {
  scenario("no transaction with WATCH is decided, and other ones take effect", async (run) => {
    const { cluster, random, prefix, one, open } = run;
    const others = cluster.indices.filter((index) => index !== one);
    await cluster.untilListed();
    await client(run, one).call("SET", `${prefix}k`, "1");
    assert.equal(await client(run, one).call("WAIT", String(others.length), "10000"), others.length);
    for (const index of others) await cluster.end(index, by(random));

    // One that the daemon requests before it notices that it is alone may still be decided later: each has its own key.
    const watcher = open(one);
    let watched = 0;
    await until("a transaction with WATCH is refused", async () => {
      const key = `${prefix}watched:${watched++}`;
      await watcher.call("WATCH", key);
      await watcher.call("MULTI");
      await watcher.call("SET", key, "2");
      const answer = await watcher.call("EXEC").catch((problem: Error) => problem);
      assert.ok(answer instanceof Error, `${key} is decided: ${answer}`);
      return answer.message.includes("NOTAPPLIED");
    });

    await watcher.call("MULTI");
    await watcher.call("SET", `${prefix}k`, "3");
    assert.deepEqual(await watcher.call("EXEC"), ["OK"]);
    assert.equal(await watcher.call("WAIT", "1", "100"), 0);

    for (const index of others) await cluster.restart(index);
    await cluster.untilEqual();
    await assertEverywhere(cluster, ["GET", `${prefix}k`], "3");
    await assertEverywhere(cluster, ["EXISTS", `${prefix}watched:${watched - 1}`], 0);

    await watcher.call("WATCH", `${prefix}k`);
    await client(run, one).call("SET", `${prefix}k`, "4");
    await watcher.call("MULTI");
    await watcher.call("SET", `${prefix}k`, "5");
    assert.equal(await watcher.call("EXEC"), null);
    watcher.disconnect();
  });
});

describe("servers that were all killed", () => {
  scenario("return one by one: the first one serves its data and accepts writes alone", async (run) => {
    const { cluster, prefix, one, other, open } = run;
    await client(run, other).call("SET", `${prefix}k`, "1");
    await cluster.untilEqual();
    for (const index of cluster.indices) await cluster.end(index, "SIGKILL");
    await cluster.spawn(one);
    const alone = open(one);
    assert.equal(await alone.call("GET", `${prefix}k`), "1", "it reads immediately");
    await cluster.untilWritable(one);
    await alone.call("INCR", `${prefix}k`);
    alone.disconnect();
    for (const index of cluster.indices) if (index !== one) await cluster.restart(index);
    await cluster.untilEqual();
    await assertEverywhere(cluster, ["GET", `${prefix}k`], "2");
  });
});

describe("a server whose clock is ahead", () => {
  for (const count of COUNTS)
    test(`refuses writes and states the reason, and the others accept them: ${count} daemons (seed ${seed})`, async () => {
      await using cluster = await ActiveCluster.start(count);
      const wrong = count - 1;
      await cluster.end(wrong, "SIGTERM");
      await cluster.spawn(wrong, 3500);
      const refused = cluster.client(wrong);
      await until("the server with the wrong clock states the reason", async () => {
        const answer = await refused.call("SET", "k", "wrong").catch(String);
        assert.notEqual(answer, "OK");
        return /clock/.test(String(answer));
      });
      for (const index of cluster.indices.slice(0, wrong))
        assert.equal(await cluster.client(index).call("SET", "k", "right"), "OK");
      await cluster.untilEqual();
      await assertEverywhere(cluster, ["GET", "k"], "right");
    });
});
