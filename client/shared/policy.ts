/** Determines the result of a call from the daemons' reports. The functions are pure. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { PlainReply } from "../../protocol/reply.js";
import { type Answer, hasFailedCondition, isCatchingUp, isLate, type Report } from "./outcome.js";
import { isNil } from "./reply-conversion.js";

/**
 * A rule for the result of a call:
 * - `first`: the first answer that is not nil. Any later answer replaces a failure, and a later value replaces nil or
 *   the answer of a daemon that is catching up. The result is therefore null only if every daemon that answered
 *   returned nil, or if a daemon whose peers have the same data returned nil. If at least as many daemons have refused
 *   the command's date as have answered nil, a clock is wrong, and the call fails instead.
 * - a number: the first answer that is not nil, as soon as that number of daemons has answered. The answers need not be
 *   equal. `all` means the number of servers.
 * - `majority`: an answer that more than half of all servers sent. A command's failure counts as an answer.
 * - `all-equal`: a value only if every server answered and all answers are equal, as in php-dbsync's driver. (That
 *   driver returns null otherwise; this client throws, so null always means nil.)
 *
 * Except with `first`, a late answer (`isLate`) does not count as agreement. If two commands are mutually exclusive, a
 * daemon therefore counts for only one of them, and a majority reports success to at most one client.
 */
export type Policy = "first" | "majority" | "all" | "all-equal" | number;

/** The policy of a call. `usual`: the caller named none, so `ruleFor` chooses the rule. */
export type CallPolicy = Policy | "usual";

/**
 * A policy, or the rule for a unit with conditions: the report on which more than half of all servers agree. These
 * servers report that the unit was applied, with replies of the same form (`outcomeWord`); that a condition did not
 * hold; or the same failure. The result is the reply that more than half of all servers sent, if there is one. Late
 * answers do not count. `outcome`: answers of a daemon that is catching up do not count either. `decision`: the members
 * of a list decide on the unit, so each daemon that has the decision reports its outcome; only the reply of a daemon
 * that is catching up may be missing earlier writes.
 */
export type Rule = Policy | "outcome" | "decision";

/**
 * Returns the rule that determines the result of a call.
 * @param hasConditions  whether its unit has conditions (`if`)
 * @param isDecided  whether the members of a list decide on it
 */
export function ruleFor(policy: CallPolicy, hasConditions: boolean, isDecided = false): Rule {
  if (policy !== "usual") return policy;
  if (hasConditions) return isDecided ? "decision" : "outcome";
  return isDecided ? "majority" : "first";
}

export type FailureCode =
  | "all-failed"
  | "reply"
  | "refused"
  | "answers-differ"
  | "clocks-differ"
  | "not-all-answered"
  | "too-few-answers"
  | "late-answers";

/**
 * The result of judging a call:
 * - `wait`: not decided yet.
 * - `linger`: nil, an error, or an outcome without a reply of a majority so far. The caller judges again soon with
 *   `final`, even if daemons are still silent.
 * - `value`: the call's result is this answer.
 */
export type Verdict =
  | { readonly kind: "wait" }
  | { readonly kind: "linger" }
  | { readonly kind: "value"; readonly answer: Answer }
  | { readonly kind: "failed"; readonly code: FailureCode };

type Reports = readonly (Report | null)[];

const WAIT: Verdict = { kind: "wait" };
const LINGER: Verdict = { kind: "linger" };
const LATE: Verdict = { kind: "failed", code: "late-answers" };

/**
 * Judges a call.
 * @param reports  one for each daemon, null for a daemon that has not answered
 * @param final    whether to decide with the reports received so far
 * @param refusers  the number of daemons that have refused the command's date and not answered since
 */
export function judge(rule: Rule, reports: Reports, final: boolean, refusers = 0): Verdict {
  switch (rule) {
    case "first":
      return judgeFirst(reports, final, refusers);
    case "majority":
      return judgeMajority(reports, final);
    case "all-equal":
      return judgeAllEqual(reports, final);
    case "outcome":
    case "decision":
      return judgeOutcome(reports, final, rule === "decision");
    default:
      return judgeNumber(rule === "all" ? reports.length : rule, reports, final);
  }
}

/** Whether an answer is nil; version 1 returns an empty list in the same form. */
function isMiss(answer: Answer): boolean {
  return answer.values.length === 0;
}

