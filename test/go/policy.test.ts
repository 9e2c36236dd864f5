/** Tests that the Go and the Node.js client reach the same decision about a call from the same reports. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { amount } from "../support/amount.js";
import { drawPolicyCases, verdictOf } from "../support/policy-cases.js";
import { skipWithout } from "../support/requirements.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { seedOfRun } from "../support/seeded-random.js";
import { runGoTests } from "./running.js";

test("Go and Node.js make the same decision for all reports of daemons", {
  skip: skipWithout("go"),
}, async () => {
  const seed = seedOfRun();
  const cases = drawPolicyCases(amount(2_000, 20_000), seed);
  using folder = new ScratchFolder();
  const file = folder.file("cases.json", JSON.stringify(cases));
  assert.deepEqual(await runGoTests("^TestVerdicts$", { DBSYNC_CASES: file }), ["TestVerdicts"]);
  const verdicts = JSON.parse(readFileSync(`${file}.verdicts`, "utf8")) as unknown[];
  for (const [index, one] of cases.entries())
    assert.deepEqual(verdicts[index], verdictOf(one), `seed ${seed}, case ${index}: ${JSON.stringify(one)}`);
});
