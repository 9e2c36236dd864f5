/**
 * Tests that SQL replies equal those of the original SQL server, statement by statement, except for the cases in
 * differences.ts.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { DIFFERENCES, type Difference, EMPTIED_BEFORE, FRAMING } from "./differences.js";
import { type Outcome, outcomeOfFrames, outcomeOfReply, Server, scenarios } from "./transcript.js";

/** The number of steps with statements. Without it, the test would pass even if it skipped them. */
const STEPS = 506;

const differenceOf = (scenario: string, step: number): Difference | undefined =>
  DIFFERENCES.find(({ steps }) => steps[scenario]?.includes(step));

/** Returns an outcome without the order of rows if that order is undefined. */
function comparable(outcome: Outcome, statement: string): Outcome {
  if (outcome.kind !== "rows" || !/asehoy|vondrona/i.test(statement)) return outcome;
  return {
    ...outcome,
    rows: outcome.rows.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
  };
}

let server = new Server();
let steps = 0;
for (const { name, steps: recordedSteps } of scenarios) {
  if (FRAMING.has(name)) continue;
  test(`${name}: the replies equal the recorded replies`, () => {
    if (name === EMPTIED_BEFORE) server = new Server();
    for (const [number, { send, expect, conn = "", target = "" }] of recordedSteps.entries()) {
      if (send === undefined || expect === undefined) continue;
      steps++;
      const statement = send.trim().replace(/;$/, "");
      const ours = outcomeOfReply(server.send(statement, `${name} ${conn} ${target}`));
      const theirs = outcomeOfFrames(expect);
      const [actual, expected] = [ours, theirs].map((outcome) => comparable(outcome, statement));
      const difference = differenceOf(name, number);
      const where = `${name}, step ${number}: ${statement}`;
      if (difference === undefined) assert.deepEqual(actual, expected, where);
      else assert.ok(!isDeepStrictEqual(actual, expected), `no longer different: ${where}`);
      if (difference?.namesPosition === true)
        assert.match(
          ours.kind === "error" ? ours.text : ours.kind,
          /(?:andalana 1, toerana|line 1, column) \d+.*\^/,
          where,
        );
    }
  });
}

test("all recorded steps have been played, and every difference refers to one of them", () => {
  assert.equal(steps, STEPS);
  const names = new Map(scenarios.map((scenario) => [scenario.name, scenario.steps.length]));
  for (const { reason, steps: listed } of DIFFERENCES)
    for (const [name, numbers] of Object.entries(listed))
      for (const number of numbers)
        assert.ok(number < (names.get(name) ?? 0), `${reason}: ${name}, ${number}`);
});
