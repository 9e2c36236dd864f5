/**
 * Tests that the Python package and the Node.js client reach the same decision about a call from the same reports.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Stage } from "../../client/shared/errors.js";
import type { Report } from "../../client/shared/outcome.js";
import { judge, type Policy, ruleFor } from "../../client/shared/policy.js";
import { replyValues } from "../../client/shared/reply-conversion.js";
import { bulk, integer, NIL, type PlainReply, type PlainValue, status } from "../../protocol/reply.js";
import { amount } from "../support/amount.js";
import { skipWithout } from "../support/requirements.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";
import { PYTHON, runPython } from "./running.js";

/** The policies of a call, or null if none is set. */
const POLICIES: readonly (Policy | null)[] = [null, "first", "majority", "all", "all-equal", 1, 2, 3];
const STAGES: readonly Stage[] = ["connect", "timeout", "refused", "reply"];
const FLAGS = ["", "late", "catching-up", "provisional", "unmet provisional"];

/** A reply in JSON: nil, a status, a number, or a list. A text that begins with $ is a bulk string. */
type Value = string | number | null | readonly Value[];
const TEXTS: readonly Value[] = [null, "a", "b"];
const VALUES: readonly Value[] = [
  ...[null, "a", "$a", "$b", 0, 1, 2, 3, [], ["$a"], "nil", "0", "integer"],
  ...[["$a", 0], ["$a", 1], ["$b", 1], [null, 1], ["nil", 1], ["0"], [0], ["a", 1], [["$a"], 1]],
];

/** A report in its Python form, or null for a daemon that does not answer. */
type Drawn =
  | { readonly value: Value; readonly flags: string; readonly isForAll: boolean }
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
    return { value: pick(below(2) === 0 ? TEXTS : VALUES), flags, isForAll: below(6) === 0 };
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
  const reply = replyOf(value);
  return { ok: true, values: replyValues(reply), reply, flags, isForAll, at: 0 };
}

function replyOf(value: Value): PlainValue {
  if (value === null) return NIL;
  if (typeof value === "number") return integer(value);
  if (typeof value === "string") return value.startsWith("$") ? bulk(value.slice(1)) : status(value);
  return { kind: "array", items: value.map(replyOf) };
}

function drawnOf(reply: PlainReply): Value {
  if (reply.kind === "array") return reply.items.map(drawnOf);
  if (reply.kind === "integer") return Number(reply.value);
  if (reply.kind === "bulk") return `$${reply.bytes}`;
  return "text" in reply ? reply.text : null;
}

const READ = `
from dbsync.policy import Answer, Failure, judge
def reply(value):
    if isinstance(value, list):
        return [reply(item) for item in value]
    return value[1:].encode() if isinstance(value, str) and value.startswith("$") else value
def drawn(value):
    if isinstance(value, list):
        return [drawn(item) for item in value]
    return "$" + value.decode() if isinstance(value, bytes) else value
def report(drawn):
    if drawn is None:
        return None
    flags = tuple(drawn["flags"].split())
    if "stage" in drawn:
        return Failure(drawn["stage"], drawn["detail"], flags=flags)
    return Answer(reply(drawn["value"]), flags, drawn["isForAll"])
verdicts = []
for case in given:
    reports = [report(each) for each in case["reports"]]
    verdict = judge(case["policy"], reports, case["final"], case["refusers"], case["hasConditions"], case["isDecided"])
    verdicts.append([verdict.kind, verdict.code, verdict.answer and drawn(verdict.answer.reply)])
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
    return [
      verdict.kind,
      code,
      verdict.kind === "value" ? drawnOf(verdict.answer.reply as PlainReply) : null,
    ];
  });
  for (const [index, each] of due.entries())
    assert.deepEqual(
      (verdicts as unknown[])[index],
      each,
      `seed ${seed}, case ${index}: ${JSON.stringify(cases[index])}`,
    );
});
