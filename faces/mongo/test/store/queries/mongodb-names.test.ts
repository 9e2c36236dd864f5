/** Tests that each refusal of a feature that MongoDB has names the reason, or an alternative. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { collectionCommands } from "../../../commands/collection-commands.js";
import { cursorCommands, readCommands } from "../../../commands/read-commands.js";
import { writeCommands } from "../../../commands/write-commands.js";
import { alternativeTo } from "../../../store/queries/mongodb-names.js";

test("each unsupported field of a command has an alternative", () => {
  const rows = [...readCommands, ...cursorCommands, ...writeCommands, ...collectionCommands];
  let checked = 0;
  for (const { names, fields } of rows)
    for (const [field, use] of Object.entries(fields)) {
      if (use !== "unsupported") continue;
      assert.match(alternativeTo(field, names[0]), /^: ./, `${names[0]}.${field}`);
      checked++;
    }
  assert.ok(checked > 20, String(checked));
});

test("a field has the alternative of its own command", () => {
  assert.match(alternativeTo("max", "create"), /capped/);
  assert.match(alternativeTo("max", "createIndexes.indexes"), /GEOSEARCH/);
  assert.equal(alternativeTo("max", "find"), "");
  assert.equal(alternativeTo("noCommand"), "");
});
