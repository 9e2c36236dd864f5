/** The client's list of reads against the store's table, which the client may not import. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { companyOf, isReadCommand } from "../../client/command.js";
import { READ_COMMANDS } from "../../client/read-commands.js";
import { commands } from "../../store/command-table.js";
import { connectionMistake } from "../../store/connection-commands.js";

test("the client's list of reads is what the store's table says", () => {
  const writers = new Set(
    commands
      .filter(({ flags }) => flags.includes("write") || flags.includes("admin"))
      .map(({ name }) => name.split("|")[0]),
  );
  const names = new Set(commands.map(({ name }) => name.split("|")[0] as string));
  const reads = [...names].filter((name) => !writers.has(name) && connectionMistake([name]) === null);
  assert.deepEqual([...READ_COMMANDS].sort(), reads.sort());
});

test("a read is known by its name, in any case, in a line or a list", () => {
  for (const read of ["GET k", " get k", "PING", ["GET", "k"], ["Get", "k"]]) assert.ok(isReadCommand(read));
  for (const write of ["SET k v", "", "GETDEL k", [], ["INCR", "k"], ["UNHEARD-OF"]])
    assert.ok(!isReadCommand(write));
});

test("what is for the key ring is known by its name, in any case, as text or bytes", () => {
  for (const ring of ["KEY LIST", "key list", ["Cluster", "ADD"], [Buffer.from("cLUSTER")]])
    assert.equal(companyOf(ring), "ring", String(ring));
  for (const write of ["SET k v", "KEX", ["CLUSTERS"], [1, 2], []])
    assert.equal(companyOf(write), "writes", String(write));
  for (const read of ["get k", "GET k", ["Ping"]]) assert.equal(companyOf(read), "reads", String(read));
});
