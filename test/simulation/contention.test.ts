/**
 * Repeats runs in which the clients that contend for counters and locks once found a fault, or their checks were wrong.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { amount } from "../support/amount.js";
import { simulate } from "./simulate.js";

const KNOWN: readonly (readonly [number, string])[] = [
  [3247, "a new member joins without decisions whose list it does not know yet, and becomes the only one"],
  [529, "no member knows an earlier list, because a disk was full and the other members were removed"],
  [
    436,
    "an administrator forces a list of which most members do not have the data, which the others then lose",
  ],
  [
    488,
    "two members are removed one after the other, and a third one does not have the decisions that they made",
  ],
  [2796, "the only members that know a list are removed"],
  [2840, "the members' disks sync so rarely that clients stop waiting before a unit is decided"],
  [4232, "a member answers after the client has stopped waiting"],
  [4391, "only a sync waits for a list that was added while a slow disk wrote"],
  [5098, "a keeper has voted for a decision, and proposes before its own promise is on its slow disk"],
  [5806, "a decision is on the disk of the last member, which pauses before it merges late entries"],
];

/** The test repeats this number of runs. */
const RUNS = amount(1, KNOWN.length);

for (const [seed, title] of KNOWN.slice(0, RUNS))
  test(`run ${seed}: ${title}`, async () => {
    const { problems, settings } = await simulate(seed, { without: ["several", "patterns"] });
    assert.ok(settings.contended > 0);
    assert.deepEqual(problems, []);
  });
