/** Tests the policies with a table of daemons' answers and verdicts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Report } from "../../../client/shared/outcome.js";
import { judge, type Rule, ruleFor } from "../../../client/shared/policy.js";
import { replyValues } from "../../../client/shared/reply-conversion.js";
import {
  bulk,
  integer,
  NIL,
  NIL_ARRAY,
  OK,
  type PlainReply,
  type PlainValue,
  status,
} from "../../../protocol/reply.js";

const hit = (...values: string[]): Report => ({
  ok: true,
  values,
  reply: null,
  flags: "",
  isForAll: false,
  at: 1,
});
const miss: Report = hit();
const missOfAll: Report = { ...miss, ok: true, isForAll: true } as Report;
const failed: Report = { ok: false, stage: "timeout", detail: "", written: true, at: 1 };

const erred = (text: string): Report => ({ ok: false, stage: "reply", detail: text, written: false, at: 1 });
const late = (report: Report): Report => ({ ...report, flags: "late" });
const behind = (report: Report): Report => ({
  ...report,
  flags: `${report.flags ?? ""} catching-up`.trimStart(),
});
const unmet = (report: Report): Report => ({ ...report, flags: "unmet provisional" });
const refused: Report = { ok: false, stage: "refused", detail: "skew: late", written: false, at: 1 };

/** An answer of version 2. */
const answer = (reply: PlainValue): Report => ({
  ok: true,
  values: replyValues(reply),
  reply,
  flags: "",
  isForAll: false,
  at: 1,
});
const listOf = (...items: readonly PlainReply[]): Report => answer({ kind: "array", items });
const list = (...items: readonly (string | number | null)[]): Report =>
  answer({
    kind: "array",
    items: items.map((item): PlainReply => {
      if (item === null) return NIL;
      return typeof item === "string" ? bulk(item) : integer(item);
    }),
  });

type Row = [rule: Rule, reports: (Report | null)[], now: string, final: string];

