/** What the timeline keeps: every command that may write, by the table itself. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { commands } from "../../../store/command-table.js";
import { isKeyCommand } from "../../../store/key-ring.js";
import { mayChange } from "../../../timeline/entries/recorded.js";

test("an envelope is recorded if a command of it writes, subcommands too", () => {
  for (const { name, writes } of commands) {
    if (isKeyCommand([name.split("|")[0]!])) continue;
    const argv = [...name.split("|"), "k"];
    assert.equal(mayChange({ commands: [argv] }), writes, name);
    assert.equal(
      mayChange({ commands: [["GET", "k"], argv.map((word) => word.toLowerCase())] }),
      writes,
      name,
    );
  }
});
