/** Tests which commands the timeline records: every command that may write according to the command table. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { commands } from "../../../../daemon/store/command-table.js";
import { isKeyCommand } from "../../../../daemon/store/key-ring.js";
import { mayChange } from "../../../../daemon/timeline/entries/recorded-envelopes.js";
import { hasCode } from "../../../support/installed-families.js";

test("an envelope is recorded if one of its commands writes, including subcommands", () => {
  for (const { name, writes, otherRow } of commands) {
    if (isKeyCommand([name.split("|")[0]!]) || otherRow !== undefined) continue;
    const argv = [...name.split("|"), "k"];
    assert.equal(mayChange({ commands: [argv] }), writes, name);
    assert.equal(
      mayChange({ commands: [["GET", "k"], argv.map((word) => word.toLowerCase())] }),
      writes,
      name,
    );
  }
});

test("a statement is recorded if it may write", { skip: !hasCode("SQL") }, () => {
  const mayChangeBy = (statement: string) => mayChange({ commands: [["SQL", "shop", statement]] });
  assert.equal(mayChangeBy("insert into item values (1)"), true);
  assert.equal(mayChangeBy("select * from item"), false);
  assert.equal(mayChangeBy("no statement"), false);
});