/** `now` is the verdict before the deadline, `final` the one at the deadline. */
const ROWS: Row[] = [
  ["first", [null, null], "wait", "all-failed"],
  ["first", [hit("a"), null], "a", "a"],
  ["first", [null, hit("a")], "a", "a"],
  ["first", [failed, null], "wait", "all-failed"],
  ["first", [failed, hit("a")], "a", "a"],
  ["first", [miss, null], "linger", "nil"],
  ["first", [miss, hit("a")], "a", "a"],
  ["first", [missOfAll, null], "nil", "nil"],
  ["first", [behind(hit("a")), null], "linger", "a"],
  ["first", [behind(hit("a")), hit("b")], "b", "b"],
  ["first", [behind(hit("a")), failed], "a", "a"],
  ["first", [behind(hit("a")), miss], "a", "a"],
  ["first", [behind(hit("a")), missOfAll, null], "nil", "nil"],
  ["majority", [behind(hit("a")), hit("a"), null], "a", "a"],
  ["first", [failed, missOfAll, null], "nil", "nil"],
  ["majority", [missOfAll, null, null], "wait", "too-few-answers"],
  ["first", [miss, failed], "nil", "nil"],
  ["first", [miss, miss], "nil", "nil"],
  ["first", [miss, failed, null], "linger", "nil"],
  ["first", [failed, failed], "all-failed", "all-failed"],
  ["first", [hit("a"), hit("b")], "a", "a"],
  ["first", [hit(""), null], "", ""],
  ["majority", [list("a", "b"), list("a", "b"), null], "a\nb", "a\nb"],
  ["majority", [list("a\nb"), list("a", "b"), null], "wait", "answers-differ"],
  ["majority", [answer(bulk("a\nb")), list("a", "b"), null], "wait", "answers-differ"],
  ["majority", [answer(bulk("a\nb")), list("a", "b"), list("a", "b")], "a\nb", "a\nb"],
  ["majority", [answer(bulk("OK")), answer(OK), null], "wait", "answers-differ"],
  ["majority", [list("1", "b"), list(1, "b"), null], "wait", "answers-differ"],
  ["majority", [answer(NIL), answer(NIL_ARRAY), null], "nil", "nil"],
  // An answer of version 1 is a text.
  ["majority", [hit("a\nb"), list("a", "b"), null], "a\nb", "a\nb"],
  ["all-equal", [hit("a"), null], "wait", "not-all-answered"],
  ["all-equal", [hit("a"), hit("a")], "a", "a"],
  ["all-equal", [hit("a"), hit("b")], "answers-differ", "answers-differ"],
  ["all-equal", [hit("a"), miss], "answers-differ", "answers-differ"],
  ["all-equal", [hit("a", "b"), hit("a", "c")], "answers-differ", "answers-differ"],
  ["all-equal", [hit("a", "b"), hit("a", "b")], "a,b", "a,b"],
  ["all-equal", [hit("a"), failed], "not-all-answered", "not-all-answered"],
  ["all-equal", [failed, null], "wait", "all-failed"],
  ["all-equal", [hit("a"), hit("b"), failed], "answers-differ", "answers-differ"],
  ["all-equal", [failed, failed], "all-failed", "all-failed"],
  ["all-equal", [miss, miss], "nil", "nil"],
  ["first", [erred("ERR"), null], "linger", "reply"],
  ["first", [erred("ERR"), hit("a")], "a", "a"],
  ["first", [erred("ERR"), miss], "nil", "nil"],
  ["first", [erred("ERR"), failed], "reply", "reply"],
  ["first", [refused, null], "wait", "all-failed"],
  ["first", [refused, refused], "refused", "refused"],
  ["first", [refused, failed], "all-failed", "all-failed"],
  ["majority", [hit("a"), null, null], "wait", "too-few-answers"],
  ["majority", [hit("a"), hit("a"), null], "a", "a"],
  ["majority", [hit("a"), hit("b"), null], "wait", "answers-differ"],
  ["majority", [hit("a"), hit("b"), hit("a")], "a", "a"],
  ["majority", [hit("a"), hit("b"), hit("c")], "answers-differ", "answers-differ"],
  ["majority", [miss, miss, null], "nil", "nil"],
  ["majority", [erred("ERR"), erred("ERR"), null], "reply", "reply"],
  ["majority", [erred("ERR"), hit("a"), failed], "answers-differ", "answers-differ"],
  ["majority", [hit("a"), failed, failed], "too-few-answers", "too-few-answers"],
  ["majority", [refused, refused, refused], "refused", "refused"],
  ["majority", [hit("a"), hit("a")], "a", "a"],
  ["majority", [hit("a"), failed], "too-few-answers", "too-few-answers"],
  ["all", [hit("a"), hit("b"), null], "wait", "not-all-answered"],
  ["all", [hit("a"), hit("b"), hit("b")], "a", "a"],
  ["all", [miss, hit("b"), hit("b")], "b", "b"],
  ["all", [hit("a"), failed, null], "wait", "not-all-answered"],
  ["all", [miss, miss], "nil", "nil"],
  ["all", [failed, erred("ERR")], "reply", "reply"],
  [2, [hit("a"), null, null], "wait", "too-few-answers"],
  [2, [miss, null, hit("b")], "b", "b"],
  [2, [failed, failed, hit("b")], "too-few-answers", "too-few-answers"],
  [2, [failed, failed, refused], "all-failed", "all-failed"],
  [1, [miss, null], "nil", "nil"],
  ["first", [late(hit("a")), null], "a", "a"],
  ["majority", [hit("a"), late(hit("a")), null], "wait", "late-answers"],
  ["majority", [hit("a"), late(hit("a")), hit("a")], "a", "a"],
  ["majority", [hit("a"), late(hit("a")), late(hit("a"))], "late-answers", "late-answers"],
  ["majority", [late(hit("a")), null, null], "wait", "too-few-answers"],
  ["majority", [late(erred("ERR")), late(erred("ERR")), erred("ERR")], "late-answers", "late-answers"],
  ["all", [hit("a"), hit("a"), late(hit("a"))], "late-answers", "late-answers"],
  ["all", [hit("a"), late(hit("a")), failed], "not-all-answered", "not-all-answered"],
  ["all-equal", [hit("a"), late(hit("a"))], "late-answers", "late-answers"],
  [2, [hit("a"), late(hit("a")), null], "wait", "late-answers"],
  [2, [hit("a"), late(miss), hit("b")], "a", "a"],
  [2, [late(hit("a")), late(hit("a"))], "late-answers", "late-answers"],
  // For a unit with conditions, one daemon that is out of date proves neither that it was applied nor that it was not.
  ["outcome", [hit("OK"), null, null], "wait", "too-few-answers"],
  ["outcome", [unmet(miss), null, null], "wait", "too-few-answers"],
  ["outcome", [unmet(missOfAll), null, null], "wait", "too-few-answers"],
  ["outcome", [hit("OK"), hit("OK"), null], "OK", "OK"],
  ["outcome", [unmet(miss), unmet(miss), null], "nil", "nil"],
  ["outcome", [hit("OK"), unmet(miss), null], "wait", "answers-differ"],
  ["outcome", [hit("OK"), unmet(miss), unmet(miss)], "nil", "nil"],
  ["outcome", [unmet(miss), hit("OK"), hit("OK")], "OK", "OK"],
  ["outcome", [hit("5"), hit("6"), null], "linger", "6"],
  ["outcome", [hit("6"), hit("5"), hit("6")], "6", "6"],
  ["outcome", [hit("5"), hit("6"), hit("7")], "7", "7"],
  ["outcome", [miss, hit("OK"), null], "wait", "answers-differ"],
  ["outcome", [miss, unmet(miss), miss], "nil", "nil"],
  ["outcome", [miss, unmet(miss), null], "wait", "answers-differ"],
  ["outcome", [hit("OK"), failed, null], "wait", "too-few-answers"],
  ["outcome", [hit("OK"), failed, failed], "too-few-answers", "too-few-answers"],
  ["outcome", [hit("OK"), refused, refused], "too-few-answers", "too-few-answers"],
  ["outcome", [failed, refused, null], "too-few-answers", "all-failed"],
  ["outcome", [failed, failed, failed], "all-failed", "all-failed"],
  ["outcome", [refused, refused, refused], "refused", "refused"],
  ["outcome", [late(hit("OK")), hit("OK"), null], "wait", "late-answers"],
  ["outcome", [late(hit("OK")), late(hit("OK")), null], "late-answers", "late-answers"],
  ["outcome", [behind(hit("OK")), hit("OK"), null], "wait", "too-few-answers"],
  ["outcome", [behind(unmet(miss)), unmet(miss), failed], "too-few-answers", "too-few-answers"],
  ["outcome", [behind(unmet(miss))], "too-few-answers", "too-few-answers"],
  ["outcome", [behind(hit("OK")), hit("OK"), hit("OK")], "OK", "OK"],
  ["outcome", [erred("ERR"), erred("ERR"), null], "reply", "reply"],
  ["outcome", [erred("ERR"), hit("OK"), null], "wait", "answers-differ"],
  // If there are two servers, both must answer. If there is only one, it must answer.
  ["outcome", [hit("OK"), null], "wait", "too-few-answers"],
  ["outcome", [hit("OK"), failed], "too-few-answers", "too-few-answers"],
  ["outcome", [hit("OK"), hit("OK")], "OK", "OK"],
  ["outcome", [hit("OK"), unmet(miss)], "answers-differ", "answers-differ"],
  ["outcome", [hit("OK")], "OK", "OK"],
  ["outcome", [unmet(miss)], "nil", "nil"],
  // Each daemon that has a decision reports its outcome. The reply of one that is catching up may be out of date.
  ["decision", [behind(unmet(miss)), unmet(miss), failed], "nil", "nil"],
  ["decision", [behind(unmet(miss)), behind(unmet(miss)), null], "nil", "nil"],
  ["decision", [behind(hit("1")), hit("2"), failed], "2", "2"],
  ["decision", [behind(hit("1")), hit("2"), null], "linger", "2"],
  ["decision", [behind(hit("1")), behind(hit("1")), hit("2")], "2", "2"],
  ["decision", [behind(hit("1")), behind(hit("1")), null], "wait", "1"],
  ["decision", [behind(hit("1")), behind(hit("1")), failed], "1", "1"],
  ["decision", [behind(hit("1"))], "1", "1"],
  ["decision", [behind(erred("ERR")), behind(erred("ERR")), null], "wait", "reply"],
  ["decision", [behind(erred("ERR")), erred("ERR"), null], "reply", "reply"],
  ["decision", [behind(erred("ERR")), behind(erred("ERR")), hit("OK")], "answers-differ", "answers-differ"],
  ["decision", [behind(hit("OK")), behind(hit("OK")), erred("ERR")], "answers-differ", "answers-differ"],
  ["decision", [behind(hit("OK")), unmet(miss), null], "wait", "answers-differ"],
  ["decision", [late(unmet(miss)), unmet(miss), failed], "late-answers", "late-answers"],
  // In each of these, the last daemon may lie.
  ["decision", [null, hit("OK"), miss], "wait", "answers-differ"],
  ["decision", [failed, miss, hit("OK")], "answers-differ", "answers-differ"],
  ["decision", [miss, miss, hit("OK")], "nil", "nil"],
  ["decision", [hit("OK"), hit("OK"), miss], "OK", "OK"],
  ["decision", [hit("41"), hit("41"), hit("40")], "41", "41"],
  ["decision", [failed, answer(integer(1)), answer(integer(0))], "answers-differ", "answers-differ"],
  ["decision", [failed, answer(integer(1)), answer(integer(2))], "answers-differ", "answers-differ"],
  ["decision", [failed, answer(integer(1)), answer(bulk("0"))], "answers-differ", "answers-differ"],
  ["decision", [failed, answer(integer(1)), list(1)], "answers-differ", "answers-differ"],
  [
    "decision",
    [failed, answer(OK), answer({ kind: "status", text: "NO" })],
    "answers-differ",
    "answers-differ",
  ],
  ["decision", [failed, answer(NIL), answer(status("nil"))], "answers-differ", "answers-differ"],
  ["decision", [failed, answer(integer(0)), answer(status("0"))], "answers-differ", "answers-differ"],
  ["decision", [failed, answer(NIL), list()], "answers-differ", "answers-differ"],
  ["decision", [failed, listOf(NIL), listOf(status("nil"))], "answers-differ", "answers-differ"],
  [
    "decision",
    [failed, listOf(OK, NIL), listOf(status('"OK"],[1,"nil'), bulk("OK"))],
    "answers-differ",
    "answers-differ",
  ],
  ["decision", [failed, list(0), list(1)], "answers-differ", "answers-differ"],
  ["decision", [failed, list("a"), list()], "answers-differ", "answers-differ"],
  ["decision", [failed, list("a", null), list(null, "a")], "answers-differ", "answers-differ"],
  ["decision", [list(0, 7), list(0, 8), list(1, 9)], "0\n8", "0\n8"],
  ["decision", [list(1, "a"), null, list(1, "b")], "linger", "1\nb"],
  ["decision", [list("a", "b"), null, list("a")], "linger", "a"],
  ["decision", [behind(unmet(miss)), failed, null], "wait", "too-few-answers"],
];

