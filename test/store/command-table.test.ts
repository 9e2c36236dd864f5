/** Tests that no row is missing a property that its command needs. Each message names what to add. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { commands } from "../../store/command-table.js";

for (const { name, writes, events } of commands)
  test(`the row of ${name} has the properties that it needs`, () => {
    assert.equal(
      events !== null,
      writes,
      writes
        ? `${name} writes: add \`events\` to its row, a rule of store/events/event-rules.ts (noEvents, if it has none)`
        : `${name} does not write: remove \`events\` from its row`,
    );
  });
