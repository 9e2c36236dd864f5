/**
 * Tests clients that follow a stream at each of several real daemons, while other clients add entries at all of them,
 * with delayed links and clocks that differ. Each follower must receive every entry.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { ActiveCluster } from "../support/active-cluster.js";
import { amount, skipUnlessFull } from "../support/amount.js";
import { RedisConnection, textOf, valueOfReply } from "../support/redis-connection.js";
import { until } from "../support/until.js";
import { addEntries, Follower, newestId, numbersOf, STREAM } from "./followers.js";

/** The milliseconds between two steps of a client that adds entries. */
const PAUSE_MS = 25;
/** The difference of the second daemon's clock from the true time, in milliseconds. */
const SLOW_CLOCK = -1900;
/** The number of entries that clients add in the first round at all daemons together, and the maximum for a round. */
const ROUND = { first: 200, max: 1_000 };
/** The number of milliseconds after which no further round begins. A busy machine has checked fewer entries by then. */
const ROUNDS_MS = 25_000;

/** The members that a daemon has left out. */
interface LeftOut {
  /** The number of times since its start. */
  readonly times: number;
  /** Whether it does not wait for a member now. */
  readonly isNow: boolean;
}

/** Returns which members each daemon has left out. */
async function leftOutAt(cluster: ActiveCluster): Promise<LeftOut[]> {
  const statuses = (await cluster.answers("TIMELINE", "STATUS")) as unknown[][];
  return statuses.map(leftOutIn);
}

/** Returns which members a daemon with this status has left out. */
function leftOutIn(status: readonly unknown[]): LeftOut {
  return {
    times: Number(status[status.indexOf("followers-gaps") + 1]),
    isNow: /"left-out",1/.test(JSON.stringify(status)),
  };
}

/**
 * Waits until followers wait for all members. It reads meanwhile, because daemons send requests to members that were
 * left out only while followers read.
 */
async function untilWaitedFor(cluster: ActiveCluster): Promise<void> {
  await until("followers wait for all members", async () => {
    await cluster.answers("XREAD", "COUNT", "1", "STREAMS", STREAM, "0");
    return (await leftOutAt(cluster)).every(({ isNow }) => !isNow);
  });
}

/** Starts a follower at each daemon. */
async function follow(cluster: ActiveCluster): Promise<Follower[]> {
  return await Promise.all(cluster.indices.map((index) => Follower.start(cluster.respPort(index))));
}

/**
 * Adds entries at all daemons while a client follows the stream at each.
 * @returns for each follower, how many entries it has missed, and whether its daemon waited for all members
 */
async function missedDuring(
  cluster: ActiveCluster,
  followers: readonly Follower[],
  { name, total, pauseMs }: { readonly name: string; readonly total: number; readonly pauseMs: number },
): Promise<{ missed: number; hasWaited: boolean }[]> {
  const before = await leftOutAt(cluster);
  const each = Math.ceil(total / cluster.indices.length);
  const numbers = cluster.indices.map((index) => numbersOf(`${name}.${index}`, each));
  await Promise.all(numbers.map((some, index) => addEntries(cluster.respPort(index), some, pauseMs)));
  await cluster.untilEqual();
  await Promise.all(followers.map((follower) => follower.stop()));
  const after = await leftOutAt(cluster);
  return followers.map(({ received }, index) => ({
    missed: numbers.flat().filter((number) => !received.has(number)).length,
    hasWaited: before[index]?.isNow === false && before[index]?.times === after[index]?.times,
  }));
}

/**
 * Adds entries in rounds, and checks that followers miss none at daemons that waited for all members. On a busy
 * machine, a daemon may stop for longer than followers wait. This is counted, and the next round is slower and shorter.
 * @param total  the number of entries to check at each follower
 * @param first  the followers of the first round
 */
async function assertNothingMissed(
  t: TestContext,
  cluster: ActiveCluster,
  total: number,
  first: readonly Follower[],
): Promise<void> {
  const endsAt = performance.now() + ROUNDS_MS;
  let [followers, size, pauseMs, checked, leftOut] = [first, Math.min(ROUND.first, total), PAUSE_MS, 0, 0];
  for (let round = 0; ; round++) {
    const results = await missedDuring(cluster, followers, { name: `round${round}`, total: size, pauseMs });
    const valid = results.filter(({ hasWaited }) => hasWaited);
    assert.ok(
      valid.every(({ missed }) => missed === 0),
      `in round ${round}, followers have missed ${valid.map(({ missed }) => missed).join(", ")} of ${size} entries`,
    );
    checked += size * valid.length;
    leftOut += results.length - valid.length;
    if (checked >= total * results.length || performance.now() > endsAt) break;
    if (valid.length === results.length) size = Math.min(2 * size, ROUND.max);
    else [size, pauseMs] = [Math.ceil(size / 2), 2 * pauseMs];
    followers = await follow(cluster);
  }
  t.diagnostic(`checked entries: ${checked}; followers whose daemon left a member out: ${leftOut}`);
  if (checked === 0) t.skip("the machine is too busy: each daemon left a member out in each round");
}

