/**
 * Tests that the Python package and the Node.js client reach the same decision about a call from the same reports.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Stage } from "../../client/shared/errors.js";
import type { Report } from "../../client/shared/outcome.js";
import { judge, type Policy, ruleFor } from "../../client/shared/policy.js";
import { amount } from "../support/amount.js";
import { skipWithout } from "../support/requirements.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";
import { PYTHON, runPython } from "./running.js";

/** The policies of a call, or null if none is set. */
const POLICIES: readonly (Policy | null)[] = [null, "first", "majority", "all", "all-equal", 1, 2, 3];
const STAGES: readonly Stage[] = ["connect", "timeout", "refused", "reply"];
const FLAGS = ["", "late", "catching-up", "provisional", "unmet provisional"];

/** A report in its Python form, or null for a daemon that does not answer. */
type Drawn =
  | { readonly value: string | null; readonly flags: string; readonly isForAll: boolean }
  | { readonly stage: Stage; readonly detail: string; readonly flags: string }
  | null;

interface Case {
  readonly policy: Policy | null;
  readonly hasConditions: boolean;
  readonly isDecided: boolean;
  readonly final: boolean;
  readonly refusers: number;
  readonly reports: readonly Drawn[];
}

function drawCases(count: number, seed: number): Case[] {
  const random = new SeededRandom(seed);
  const below = (most: number) => random.below(most);
  const pick = <Item>(items: readonly Item[]) => items[below(items.length)] as Item;
  const report = (): Drawn => {
    const kind = below(4);
    if (kind === 0) return null;
    const flags = pick(FLAGS);
    if (kind === 1) return { stage: pick(STAGES), detail: pick(["ERR one", "ERR two"]), flags };
    return { value: pick([null, "a", "b"]), flags, isForAll: below(6) === 0 };
  };
  return Array.from({ length: count }, () => ({
    policy: pick(POLICIES),
    final: below(2) === 0,
    refusers: below(3),
    hasConditions: below(2) === 0,
    isDecided: below(2) === 0,
    reports: Array.from({ length: 1 + below(4) }, report),
  }));
}

function reportOf(drawn: Drawn): Report | null {
  if (drawn === null) return null;
  if ("stage" in drawn) return { ok: false, written: false, at: 0, ...drawn };
  const { value, flags, isForAll } = drawn;
  return { ok: true, values: value === null ? [] : [value], reply: null, flags, isForAll, at: 0 };
}

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
  const cases = drawCases(amount(2_000, 20_000), seed);
  const verdicts = await runPython(READ, cases);
  const due = cases.map(({ policy, final, refusers, reports, hasConditions, isDecided }) => {
    const rule = ruleFor(policy ?? "usual", hasConditions, isDecided);
    const verdict = judge(rule, reports.map(reportOf), final, refusers);
    const code = verdict.kind === "failed" ? verdict.code : "";
    return [verdict.kind, code, verdict.kind === "value" ? (verdict.answer.values[0] ?? null) : null];
  });
  for (const [index, each] of due.entries())
    assert.deepEqual(
      (verdicts as unknown[])[index],
      each,
      `seed ${seed}, case ${index}: ${JSON.stringify(cases[index])}`,
    );
});
