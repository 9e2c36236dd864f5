/** Tests decisions while a member floods the others with messages, after it has stopped, and after all restarts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { amount } from "../../../../support/amount.js";
import { seed } from "../../../../support/seed.js";
import { flooded, type Measured, STRATEGIES, worldWithLiar } from "./flooding-members.js";

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

for (const size of [3, 5])
  for (const [name, strategy] of Object.entries(STRATEGIES))
    test(`${size} members decide although one of them sends ${name}`, async (context) => {
      const run = await flooded(
        worldWithLiar(seed(), size),
        strategy,
        strategy.withheld === undefined ? amount(8_000, 120_000) : 25_000,
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
