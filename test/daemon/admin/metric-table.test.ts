/** docs/metrics.md and the table of metrics say the same, both ways. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { METRICS } from "../../../daemon/admin/metric-table.js";
import { repositoryRoot } from "../../support/repository.js";

test("docs/metrics.md holds a row for each metric, in the order of the table, and no others", () => {
  const text = readFileSync(join(repositoryRoot, "docs/metrics.md"), "utf8");
  const shown = text.split("\n").filter((line) => /^\| `/.test(line));
  const due = Object.entries(METRICS).map(([name, { type, labels, help }]) => {
    const names = labels.map((label) => `\`${label}\``).join(", ");
    return `| \`${name}\` | ${type} | ${names} | ${help} |`;
  });
  assert.deepEqual(shown, due, `The rows that are due:\n${due.join("\n")}`);
});
