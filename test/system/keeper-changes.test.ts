/** Tests with real processes how often members change their keeper when one of them is suspended or killed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Client } from "../../client/public-api.js";
import { Trio } from "../support/trio.js";

const UNITS = 40;
const majority = { policy: "majority" } as const;
let count = 0;

/** Lets the members decide some units, one after the other. */
async function decide(trio: Trio, client: Client, units = UNITS): Promise<void> {
  for (let unit = 0; unit < units; unit++) {
    const key = `lock:${++count}`;
    // A call whose daemon was suspended may fail, although the unit was applied.
    await trio.until("the members decide", async () => {
      await client.call(["SET", key, "me", "NX"], majority);
      return true;
    });
  }
}

/** Starts three daemons of which the first one is the keeper. */
async function startWithKeeper(): Promise<{ trio: Trio; client: Client }> {
  const trio = await Trio.start();
  await trio.list();
  await trio.untilNoneIsLate();
  {
    // No other daemon has a unit.
    await using first = trio.client([0]);
    await decide(trio, first, 1);
  }
  const client = trio.client();
  await decide(trio, client);
  return { trio, client };
}

/** Returns how often each of some daemons has changed its keeper, once all daemons are equal. */
async function changesOf(trio: Trio, indices: readonly number[]): Promise<number[]> {
  return await Promise.all(
    indices.map(async (index) =>
      Number((await trio.report(index, "TIMELINE", "STATUS")).get("keeper-changes")),
    ),
  );
}

/** Suspends a daemon while the others decide units, and then waits until it has all of them. */
async function suspend(trio: Trio, client: Client, index: number): Promise<void> {
  trio.daemon(index).kill("SIGSTOP");
  const since = performance.now();
  // Longer than the patience of the members, so that they would replace a keeper.
  while (performance.now() - since < 3_000) await decide(trio, client, 1);
  trio.daemon(index).kill("SIGCONT");
  await decide(trio, client);
  await trio.level(60_000);
}

test("a keeper that is suspended for 3 s is replaced once, and another member that is suspended never", async (context) => {
  const { trio, client } = await startWithKeeper();
  context.after(() => trio[Symbol.asyncDispose]());
  context.after(() => client[Symbol.asyncDispose]());
  const all = [0, 1, 2];
  const before = await changesOf(trio, all);
  await suspend(trio, client, 2);
  assert.deepEqual(await changesOf(trio, all), before, "after another member was suspended");
  await suspend(trio, client, 0);
  assert.deepEqual(
    await changesOf(trio, all),
    before.map((changes) => changes + 1),
    "after the keeper was suspended",
  );
});

test("a keeper that is killed is replaced, and does not replace the new one when it returns", async (context) => {
  const { trio, client } = await startWithKeeper();
  context.after(() => trio[Symbol.asyncDispose]());
  context.after(() => client[Symbol.asyncDispose]());
  const others = [1, 2];
  const before = await changesOf(trio, others);
  await trio.end(0, "SIGKILL");
  await decide(trio, client);
  // On a busy machine, both members may begin: how often they do is tested with simulated times.
  const replaced = await changesOf(trio, others);
  assert.ok(
    replaced.every((changes, i) => changes > (before[i] as number)),
    replaced.join(),
  );
  await trio.start(0);
  await trio.level(60_000);
  await decide(trio, client);
  assert.deepEqual(await changesOf(trio, others), replaced, "after it has returned");
});