function judgeFirst(reports: Reports, final: boolean, refusers: number): Verdict {
  let silent = false;
  let erred = false;
  let miss: Answer | null = null;
  let catchingUp: Answer | null = null;
  let misses = 0;

  for (const report of reports) {
    if (report === null) silent = true;
    else if (!report.ok) erred ||= report.stage === "reply";
    else if (report.isForAll) return { kind: "value", answer: report };
    else if (!isMiss(report)) {
      if (!isCatchingUp(report.flags)) return { kind: "value", answer: report };
      catchingUp ??= report;
    } else {
      miss ??= report;
      misses++;
    }
  }
  if (catchingUp !== null) return silent && !final ? LINGER : { kind: "value", answer: catchingUp };
  const isDisputed = misses <= refusers;
  if (silent && miss !== null && isDisputed && !erred) return WAIT;
  if (silent && !final) return miss !== null || erred ? LINGER : WAIT;
  if (miss === null || (isDisputed && erred)) return failure(reports);
  return isDisputed ? { kind: "failed", code: "clocks-differ" } : { kind: "value", answer: miss };
}

/** Judges a number or `all`. This rule waits for every daemon before it fails, like `all-equal`. */
function judgeNumber(needed: number, reports: Reports, final: boolean): Verdict {
  const all = answersOf(reports);
  const answers = all.filter((answer) => !isLate(answer));
  const [first] = answers;
  if (first !== undefined && answers.length >= needed) {
    return { kind: "value", answer: answers.find((answer) => !isMiss(answer)) ?? first };
  }
  if (isSilent(reports) && !final) return WAIT;
  if (all.length === 0) return failure(reports);
  if (all.length >= needed) return LATE;
  return { kind: "failed", code: needed >= reports.length ? "not-all-answered" : "too-few-answers" };
}

function judgeMajority(reports: Reports, final: boolean): Verdict {
  const groups: Report[][] = [];
  let answered = 0;
  let late = 0;

  for (const report of reports) {
    if (report === null || !(report.ok || report.stage === "reply")) continue;
    answered++;
    if (isLate(report)) {
      late++;
      continue;
    }
    const group = groups.find(([other]) => sameAnswer(report, other as Report));
    if (group === undefined) groups.push([report]);
    else group.push(report);
  }

  const group = groups.find(({ length }) => 2 * length > reports.length);
  const report = group?.[0];
  if (report !== undefined)
    return report.ok ? { kind: "value", answer: report } : { kind: "failed", code: "reply" };

  if (isSilent(reports) && !final) return WAIT;
  if (answered === 0) return failure(reports);
  if (2 * answered <= reports.length) return { kind: "failed", code: "too-few-answers" };
  return late > 0 ? LATE : { kind: "failed", code: "answers-differ" };
}

/** The reports of one outcome. */
interface SameOutcome {
  readonly all: Report[];
  /** The last one of a daemon that is not catching up, or null. */
  complete: Report | null;
}

/**
 * Judges `outcome` and `decision`. These rules fail as soon as no outcome can reach a majority, so a client that wants
 * a lock does not wait longer than necessary.
 */
function judgeOutcome(reports: Reports, final: boolean, isDecided: boolean): Verdict {
  const outcomes = new Map<string, SameOutcome>();
  let [silent, answered, late, behind, highest] = [0, 0, 0, 0, 0];
  for (const report of reports) {
    if (report === null) {
      silent++;
      continue;
    }
    if (!(report.ok || report.stage === "reply")) continue;
    answered++;
    const isBehind = isCatchingUp(report.flags ?? "");
    if (isLate(report)) late++;
    else if (isBehind && !isDecided) behind++;
    else {
      const word = outcomeWord(report);
      const same = outcomes.get(word) ?? { all: [], complete: null };
      outcomes.set(word, same);
      same.all.push(report);
      if (!isBehind) same.complete = report;
      highest = Math.max(highest, same.all.length);
    }
  }
  const agreed = [...outcomes.values()].find(({ all }) => 2 * all.length > reports.length);
  if (agreed !== undefined) {
    const isContradicted = [...outcomes.values()].some((one) => one !== agreed && one.complete !== null);
    return judgeAgreed(agreed, isContradicted, final || silent === 0, reports.length);
  }

  if (!final && 2 * (highest + silent) > reports.length) return WAIT;
  // A daemon that is silent may still answer. The code must not depend on whether its answer or the failures arrive
  // first.
  if (answered === 0 && (final || silent === 0)) return failure(reports);
  if (2 * (answered - behind) <= reports.length) return { kind: "failed", code: "too-few-answers" };
  return late > 0 ? LATE : { kind: "failed", code: "answers-differ" };
}

