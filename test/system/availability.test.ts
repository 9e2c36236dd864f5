/**
 * Tests in which situations the remaining daemons accept plain writes, and measures after how many seconds. Each
 * situation is a row of the table in bench/RESULTS.md ("Plain writes by situation").
 */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { skipUnlessFull } from "../support/amount.js";
import { pause } from "../support/pause.js";
import type { Trio } from "../support/trio.js";
import { NamedDaemons } from "./named-daemons.js";
import { type Answers, PlainWrites } from "./plain-writes.js";

/** The time for which the writes of a situation are counted. A daemon that is cut off notices it within 10 seconds. */
const WINDOW_MS = 15_000;
/** The time for which clients write before the event. */
const BEFORE_MS = 1_000;
/** The time for which clients write while a member is down. */
const MISSED_MS = 3_000;
/** The timeout of one write. */
const WRITE_MS = 20_000;

/** Writes to one daemon. */
const writeTo = ({ trio }: NamedDaemons, index: number): PlainWrites =>
  new PlainWrites(trio.client([index], { policy: "first", timeout: WRITE_MS }), `to ${index}`);

/** Writes to three daemons. A write succeeds once more than half of them have accepted it. */
const writeToMost = ({ trio }: NamedDaemons): PlainWrites =>
  new PlainWrites(trio.client(undefined, { policy: "majority", timeout: WRITE_MS }), "to most");

const described = ({ accepted, refusals, seconds }: Answers): string => {
  const codes = [...refusals].map(([code, count]) => `${count} ${code}`).join(", ");
  const from = seconds === null ? "not accepted" : `accepted after ${seconds.toFixed(1)} s`;
  return `${from}; ${accepted} accepted${codes === "" ? "" : `, refused: ${codes}`}`;
};

/** Waits until a daemon accepts a write. */
const untilAccepted = (trio: Trio, index: number): Promise<void> =>
  trio.until("a plain write is accepted", async () => {
    await using client = trio.client([index], { policy: "first", timeout: WRITE_MS });
    return (await client.call(["SET", "at last", "1"])) === "OK";
  });

/** Writes for some time. @returns what the writes were answered, by the names of the writers */
async function answersOf<Name extends string>(
  t: TestContext,
  writers: Readonly<Record<Name, PlainWrites>>,
  { since = performance.now() } = {},
): Promise<Record<Name, Answers>> {
  await pause(WINDOW_MS);
  const answers = {} as Record<Name, Answers>;
  for (const [name, writes] of Object.entries<PlainWrites>(writers)) {
    answers[name as Name] = writes.since(since);
    t.diagnostic(`${name}: ${described(answers[name as Name])}`);
    await writes[Symbol.asyncDispose]();
  }
  return answers;
}

const isAccepted = ({ seconds }: Answers): boolean => seconds !== null;

test("one of a pair is down: the other one accepts all writes", { skip: skipUnlessFull }, async (t) => {
  await using cluster = await NamedDaemons.start([0, 1]);
  const writers = { remaining: writeTo(cluster, 0) };
  await pause(BEFORE_MS);
  const since = performance.now();
  await cluster.trio.end(1, "SIGKILL");
  const { remaining } = await answersOf(t, writers, { since });
  assert.deepEqual([remaining.seconds, remaining.refusals.size], [0, 0]);
});

test("one of three is down: the remaining ones accept all writes", { skip: skipUnlessFull }, async (t) => {
  await using cluster = await NamedDaemons.start([0, 1, 2]);
  const writers = {
    first: writeTo(cluster, 0),
    second: writeTo(cluster, 1),
    most: writeToMost(cluster),
  };
  await pause(BEFORE_MS);
  const since = performance.now();
  await cluster.trio.end(2, "SIGKILL");
  const { first, second, most } = await answersOf(t, writers, { since });
  for (const { seconds, refusals } of [first, second]) assert.deepEqual([seconds, refusals.size], [0, 0]);
  assert.ok(isAccepted(most));
});

