/**
 * Tests that the rows of faces' commands pass all arguments on, and that snapshots can contain the values of all kinds.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import "../../support/all-families.js";
import * as faces from "../../../daemon/faces.js";
import type { FaceFamilies } from "../../../daemon/store/family-code.js";
import { RULE_ARGUMENTS_MAX } from "../../../daemon/store/rows/command-families.js";
import { VALUE_FORMS } from "../../../daemon/store/values/object-value.js";
import { valueKindOf } from "../../../daemon/store/values/value-kinds.js";

/** Returns the names of the functions in a row that have more parameters than are passed on. */
function longRules(value: unknown, path: string): string[] {
  if (typeof value === "function") return value.length > RULE_ARGUMENTS_MAX ? [path] : [];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => longRules(inner, `${path}.${name}`));
}

test("no function of a face's command has more parameters than its row in the core passes on", () => {
  for (const { families = {} } of Object.values<FaceFamilies>(faces))
    for (const row of Object.values(families).flatMap(({ rows }) => rows))
      assert.deepEqual(longRules(row, row.name), []);
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
