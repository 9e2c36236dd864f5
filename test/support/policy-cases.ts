/** Draws reports of daemons, and judges them as the Node.js client does, to compare the clients of other languages. */
import type { Stage } from "../../client/shared/errors.js";
import type { CallReport } from "../../client/shared/outcome.js";
import { judge, type Policy, ruleFor } from "../../client/shared/policy.js";
import { replyValues } from "../../client/shared/reply-conversion.js";
import { bulk, integer, NIL, type PlainReply, type PlainValue } from "../../protocol/reply.js";
import { SeededRandom } from "./seeded-random.js";

/** The policies of a call, or null if none is set. */
const POLICIES: readonly (Policy | null)[] = [null, "first", "majority", "all", "all-equal", 1, 2, 3];
const STAGES: readonly Stage[] = ["connect", "timeout", "refused", "reply"];
const FLAGS = ["", "late", "catching-up", "provisional", "unmet provisional"];

/** A reply in JSON: nil, text, a number, or a list. */
type Value = string | number | null | readonly Value[];
const VALUES: readonly Value[] = [null, "a", "b", 0, 1, ["a", 0], ["a", 1], ["b", 1], [null, 1], ["a"]];

/** A report in JSON, or null for a daemon that does not answer. */
type Drawn =
  | { readonly value: Value; readonly flags: string; readonly isForAll: boolean }
  | { readonly stage: Stage; readonly detail: string; readonly flags: string }
  | null;

export interface PolicyCase {
  readonly policy: Policy | null;
  readonly hasConditions: boolean;
  readonly isDecided: boolean;
  readonly final: boolean;
  readonly refusers: number;
  readonly reports: readonly Drawn[];
}

export function drawPolicyCases(count: number, seed: number): PolicyCase[] {
  const random = new SeededRandom(seed);
  const below = (most: number) => random.below(most);
  const pick = <Item>(items: readonly Item[]) => items[below(items.length)] as Item;
  const report = (): Drawn => {
    const kind = below(4);
    if (kind === 0) return null;
    const flags = pick(FLAGS);
    if (kind === 1) return { stage: pick(STAGES), detail: pick(["ERR one", "ERR two"]), flags };
    return { value: pick(below(2) === 0 ? VALUES.slice(0, 3) : VALUES), flags, isForAll: below(6) === 0 };
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

function reportOf(drawn: Drawn): CallReport | null {
  if (drawn === null) return null;
  if ("stage" in drawn) return { ok: false, written: false, at: 0, ...drawn };
  const { value, flags, isForAll } = drawn;
  const reply = replyOf(value);
  return { ok: true, values: replyValues(reply), reply, flags, isForAll, at: 0 };
}

function replyOf(value: Value): PlainValue {
  if (value === null) return NIL;
  if (typeof value === "string") return bulk(value);
  return typeof value === "number" ? integer(value) : { kind: "array", items: value.map(replyOf) };
}

function drawnOf(reply: PlainReply | null): Value {
  if (reply?.kind === "array") return reply.items.map(drawnOf);
  if (reply?.kind === "bulk") return reply.bytes;
  return reply?.kind === "integer" ? Number(reply.value) : null;
}

/** Returns the verdict of the Node.js client: its kind, the code of an error, and the value. */
export function verdictOf(one: PolicyCase): [kind: string, code: string, value: Value] {
  const { policy, final, refusers, reports, hasConditions, isDecided } = one;
  const rule = ruleFor(policy ?? "usual", hasConditions, isDecided);
  const verdict = judge(rule, reports.map(reportOf), final, refusers);
  const code = verdict.kind === "failed" ? verdict.code : "";
  return [verdict.kind, code, verdict.kind === "value" ? drawnOf(verdict.answer.reply) : null];
}
