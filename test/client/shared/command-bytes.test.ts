/** Tests how a client classifies commands by name. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { commandKindOf, isReadCommand } from "../../../client/shared/command-bytes.js";

test("a read is recognized by its name, in any case, in a line or a list", () => {
  for (const read of ["GET k", " get k", "PING", ["GET", "k"], ["Get", "k"]]) assert.ok(isReadCommand(read));
  for (const write of ["SET k v", "", "GETDEL k", [], ["INCR", "k"], ["UNHEARD-OF"]])
    assert.ok(!isReadCommand(write));
});

test("a command for the key ring is recognized by its name, in any case, as text or bytes", () => {
  for (const ring of ["KEY LIST", "key list", ["Cluster", "ADD"], [Buffer.from("cLUSTER")]])
    assert.equal(commandKindOf(ring), "ring", String(ring));
  for (const write of ["SET k v", "KEX", ["CLUSTERS"], [1, 2], []])
    assert.equal(commandKindOf(write), "writes", String(write));
  for (const read of ["get k", "GET k", ["Ping"]]) assert.equal(commandKindOf(read), "reads", String(read));
});
