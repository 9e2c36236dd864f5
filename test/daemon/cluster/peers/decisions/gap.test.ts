/**
 * Tests members that miss decisions: one that has a later decision neither proposes nor votes until it has the earlier
 * ones, so that no two decisions contradict each other.
 */
import { test } from "node:test";
import { amount } from "../../../../support/amount.js";
import { seed } from "../../../../support/seed.js";
import { runGap } from "./gap-scenario.js";

for (const size of [5, 7])
  test(`${size} members agree, although a minority misses decisions when other members are cut off`, async () => {
    for (let run = 0; run < amount(3, 80); run++) await runGap(seed() * 1_000_000 + run, size);
  });
