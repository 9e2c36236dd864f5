/** Tests that snapshots can contain the values of all kinds whose code is loaded. */
import assert from "node:assert/strict";
import { test } from "node:test";
import "../../support/all-families.js";
import { VALUE_FORMS } from "../../../daemon/store/values/object-value.js";
import { valueKindOf } from "../../../daemon/store/values/value-kinds.js";

test("each form of a value in snapshots has a kind, which reads it", () => {
  for (const form of VALUE_FORMS) {
    if (form === "end" || form === "string") continue;
    assert.ok(valueKindOf(form)?.forms.includes(form), form);
  }
});
