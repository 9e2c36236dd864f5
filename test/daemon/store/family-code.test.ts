/**
 * Tests that the rows of faces' commands pass all arguments on, and that snapshots can contain the values of all kinds.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import "../../support/all-families.js";
import { INSTALLED_FAMILIES } from "../../../daemon/installed-families.js";
import { RULE_ARGUMENTS_MAX } from "../../../daemon/store/rows/command-families.js";
import { VALUE_FORMS } from "../../../daemon/store/values/object-value.js";
import { valueKindOf } from "../../../daemon/store/values/value-kinds.js";

/** Returns the names of the functions in a row that have more parameters than are passed on. */
function longRules(value: unknown, path: string): string[] {
  if (typeof value === "function") return value.length > RULE_ARGUMENTS_MAX ? [path] : [];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => longRules(inner, `${path}.${name}`));
}

test("no function of a face's command has more parameters than its row in the core passes on", async () => {
  for (const load of Object.values(INSTALLED_FAMILIES))
    for (const row of await load()) assert.deepEqual(longRules(row, row.name), []);
  assert.deepEqual(longRules({ run: (a: number, b: number, c: number, d: number) => a + b + c + d }, "X"), [
    "X.run",
  ]);
});

test("each form of a value in snapshots has a kind, which reads it", () => {
  for (const form of VALUE_FORMS) {
    if (form === "end" || form === "string") continue;
    assert.ok(valueKindOf(form)?.forms.includes(form), form);
  }
});
