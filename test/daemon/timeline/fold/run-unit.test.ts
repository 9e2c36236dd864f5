/** Tests that a command whose code is missing is never answered with an error, as if all daemons rejected it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Database } from "../../../../daemon/store/database.js";
import { FoldedUnit } from "../../../../daemon/store/keyspace/unit.js";
import { CommandFamily, MissingCode } from "../../../../daemon/store/rows/command-families.js";
import { FAMILY_ROWS } from "../../../../daemon/store/rows/family-rows.js";
import { runCommand } from "../../../../daemon/timeline/fold/run-unit.js";

test("a command whose code is missing is not applied, and the error names its face", () => {
  const { rows } = new CommandFamily("redis/geo", FAMILY_ROWS["redis/geo"]);
  const command = rows.find(({ name }) => name === "GEOADD") ?? assert.fail();
  const database = new Database({ databases: 1 });
  const header = { at: 1, seq: 0, db: 0, choices: null, expiries: null };
  const run = () =>
    runCommand(database, command, ["GEOADD", "k", "1", "2", "m"], new FoldedUnit("id", header, 0), []);
  assert.throws(
    run,
    (problem) =>
      problem instanceof MissingCode &&
      problem.message === "this build does not contain the code of GEOADD and similar commands (redis/geo)",
  );
  assert.equal(database.keyspaces[0]?.size, 0);
});
