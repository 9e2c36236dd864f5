/** Tests the texts that subcommands print. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { firstLines } from "../../../../tools/cli/shared/output.js";

test("at most ten lines are named, and the remaining ones are counted", () => {
  const lines = Array.from({ length: 12 }, (_, index) => `line ${index}`);
  for (const count of [0, 1, 10])
    assert.equal(firstLines(lines.slice(0, count)), lines.slice(0, count).join("\n"));
  assert.equal(firstLines(lines.slice(0, 11)), [...lines.slice(0, 10), "  and 1 more"].join("\n"));
  assert.equal(firstLines(lines), [...lines.slice(0, 10), "  and 2 more"].join("\n"));
});
