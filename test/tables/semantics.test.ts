/**
 * Tests that each number of CLUSTER SEMANTICS still means what its file states, and that the errors state what to do
 * with a new command or a changed effect.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { commandTable } from "../../daemon/store/command-table.js";
import { CommandIndex } from "../../daemon/store/rows/command-index.js";
import type { Command } from "../../daemon/store/rows/command-row.js";
import { SEMANTICS } from "../../daemon/store/semantics.js";
import { INCRBYMAX } from "../support/one-command-more.js";
import { differences, FROZEN, linesOf, meaningOf, stored, uncovered } from "./semantics.js";

const numbers = Array.from({ length: SEMANTICS.last }, (_, i) => i + 1);

for (const number of numbers) {
  const table = SEMANTICS.table(number) as CommandIndex;
  const { meaning, covered } = meaningOf(table, linesOf(number));

  test(`number ${number} means what its file states`, () => {
    assert.equal(differences(number, stored(number), meaning).join("\n"), "");
  });

  test(`the units of number ${number} run each command that writes`, () => {
    const add = `add units to test/tables/semantics-${number}-units.txt`;
    assert.deepEqual(uncovered(table, covered), [], add);
  });
}

/** Returns the differences of a build whose rows differ. */
function differencesOf(rows: readonly Command[], frozen = FROZEN): string[] {
  const { meaning } = meaningOf(new CommandIndex(rows), linesOf(1));
  return differences(1, stored(1), meaning, frozen);
}

const withChange = (name: string, change: Partial<Command>): Command[] =>
  commandTable.all().map((row) => (row.name === name ? { ...row, ...change } : row));

test("a new command without a number fails, with what to do", () => {
  const rows = [...commandTable.all(), INCRBYMAX];
  assert.deepEqual(differencesOf(rows, 1), ["INCRBYMAX is new: give it sinceSemantics: 2"]);
  assert.deepEqual(differencesOf(rows, 0), [
    "INCRBYMAX is new: give it sinceSemantics: 2, or run npm run tables, which rewrites number 1 until it is frozen",
  ]);
  const { covered } = meaningOf(new CommandIndex(rows), linesOf(1));
  assert.deepEqual(uncovered(new CommandIndex(rows), covered), ["INCRBYMAX"]);
});

test("a changed effect, weight or shape of a command fails, and so does a missing command", () => {
  const { run } = commandTable.find("SETRANGE") as Command;
  const effect = differencesOf(
    withChange("INCRBY", { run: (commandTable.find("DECRBY") as Command).run }),
    1,
  );
  assert.match(
    effect.join(),
    /^a unit has another effect.*give the command sinceSemantics: 2\n.*INCRBY n 32\n/,
  );

  const weight = withChange("SETRANGE", {
    run: (data, argv, unit) => {
      data.effort.produce(1);
      return run(data, argv, unit);
    },
  });
  assert.match(differencesOf(weight, 1).join(), /^a unit has .* other steps.*\n.*SETRANGE s 10 xyz\n/);

  const shape = differencesOf(withChange("GET", { flags: ["readonly"] }), 1);
  assert.match(
    shape.join(),
    /^GET is changed: give it sinceSemantics: 2, with the row before as `earlier`\n/,
  );

  const without = commandTable.all().filter(({ name }) => name !== "WRITERS");
  assert.match(differencesOf(without, 1).join(), /^WRITERS is missing: let it return an error instead$/);
});

test("a changed limit fails, and so does a number without a file", () => {
  const before = stored(1);
  assert.ok(before !== null);
  const now = { ...before, limits: { ...before.limits, PRODUCED_MAX: 1 } };
  assert.match(differences(1, before, now, 1).join(), /^PRODUCED_MAX is no longer 16000000: /);
  assert.deepEqual(differences(2, null, before), ["number 2 has no file: run npm run tables"]);
});
