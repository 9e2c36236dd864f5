/** Tests with real processes how often members change their keeper when one of them is suspended or killed. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import type { Client } from "../../client/public-api.js";
import { Trio } from "../support/trio.js";

const UNITS = 40;
const majority = { policy: "majority" } as const;
const DAEMONS = [0, 1, 2] as const;
/** On a busy machine, a member may wait longer than its timeouts permit, and replace a keeper that runs. */
const ROUNDS_MAX = 5;
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

/** Starts three daemons with a client of all, and lets them decide. */
async function start(context: TestContext): Promise<{ trio: Trio; client: Client }> {
  const trio = await Trio.start();
  context.after(() => trio[Symbol.asyncDispose]());
  await trio.list();
  await trio.untilNoneIsLate();
  const client = trio.client();
  context.after(() => client[Symbol.asyncDispose]());
  await decide(trio, client);
  return { trio, client };
}

/** Returns a field of the status of some daemons. */
async function statusOf(trio: Trio, indices: readonly number[], field: string): Promise<string[]> {
  return await Promise.all(
    indices.map(async (index) => String((await trio.report(index, "TIMELINE", "STATUS")).get(field))),
  );
}

/** Returns how often each of some daemons has changed its keeper. */
async function changesOf(trio: Trio, indices: readonly number[]): Promise<number[]> {
  return (await statusOf(trio, indices, "keeper-changes")).map(Number);
}

/** Returns the keeper, once all daemons agree on it, and the other daemons. */
async function keeperOf(trio: Trio, client: Client): Promise<{ keeper: number; others: readonly number[] }> {
  const ids = await Promise.all(
    DAEMONS.map(async (index) => String((await trio.report(index, "CLUSTER", "MEMBERS")).get("id"))),
  );
  let keeper = -1;
  await trio.until("all know the keeper", async () => {
    await decide(trio, client, 1);
    const known = new Set(await statusOf(trio, DAEMONS, "keeper"));
    keeper = known.size === 1 ? ids.indexOf([...known][0] as string) : -1;
    return keeper !== -1;
  });
  return { keeper, others: DAEMONS.filter((index) => index !== keeper) };
}

/** Repeats a round until the keeper has changed as often as expected in most rounds. */
async function untilExpected(
  context: TestContext,
  round: () => Promise<{ readonly found: readonly number[]; readonly expected: readonly number[] }>,
): Promise<void> {
  let surplus = 0;
  for (let count = 1; ; count++) {
    const { found, expected } = await round();
    surplus += isDeepStrictEqual(found, expected) ? 1 : -1;
    if (surplus > 0) return;
    context.diagnostic(`changes in round ${count}: ${found.join()} instead of ${expected.join()}`);
    assert.ok(count < ROUNDS_MAX, "the keeper changes too often");
  }
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
  const { trio, client } = await start(context);
  for (const isKeeper of [false, true])
    await untilExpected(context, async () => {
      const { keeper, others } = await keeperOf(trio, client);
      const before = await changesOf(trio, DAEMONS);
      await suspend(trio, client, isKeeper ? keeper : (others[0] as number));
      const expected = before.map((changes) => changes + Number(isKeeper));
      return { found: await changesOf(trio, DAEMONS), expected };
    });
});

test("a keeper that is killed is replaced, and does not replace the new one when it returns", async (context) => {
  const { trio, client } = await start(context);
  await untilExpected(context, async () => {
    const { keeper, others } = await keeperOf(trio, client);
    const before = await changesOf(trio, others);
    await trio.end(keeper, "SIGKILL");
    await decide(trio, client);
    // Both other members may begin: how often they do is tested with simulated times.
    const replaced = await changesOf(trio, others);
    assert.ok(
      replaced.every((changes, i) => changes > (before[i] as number)),
      replaced.join(),
    );

    await trio.start(keeper);
    await trio.level(60_000);
    await decide(trio, client);
    return { found: await changesOf(trio, others), expected: replaced };
  });
});
