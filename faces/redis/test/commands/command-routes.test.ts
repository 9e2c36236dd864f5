/** Tests which routes commands have. */
import "../../../../test/support/all-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { ALL_COMMANDS_SUPPORTED } from "../../../../daemon/engine/backends/command-path.js";
import { CommandFailure } from "../../../../daemon/store/arguments/command-errors.js";
import { CommandRoutes } from "../../commands/command-routes.js";

const routes = new CommandRoutes(new Map(), ALL_COMMANDS_SUPPORTED);

test("a statement that only reads is not a write, however the name SQL is spelled", () => {
  for (const name of ["SQL", "sql", "Sql"])
    for (const [statement, row, writes] of [
      ["select 1", "SQL_RO", false],
      ["delete from t", "SQL", true],
    ] as const) {
      const route = routes.find([name, "d", statement]);
      assert.ok(!(route instanceof CommandFailure));
      assert.deepEqual([route.command.name, route.writes], [row, writes], `${name} ${statement}`);
    }
});