test("a configured policy is used; without one, a unit with conditions has the outcome of the majority", () => {
  assert.equal(ruleFor("usual", true), "outcome");
  assert.equal(ruleFor("usual", true, true), "decision");
  assert.equal(ruleFor("usual", false), "first");
  for (const hasConditions of [false, true]) assert.equal(ruleFor("first", hasConditions), "first");
  assert.equal(ruleFor("majority", true), "majority");
});

function verdict(rule: Rule, reports: (Report | null)[], final: boolean): string {
  const judged = judge(rule, reports, final);
  if (judged.kind === "failed") return judged.code;
  if (judged.kind !== "value") return judged.kind;
  return judged.answer.values.length === 0 ? "nil" : judged.answer.values.join();
}

for (const [rule, reports, now, final] of ROWS) {
  const descriptions = reports.map((report) =>
    report === null
      ? "silent"
      : !report.ok
        ? report.stage
        : report.values.length === 0
          ? "nil"
          : report.values.join("+"),
  );
  test(`${rule} judges [${descriptions.join(", ")}]: ${now}, at the end ${final}`, () => {
    assert.equal(verdict(rule, reports, false), now);
    assert.equal(verdict(rule, reports, true), final);
  });
}

test("a miss counts only if more daemons missed than refused the date of the command", () => {
  const judged = (reports: (Report | null)[], refusers: number) =>
    [false, true].map((final) => {
      const decided = judge("first", reports, final, refusers);
      return decided.kind === "failed" ? decided.code : decided.kind;
    });
  assert.deepEqual(judged([miss, null, null], 1), ["wait", "wait"]);
  assert.deepEqual(judged([miss, refused], 1), ["clocks-differ", "clocks-differ"]);
  assert.deepEqual(judged([miss, miss, refused], 1), ["value", "value"]);
  assert.deepEqual(judged([miss, miss, null], 1), ["linger", "value"]);
  assert.deepEqual(judged([missOfAll, refused, refused], 2), ["value", "value"]);
  assert.deepEqual(judged([hit("a"), refused, refused], 2), ["value", "value"]);
  assert.deepEqual(judged([miss, erred("ERR"), refused], 1), ["reply", "reply"]);
  assert.deepEqual(judged([refused, null], 1), ["wait", "all-failed"]);
});
