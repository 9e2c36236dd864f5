/** The names that are completed, against the store's table, which the client may not import. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { completeCommand, isCommandName } from "../../../client/cli/command-names.js";
import { commands } from "../../../store/command-table.js";
import { connectionMistake } from "../../../store/connection-commands.js";

test("the names that are completed are those of the store", () => {
  const names = new Set(commands.map(({ name }) => name.split("|")[0] as string));
  const carried = [...names].filter((name) => connectionMistake([name]) === null);
  const completed = completeCommand("")[0].map((name) => name.trimEnd());
  assert.deepEqual(completed.sort(), carried.sort());
});

test("a name is known in any case", () => {
  for (const name of ["GET", "get", "Zadd"]) assert.ok(isCommandName(name));
  for (const name of ["", "GETT", "constructor"]) assert.ok(!isCommandName(name));
});