/**
 * Judges an outcome on which a majority agrees. The members decide whether a unit is applied, but each daemon runs its
 * commands itself, so the reply of a daemon that is not catching up is preferred. One daemon may lie about its reply,
 * so the reply of a majority is used. There may be none, because the daemons had different plain writes.
 * @param isContradicted  whether a daemon that is not catching up reports another outcome
 */
function judgeAgreed(
  { all, complete }: SameOutcome,
  isContradicted: boolean,
  final: boolean,
  servers: number,
): Verdict {
  const [first] = all as [Report];
  if (complete === null && !hasFailedCondition(first.flags ?? "")) {
    if (!final) return WAIT;
    if (isContradicted) return { kind: "failed", code: "answers-differ" };
  }

  const shared = all.find(
    (report) =>
      (complete === null || !isCatchingUp(report.flags ?? "")) &&
      2 * all.filter((other) => sameAnswer(report, other)).length > servers,
  );
  if (shared === undefined && !final) return LINGER;
  const report = shared ?? complete ?? first;
  return report.ok ? { kind: "value", answer: report } : { kind: "failed", code: "reply" };
}

/**
 * Returns the outcome of a unit with conditions. Its replies may differ if the daemons have different data, but not in
 * their form: otherwise, one lying daemon could change whether a client has a lock (`SET … NX`, `SETNX`).
 */
function outcomeWord(report: Report): string {
  if (!report.ok) return `failed: ${report.detail}`;
  if (hasFailedCondition(report.flags)) return "unmet";
  const { reply } = report;
  if (reply === null) return isMiss(report) ? "applied: nil" : "applied: text";
  if (reply.kind !== "array") return `applied: ${formOf(reply)}`;
  if (reply.items.length === 0) return "applied: empty list";
  // Other lists of texts may have different lengths.
  const forms = reply.items.flatMap((item, index) => (item.kind === "bulk" ? [] : [[index, formOf(item)]]));
  return `applied: list ${JSON.stringify(forms)}`;
}

/** Returns the part of a reply that states whether a command had an effect. The text of a status is quoted. */
function formOf(reply: PlainReply): string {
  if (reply.kind === "status") return JSON.stringify(reply.text);
  if (reply.kind === "integer") return reply.value === 0 || reply.value === 1 ? `${reply.value}` : "integer";
  return isNil(reply) ? "nil" : reply.kind;
}

/**
 * Judges `all-equal`. This rule waits for every daemon even if one has failed, because the error reports the outcome of
 * each.
 */
function judgeAllEqual(reports: Reports, final: boolean): Verdict {
  if (isSilent(reports) && !final) return WAIT;
  const answers = answersOf(reports);
  const [first] = answers;
  if (first === undefined) return failure(reports);
  if (!answers.every((answer) => sameAnswer(answer, first)))
    return { kind: "failed", code: "answers-differ" };
  if (answers.length < reports.length) return { kind: "failed", code: "not-all-answered" };
  return answers.some(isLate) ? LATE : { kind: "value", answer: first };
}

/** Returns the failure of a call without a successful answer. */
function failure(reports: Reports): Verdict {
  const stages = reports.map((report) => (report === null || report.ok ? "" : report.stage));
  if (stages.includes("reply")) return { kind: "failed", code: "reply" };
  if (stages.every((stage) => stage === "refused")) return { kind: "failed", code: "refused" };
  return { kind: "failed", code: "all-failed" };
}

function isSilent(reports: Reports): boolean {
  return reports.includes(null);
}

function answersOf(reports: Reports): Answer[] {
  return reports.filter((report): report is Answer => report?.ok === true);
}

function sameAnswer(left: Report, right: Report): boolean {
  if (left.ok && right.ok) {
    // The text of a list joins its elements by line feeds, so another reply may have the same text.
    const areReplies = left.reply !== null && right.reply !== null;
    return areReplies ? sameReply(left.reply, right.reply) : same(left.values, right.values);
  }
  return !left.ok && !right.ok && left.detail === right.detail;
}

function same(left: readonly ByteString[], right: readonly ByteString[]): boolean {
  return left.length === right.length && left.every((value, index) => value === right[index]);
}

function sameReply(left: PlainReply, right: PlainReply): boolean {
  if (left === right) return true;
  if (left.kind === "array") {
    if (right.kind !== "array" || left.items.length !== right.items.length) return false;
    return left.items.every((item, index) => sameReply(item, right.items[index] as PlainReply));
  }
  if (left.kind === "bulk") return right.kind === "bulk" && left.bytes === right.bytes;
  if (left.kind === "integer") return right.kind === "integer" && left.value === right.value;
  if ("text" in left) return right.kind === left.kind && right.text === left.text;
  return isNil(right);
}
