import assert from "node:assert/strict";
import { test } from "node:test";
import { difference, seedOfDay } from "./random-mutants.js";

test("the seed is the same for a day, and differs between days", () => {
  const [morning, evening, next] = [
    "2026-11-28T00:00:00Z",
    "2026-11-28T23:59:59Z",
    "2026-11-29T00:00:00Z",
  ].map((date) => seedOfDay(new Date(date)));
  assert.equal(morning, evening);
  assert.notEqual(morning, next);
});

test("a difference shows the lines of the change", () => {
  const before = "a();\n  if (b ||\n    c) d();\n";
  const condition = "b ||\n    c";
  const from = before.indexOf(condition);
  const after = before.replace(condition, `!(${condition})`);
  assert.equal(
    difference(before, after, 2, from + condition.length),
    "  - if (b ||\n  - c) d();\n  + if (!(b ||\n  + c)) d();\n",
  );
});
