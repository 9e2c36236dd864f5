/** Tests which words are names of commands. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isCommandName } from "../../../../tools/cli/shared/typed-commands.js";

test("a name is recognized in upper and lower case", () => {
  for (const name of ["GET", "get", "Zadd"]) assert.ok(isCommandName(name));
  for (const name of ["", "GETT", "constructor"]) assert.ok(!isCommandName(name));
});
