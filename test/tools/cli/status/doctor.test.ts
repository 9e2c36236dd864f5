/** Tests which of several findings `dbsync doctor` recommends to fix first, and how it reports notes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Problem } from "../../../../protocol/figures/problem.js";
import { examineSemantics, type Finding, firstToFix, remarkOn } from "../../../../tools/cli/status/doctor.js";
import type { DaemonStatus } from "../../../../tools/cli/status/read-status.js";

const [ONE, TWO] = ["10.0.0.1:1111", "10.0.0.2:1111"];
const fail = (subject: string, text: string): Finding => ({ grade: "FAIL", subject, text });

test("a daemon that fails itself is fixed before a daemon that only reports this", () => {
  const view = fail(ONE, `the clock of its member ${TWO} differs by 3600000 ms`);
  const cause = fail(TWO, "its clock differs from the other daemons', so it accepts no writes");
  const back = fail(TWO, `the clock of its member ${ONE} differs by -3600000 ms`);
  assert.equal(firstToFix([view, back, cause]), cause);
});

test("a failure that names another server is fixed first if that server does not fail itself", () => {
  const warning: Finding = { grade: "WARN", subject: ONE, text: "its clock is unknown" };
  const failure = fail(ONE, `it cannot reach its member ${TWO}`);
  assert.equal(firstToFix([warning, failure]), failure);
  assert.equal(firstToFix([warning]), warning);
  assert.equal(firstToFix([{ grade: "OK", subject: ONE, text: "live" }]), undefined);
});

test("if all failures name servers that fail, the first one is fixed first", () => {
  const failures = [
    fail(ONE, `it cannot reach its member ${TWO}`),
    fail(TWO, `it cannot reach its member ${ONE}`),
  ];
  assert.equal(firstToFix(failures), failures[0]);
});

test("a note, or a temporary state, is reported with its remedy, and is never fixed first", () => {
  const problem: Problem = {
    code: "",
    member: "",
    text: "no list",
    fix: "sign one",
    severity: "note",
    isOfMember: false,
  };
  const note = remarkOn(ONE, problem);
  assert.deepEqual(note, { grade: "NOTE", subject: ONE, text: "no list; sign one" });
  assert.equal(firstToFix([note]), undefined);
  assert.equal(remarkOn(ONE, { ...problem, severity: "remark" }).grade, "WARN");
  const wait = remarkOn(ONE, { ...problem, severity: "progress" });
  assert.deepEqual(wait, { ...note, grade: "WAIT" });
  assert.equal(firstToFix([wait]), undefined);
});

test("a command is recommended for each newer version of the semantics that all daemons support", () => {
  const found = (...versions: readonly (readonly [semantics: number, availableSemantics: number])[]) => {
    const findings: Finding[] = [];
    const statuses = versions.map(([semantics, availableSemantics]) => ({
      timeline: { semantics, availableSemantics },
    }));
    examineSemantics(statuses as unknown as readonly DaemonStatus[], (finding) => findings.push(finding));
    return findings.flatMap(({ text }) =>
      [...text.matchAll(/CLUSTER SEMANTICS (\d+)/g)].map(([, one]) => one),
    );
  };
  assert.deepEqual(found([1, 3], [2, 4]), ["3"]);
  assert.deepEqual(found([1, 3], [1, 4]), ["2", "3"]);
  assert.deepEqual(found([2, 2], [1, 3]), []);
  assert.deepEqual(found(), []);
});
