/** Tests decisions while a member floods the others with messages, after it has stopped, and after all restarts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Ballot } from "../../../../../protocol/members/decision-messages.js";
import { amount, some } from "../../../../support/amount.js";
import { seed } from "../../../../support/seed.js";
import { flooded, type Measured, measure, STRATEGIES, worldWithLiar } from "./flooding-members.js";

/**
 * Milliseconds of simulated time within which each unit is decided while one member lies: SECURITY.md names it. A liar
 * that decides, except on some units, delays these for longer.
 */
const DELAY_MS = 5_000;
const DELAY_OF_WITHHELD_MS = 22_000;
/** Milliseconds within which units are decided once it has stopped. */
const DELAY_AFTER_MS = 1_000;

function expectDecided({ units, decided, longestMs }: Measured, withinMs: number, when: string): void {
  assert.equal(decided, units, `units decided ${when}`);
  assert.ok(longestMs <= withinMs, `the longest delay ${when} is ${longestMs} ms`);
}

for (const size of some([3, 5]))
  for (const [name, strategy] of Object.entries(STRATEGIES))
    test(`${size} members decide although one of them sends ${name}`, async (context) => {
      const flood = worldWithLiar(seed(), size);
      // A keeper that withholds units decides the others as often as it can.
      if (strategy.withheld !== undefined) flood.world.together = 1;
      const run = await flooded(
        flood,
        strategy,
        strategy.withheld === undefined ? amount(5_000, 120_000) : 25_000,
      );

      const { during, after, restarted } = run;
      context.diagnostic(JSON.stringify({ ...run, restarted: restarted.longestMs }));
      expectDecided(
        during,
        strategy.withheld === undefined ? DELAY_MS : DELAY_OF_WITHHELD_MS,
        "with the liar",
      );
      expectDecided(after, DELAY_AFTER_MS, "without the liar");
      expectDecided(restarted, DELAY_AFTER_MS, "after all restarts");
    });

test("a member whose turn has just ended begins none by a proposal", async () => {
  const flood = worldWithLiar(seed(), 3);
  const { world, liar } = flood;
  const voted: Ballot[] = [];
  world.trace = (_from, _to, message) => {
    if (message.kind === "vote") voted.push(message.vote.ballot);
    if (message.kind === "propose") flood.latest = message.ballot;
  };
  liar.receive = () => {};
  await measure(flood, 500);
  const takeOver = (): Ballot => flood.ballot({ round: flood.latest.round + 1 });

  flood.all({ kind: "promise-request", ballot: takeOver() });
  const began = world.scheduler.time;
  const { round } = flood.latest;
  await measure(flood, 1_000);
  assert.ok(flood.latest.round > round, "another keeper has replaced the silent one");
  assert.ok(world.scheduler.time - began < 2_000, "the pause after the turn is not over");

  flood.all(flood.proposal(takeOver(), liar.clock + 1_000));
  await measure(flood, 200);
  assert.ok(voted.length > 0);
  assert.deepEqual(
    voted.filter(({ member }) => member === liar.id),
    [],
  );
});
