/** When a call is decided, and how. Pure: what the daemons reported goes in, a verdict comes out. */
import type { ByteString } from "../protocol/byte-string.js";
import type { Report } from "./outcome.js";

/**
 * - `first`: the first answer that is not nil. A failure loses to any later answer; nil loses to a later
 *   value, so it is null only when every daemon that answered said nil.
 * - `all-equal`: what the original's driver does: a value only if every server answered and all answers are
 *   equal. (The original gives null otherwise; ours throws, so that null means nil.)
 */
export type Policy = "first" | "all-equal";

/**
 * - `wait`: not decided.
 * - `linger`: nil so far; to be decided with `final` soon, whoever is still silent then.
 * - `value`: the call's result; empty is nil.
 */
export type Verdict =
  | { readonly kind: "wait" }
  | { readonly kind: "linger" }
  | { readonly kind: "value"; readonly values: readonly ByteString[] }
  | { readonly kind: "failed"; readonly code: "all-failed" | "answers-differ" | "not-all-answered" };

const WAIT: Verdict = { kind: "wait" };
const LINGER: Verdict = { kind: "linger" };

/**
 * @param reports  one for each daemon, null while it is silent
 * @param final    whether to decide on what there is
 */
export function judge(policy: Policy, reports: readonly (Report | null)[], final: boolean): Verdict {
  return policy === "first" ? judgeFirst(reports, final) : judgeAllEqual(reports, final);
}

function judgeFirst(reports: readonly (Report | null)[], final: boolean): Verdict {
  let silent = false;
  let missed = false;
  for (const report of reports) {
    if (report === null) silent = true;
    else if (report.ok && report.values.length > 0) return { kind: "value", values: report.values };
    else if (report.ok) missed = true;
  }
  if (silent && !final) return missed ? LINGER : WAIT;
  return missed ? { kind: "value", values: [] } : { kind: "failed", code: "all-failed" };
}

/** Waits for every daemon even if one has failed: the error is to say what each of them did. */
function judgeAllEqual(reports: readonly (Report | null)[], final: boolean): Verdict {
  const answers: (readonly ByteString[])[] = [];
  for (const report of reports) {
    if (report === null && !final) return WAIT;
    if (report?.ok) answers.push(report.values);
  }
  const [first] = answers;
  if (first === undefined) return { kind: "failed", code: "all-failed" };
  if (!answers.every((values) => same(values, first))) return { kind: "failed", code: "answers-differ" };
  if (answers.length < reports.length) return { kind: "failed", code: "not-all-answered" };
  return { kind: "value", values: first };
}

function same(left: readonly ByteString[], right: readonly ByteString[]): boolean {
  return left.length === right.length && left.every((value, index) => value === right[index]);
}