test("two of three are down: the last one accepts all writes", { skip: skipUnlessFull }, async (t) => {
  await using cluster = await NamedDaemons.start([0, 1, 2]);
  const writers = { last: writeTo(cluster, 0) };
  await pause(BEFORE_MS);
  const since = performance.now();
  await Promise.all([1, 2].map((index) => cluster.trio.end(index, "SIGKILL")));
  const { last } = await answersOf(t, writers, { since });
  assert.deepEqual([last.seconds, last.refusals.size], [0, 0]);
});

test("a third daemon joins while one of a pair is down", { skip: skipUnlessFull }, async (t) => {
  await using cluster = await NamedDaemons.start([0, 1], 3);
  const { trio } = cluster;
  await trio.end(1, "SIGKILL");
  cluster.name([0, 1, 2]);
  await trio.end(0, "SIGTERM");
  const writers = { remaining: writeTo(cluster, 0), third: writeTo(cluster, 2) };
  const since = performance.now();
  await Promise.all([0, 2].map((index) => trio.start(index)));
  const { remaining, third } = await answersOf(t, writers, { since });
  assert.ok(isAccepted(remaining));

  // A change needs more than half of a pair, and the list that the remaining one forces is the next one.
  assert.deepEqual([...third.refusals.keys()].at(-1), "not-listed");
  assert.match(await cluster.members(0, "list"), /can be added only while .* dbsync members force/);
  await cluster.members(0, "force", "--yes");
  await untilAccepted(trio, 2);
});

for (const size of [2, 3])
  test(`one of ${size} returns with an empty folder`, { skip: skipUnlessFull }, async (t) => {
    const indices = [...Array(size).keys()];
    const returned = size - 1;
    await using cluster = await NamedDaemons.start(indices);
    const { trio } = cluster;
    const lost = await cluster.idOf(returned);
    await trio.end(returned, "SIGKILL");
    rmSync(trio.folder(returned), { recursive: true });
    const writers = { remaining: writeTo(cluster, 0), returned: writeTo(cluster, returned) };
    const since = performance.now();
    await trio.start(returned);
    const { remaining, returned: refused } = await answersOf(t, writers, { since });
    assert.ok(isAccepted(remaining));

    assert.deepEqual([...refused.refusals.keys()].at(-1), "not-listed");
    if (size === 2) await cluster.members(0, "force", "--yes");
    else await cluster.members(0, "replace", lost, trio.servers[returned] as string);
    await untilAccepted(trio, returned);
  });

for (const size of [2, 3])
  test(`one of ${size} returns with its folder`, { skip: skipUnlessFull }, async (t) => {
    const indices = [...Array(size).keys()];
    const index = size - 1;
    await using cluster = await NamedDaemons.start(indices);
    const { trio } = cluster;
    await trio.end(index, "SIGKILL");
    const remainingWrites = writeTo(cluster, 0);
    await pause(MISSED_MS);
    const returnedWrites = writeTo(cluster, index);
    const since = performance.now();
    await trio.start(index);
    const writers = { remaining: remainingWrites, returned: returnedWrites };
    const { remaining, returned } = await answersOf(t, writers, { since });
    assert.deepEqual([remaining.seconds, remaining.refusals.size], [0, 0]);
    assert.ok(isAccepted(returned));
  });

test("two of three are started, so no list is founded", { skip: skipUnlessFull }, async (t) => {
  const since = performance.now();
  await using cluster = await NamedDaemons.make(3);
  cluster.name([0, 1, 2]);
  await Promise.all([0, 1].map((index) => cluster.trio.start(index)));
  const writers = {
    first: writeTo(cluster, 0),
    second: writeTo(cluster, 1),
    most: writeToMost(cluster),
  };
  const answers = await answersOf(t, writers, { since });
  assert.ok(Object.values(answers).every(isAccepted));
});

test("all three are restarted", { skip: skipUnlessFull }, async (t) => {
  await using cluster = await NamedDaemons.start([0, 1, 2]);
  const { trio } = cluster;
  const writers = {
    first: writeTo(cluster, 0),
    third: writeTo(cluster, 2),
    most: writeToMost(cluster),
  };
  await pause(BEFORE_MS);
  await trio.endAll();
  const since = performance.now();
  await Promise.all(trio.ports.map((_, index) => trio.start(index)));
  const answers = await answersOf(t, writers, { since });
  assert.ok(Object.values(answers).every(isAccepted));
});
