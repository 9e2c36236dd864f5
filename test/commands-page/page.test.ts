/** Tests that docs/commands.md agrees with the tables, for every command of Redis. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { findCommand } from "../../daemon/store/command-table.js";
import { DIFFERENCES } from "./differences.js";
import { redisCommands } from "./page.js";
import { reasonAgainst, UNSUPPORTED } from "./unsupported.js";

test("the daemon supports each command of Redis, or the page names one reason why not", () => {
  for (const name of redisCommands())
    assert.equal(findCommand(name) === undefined, reasonAgainst(name) !== null, name);
});

test("each reason and each difference belongs to a command of Redis", () => {
  const names = redisCommands();
  for (const [, about] of UNSUPPORTED) {
    for (const name of about.split(" ")) assert.ok(names.includes(name), name);
  }
  for (const name of Object.keys(DIFFERENCES)) {
    assert.ok(names.includes(name.toLowerCase()) && findCommand(name) !== undefined, name);
  }
});
