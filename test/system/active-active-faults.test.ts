/**
 * Tests what docs/active-active.md promises for rarer situations: units that race, writes that a daemon has accepted
 * alone before it is killed, lost disks, suspended daemons, links that work in one direction, and wrong clocks.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ActiveCluster, type ScenarioClient } from "../support/active-cluster.js";
import { pause } from "../support/pause.js";
import { until } from "../support/until.js";
import {
  assertEverywhere,
  CLUSTER_SIZES,
  clientOf,
  type Run,
  randomSignal,
  scenario,
  seed,
} from "./scenario.js";

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
          await writeBoth(clientOf(run, index), random.chance(0.5), [left, right], `of ${index}`);
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
          await clientOf(run, index).call("HINCRBY", `${prefix}hash`, "field", "2");
          await clientOf(run, index).call("SADD", `${prefix}set`, `${index}:${n}`);
          await clientOf(run, index).call("LPUSH", `${prefix}list`, `${index}:${n}`);
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
    const { cluster, random, prefix, chosen, other } = run;
    await clientOf(run, chosen).call("SET", `${prefix}deleted`, "there");
    await cluster.untilEqual();

    cluster.areApart = true;
    const alone = random.between(1, 10);
    for (let n = 0; n < alone; n++) await clientOf(run, chosen).call("RPUSH", `${prefix}alone`, String(n));
    await clientOf(run, other).call("DEL", `${prefix}deleted`);

    await cluster.end(chosen, "SIGKILL");
    await cluster.spawn(chosen);
    if (random.chance(0.5)) {
      // The daemon reaches no other daemon for 10 s, and then accepts writes alone.
      await cluster.untilWritable(chosen);
      const reopened = run.openClient(chosen);
      await reopened.call("RPUSH", `${prefix}alone`, "later");
      reopened.disconnect();
    }

    cluster.areApart = false;
    await cluster.untilWritable(chosen);
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
  scenario("fetches all data after one order, and accepts writes only after that", async (run) => {
    const { cluster, random, prefix, chosen, other } = run;
    const before = random.between(1, 50);
    for (let n = 0; n < before; n++) await clientOf(run, chosen).call("INCR", `${prefix}count`);
    await cluster.untilEqual();
    await cluster.untilListed();

    const lost = await cluster.idOf(chosen);
    await cluster.end(chosen, "SIGKILL");
    cluster.loseDisk(chosen);
    await clientOf(run, other).call("INCR", `${prefix}count`);

    await cluster.spawn(chosen);
    const reopened = run.openClient(chosen);
    await assert.rejects(reopened.call("INCR", `${prefix}count`));
    if (cluster.indices.length === 2) await cluster.orderMembers(other, "FORCE");
    else await cluster.orderMembers(other, "REPLACE", lost, await cluster.idOf(chosen));

    await cluster.untilWritable(chosen);
    assert.equal(await reopened.call("INCR", `${prefix}count`), before + 2);
    reopened.disconnect();

    await cluster.untilEqual();
    await assertEverywhere(cluster, ["GET", `${prefix}count`], String(before + 2));
  });
});

describe("a server that returns", () => {
  scenario("accepts no write before it has the writes that it missed", async (run) => {
    const { cluster, random, prefix, chosen, other, openClient } = run;
    await cluster.end(chosen, randomSignal(random));
    const missed = random.between(1, 200);
    await Promise.all(
      Array.from({ length: missed }, () => clientOf(run, other).call("INCR", `${prefix}count`)),
    );

    await cluster.spawn(chosen);
    const returned = openClient(chosen);
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
    const { cluster, random, prefix, chosen, other } = run;
    await clientOf(run, chosen).call("SET", `${prefix}deleted`, "there");
    await cluster.untilEqual();

    cluster.hang(chosen);
    await clientOf(run, other).call("DEL", `${prefix}deleted`);
    await clientOf(run, other).call("INCR", `${prefix}count`);

    // The suspended daemon receives this command from its socket after it has resumed.
    const late = clientOf(run, chosen)
      .call("INCR", `${prefix}count`)
      .then(
        () => 1,
        () => 0,
      );

    await pause(random.below(4000));
    cluster.resume(chosen);
    const acknowledged = await late;
    await cluster.untilWritable(chosen);
    await cluster.untilEqual();
    await assertEverywhere(cluster, ["EXISTS", `${prefix}deleted`], 0);
    await assertEverywhere(cluster, ["GET", `${prefix}count`], String(1 + acknowledged));
  });
});

describe("links of which some are cut", () => {
  /** Cuts random links, but not all of them. */
  function cutSome({ cluster, random, chosen, other }: Run): void {
    for (const from of cluster.indices)
      for (const to of cluster.indices)
        if (from !== to && !(from === chosen && to === other) && random.chance(0.6)) cluster.cut(from, to);
  }

  scenario("delay writes, but every server receives all of them in the end", async (run) => {
    const { cluster, random, prefix } = run;
    cutSome(run);

    let counted = 0;
    await Promise.all(
      cluster.indices.map(async (index) => {
        for (let n = random.between(5, 30); n > 0; n--, counted++) {
          await clientOf(run, index).call("INCR", `${prefix}count`);
          await clientOf(run, index).call("SET", `${prefix}last`, `${n} of ${index}`);
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
    const { cluster, prefix, chosen, other } = run;
    cluster.cut(chosen, other);
    await clientOf(run, chosen).call("SET", `${prefix}one`, "1");
    await clientOf(run, other).call("SET", `${prefix}other`, "2");
    await cluster.untilEqual();
    await assertEverywhere(cluster, ["MGET", `${prefix}one`, `${prefix}other`], ["1", "2"]);
    cluster.areApart = false;
  });
});

describe("a queue whose clients use another server after theirs was killed", () => {
  scenario("may return one element twice, and keeps the element that nobody received", async (run) => {
    const { cluster, prefix, chosen, other, openClient } = run;
    const key = `${prefix}queue`;
    await clientOf(run, chosen).call("RPUSH", key, "x", "y");
    await cluster.untilEqual();
    cluster.areApart = true;
    assert.equal(await clientOf(run, chosen).call("LPOP", key), "x");
    await cluster.end(chosen, "SIGKILL");
    const elsewhere = openClient(other);
    assert.equal(await elsewhere.call("LPOP", key), "x", "the other server has not received the first pop");
    elsewhere.disconnect();
    cluster.areApart = false;
    await cluster.restart(chosen);
    await cluster.untilEqual();
    // Both pops name x: in the final state, only the first one has removed an element.
    await assertEverywhere(cluster, ["LRANGE", key, "0", "-1"], ["y"]);
  });
});

describe("WATCH and WAIT while all other servers are down", () => {
  scenario("nothing is decided or confirmed, and other transactions are accepted", async (run) => {
    const { cluster, random, prefix, chosen, openClient } = run;
    const others = cluster.indices.filter((index) => index !== chosen);
    await cluster.untilListed();
    await clientOf(run, chosen).call("SET", `${prefix}k`, "1");
    assert.equal(await clientOf(run, chosen).call("WAIT", String(others.length), "10000"), others.length);

    for (const index of others) await cluster.end(index, randomSignal(random));
    const watcher = openClient(chosen);
    await watcher.call("WATCH", `${prefix}k`);
    await watcher.call("MULTI");
    await watcher.call("SET", `${prefix}k`, "2");
    await assert.rejects(watcher.call("EXEC"), /NOTAPPLIED/);

    await watcher.call("MULTI");
    await watcher.call("SET", `${prefix}k`, "3");
    assert.deepEqual(await watcher.call("EXEC"), ["OK"]);
    assert.equal(await watcher.call("WAIT", "1", "100"), 0);

    for (const index of others) await cluster.restart(index);
    await cluster.untilEqual();
    await assertEverywhere(cluster, ["GET", `${prefix}k`], "3");

    await watcher.call("WATCH", `${prefix}k`);
    await clientOf(run, chosen).call("SET", `${prefix}k`, "4");
    await watcher.call("MULTI");
    await watcher.call("SET", `${prefix}k`, "5");
    assert.equal(await watcher.call("EXEC"), null);
    watcher.disconnect();
  });
});

describe("servers that were all killed", () => {
  scenario("return one by one: the first one serves its data and accepts writes alone", async (run) => {
    const { cluster, prefix, chosen, other, openClient } = run;
    await clientOf(run, other).call("SET", `${prefix}k`, "1");
    await cluster.untilEqual();
    for (const index of cluster.indices) await cluster.end(index, "SIGKILL");
    await cluster.spawn(chosen);
    const alone = openClient(chosen);
    assert.equal(await alone.call("GET", `${prefix}k`), "1", "it reads immediately");
    await cluster.untilWritable(chosen);
    await alone.call("INCR", `${prefix}k`);
    alone.disconnect();
    for (const index of cluster.indices) if (index !== chosen) await cluster.restart(index);
    await cluster.untilEqual();
    await assertEverywhere(cluster, ["GET", `${prefix}k`], "2");
  });
});

describe("a server whose clock is ahead", () => {
  for (const count of CLUSTER_SIZES)
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
