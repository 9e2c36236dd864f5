/** Tests that limiters at three daemons leave no key that never expires. See claims.test.ts for the rounds. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { seed } from "../scenario.js";
import { ClaimRounds, described, failuresOf, PERFECT, roundsOf } from "./claim-rounds.js";
import { incremented, limiterPlay, rateLimiterFlexible, recipe } from "./limiter-plays.js";

let rounds: ClaimRounds;

before(async () => {
  rounds = await ClaimRounds.start();
});

after(() => rounds[Symbol.asyncDispose]());

const library = rateLimiterFlexible();

for (const [path, limiter] of [incremented, recipe, ...(library === null ? [] : [library])].entries())
  test(`clients of three daemons leave no key without a lifetime with ${limiter.name} (seed ${seed})`, async (t) => {
    const figures = await rounds.run(limiterPlay(limiter), path, roundsOf(250));
    t.diagnostic(described(limiter.name, figures));
    assert.deepEqual(failuresOf(figures), PERFECT);
  });
