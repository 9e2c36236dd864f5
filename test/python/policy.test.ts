/**
 * Tests that the Python package and the Node.js client reach the same decision about a call from the same reports.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { amount } from "../support/amount.js";
import { drawPolicyCases, verdictOf } from "../support/policy-cases.js";
import { skipWithout } from "../support/requirements.js";
import { seedOfRun } from "../support/seeded-random.js";
import { PYTHON, runPython } from "./running.js";

const READ = `
from dbsync.policy import Answer, Failure, judge
def report(drawn):
    if drawn is None:
        return None
    flags = tuple(drawn["flags"].split())
    if "stage" in drawn:
        return Failure(drawn["stage"], drawn["detail"], flags=flags)
    return Answer(drawn["value"], flags, drawn["isForAll"])
verdicts = []
for case in given:
    reports = [report(each) for each in case["reports"]]
    verdict = judge(case["policy"], reports, case["final"], case["refusers"], case["hasConditions"], case["isDecided"])
    verdicts.append([verdict.kind, verdict.code, verdict.answer and verdict.answer.reply])
print(json.dumps(verdicts))
`;

test("Python and Node.js make the same decision for all reports of daemons", {
  skip: skipWithout(PYTHON),
}, async () => {
  const seed = seedOfRun();
  const cases = drawPolicyCases(amount(2_000, 20_000), seed);
  const verdicts = (await runPython(READ, cases)) as unknown[];
  for (const [index, one] of cases.entries())
    assert.deepEqual(verdicts[index], verdictOf(one), `seed ${seed}, case ${index}: ${JSON.stringify(one)}`);
});
