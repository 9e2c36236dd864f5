import assert from "node:assert/strict";
import { test } from "node:test";
import { stepsOf } from "./spin.js";

const REPORT = "pan:1: assertion violated 0 (at depth 7)\n";

test("the steps of a trace are what the model printed, without spin's warnings and its end", () => {
  const replay = [
    'spin: warning, "conditions.pml" is newer than conditions.pml.trail',
    "member 2 starts ballot 2",
    "violated: a slot has one decision",
    "spin: conditions.pml:260, Error: assertion violated",
    "  8:\tproc  0 (steps:1) conditions.pml:502 (state 304) <valid end state>",
    "",
  ].join("\n");
  assert.equal(stepsOf(replay, REPORT), "member 2 starts ballot 2\nviolated: a slot has one decision\n");
});

test("a violation without a text of the model has the checker's text", () => {
  const replay = "member 1 restarts\nspin: trail ends after 1 steps\n";
  assert.equal(stepsOf(replay, REPORT), "member 1 restarts\nviolated: assertion violated 0\n");
});