for (const [count, delayMs] of [
  [2, 20],
  [2, 0],
  [2, 80],
  [3, 0],
  [3, 20],
  [3, 80],
  [5, 20],
] as const)
  test(`followers at ${count} daemons with links of ${delayMs} ms miss nothing`, {
    skip: count === 2 && delayMs === 20 ? false : skipUnlessFull,
  }, async (t) => {
    const clocks = [0, SLOW_CLOCK];
    await using cluster = await ActiveCluster.start(count, { delayMs, clocks, isPatient: true });
    await assertNothingMissed(t, cluster, amount(200, 10_000), await follow(cluster));
  });

test("followers miss nothing after a restart of either daemon", { skip: skipUnlessFull }, async (t) => {
  await using cluster = await ActiveCluster.start(2, { delayMs: 20, isPatient: true });
  for (const index of [0, 1]) {
    const followed = await Follower.start(cluster.respPort(1 - index));
    await addEntries(cluster.respPort(index), numbersOf(`before${index}`, 200), PAUSE_MS);
    await cluster.end(index, "SIGKILL");
    await cluster.restart(index);
    await cluster.untilEqual();
    await untilWaitedFor(cluster);
    const restarted = await Follower.start(cluster.respPort(index));
    const followers = index === 0 ? [restarted, followed] : [followed, restarted];
    await assertNothingMissed(t, cluster, 1_000, followers);
  }
});

test("while daemons are apart, each follower receives what its side adds, and afterwards everything", {
  skip: skipUnlessFull,
}, async () => {
  await using cluster = await ActiveCluster.start(2, { isPatient: true });
  await missedDuring(cluster, await follow(cluster), { name: "before", total: 50, pauseMs: PAUSE_MS });
  const [follower, other] = (await follow(cluster)) as [Follower, Follower];

  cluster.areApart = true;
  const numbers = numbersOf("cut", 20);
  await addEntries(cluster.respPort(0), numbers, PAUSE_MS);
  await until("the follower of its side has all", () =>
    numbers.every((number) => follower.received.has(number)),
  );
  assert.ok((await leftOutAt(cluster)).some(({ times }) => times > 0));

  cluster.areApart = false;
  await cluster.untilEqual();
  await untilWaitedFor(cluster);
  await Promise.all([follower, other].map((each) => each.stop()));

  assert.deepEqual(
    numbers.filter((number) => !other.received.has(number)),
    [],
  );
});

/**
 * Reads at a daemon while the other one does not answer.
 * @returns false if the daemon has left the other one out before the reads, because the machine is busy
 */
async function readsDoNotWait(client: RedisConnection, port: number): Promise<boolean> {
  const read = ["STREAMS", STREAM, await newestId(client)];
  await textOf(port, "XADD", STREAM, "*", "n", "0");
  const inTime = await client.value("XREAD", "BLOCK", 50, ...read);

  client.queue(["TIMELINE", "STATUS"]);
  client.queue(["XRANGE", STREAM, "-", "+"]);
  client.queue(["XLEN", STREAM]);
  client.queue(["XINFO", "STREAM", STREAM]);
  client.queue(["TIMELINE", "STATUS"]);
  const replies = (await client.flush()).map(valueOfReply);

  const [before, after] = [replies.at(0), replies.at(-1)] as [unknown[], unknown[]];
  if (leftOutIn(before).isNow) return false;
  assert.equal(inTime, null);
  for (const reply of replies) assert.ok(reply !== null && !(reply instanceof Error));
  assert.equal(leftOutIn(after).isNow, false, "none of these waits until the other daemon is left out");

  const [stream] = (await client.value("XREAD", ...read)) as [[string, unknown[]]];
  assert.equal(stream[1].length, 1, "the other daemon is left out");
  return true;
}

test("a held-back follower ends in time, and no other read waits", { skip: skipUnlessFull }, async (t) => {
  await using cluster = await ActiveCluster.start(2, { isPatient: true });
  using client = await RedisConnection.open(cluster.respPort(0));
  let attempts = 0;
  await until("no member is left out before the reads", async () => {
    attempts++;
    await untilWaitedFor(cluster);
    cluster.hold(0, 1, true);
    const isValid = await readsDoNotWait(client, cluster.respPort(0));
    cluster.hold(0, 1, false);
    return isValid;
  });
  t.diagnostic(`attempts: ${attempts}`);
});
