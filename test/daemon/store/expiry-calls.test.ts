/** Tests the cost of a writing command in a database with expiring keys. It counts calls, not time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { commandTable } from "../../../daemon/store/command-table.js";
import { Database } from "../../../daemon/store/database.js";
import type { Command } from "../../../daemon/store/rows/command-row.js";
import { touchesOf } from "../../../daemon/store/rows/key-spec.js";
import { hasCode } from "../../support/installed-families.js";
import { EPOCH } from "./random-unit.js";

const unit = { at: EPOCH, seq: 0, db: 0, id: "unit" };

/**
 * Runs a command.
 * @returns the number of keyspaces that were checked for expiring keys, and how often the command's own keys were
 * parsed
 */
function callsOf(
  database: Database,
  ...argv: string[]
): { readonly checked: number; readonly parsed: number } {
  const command = commandTable.resolve(argv) as Command;
  const { keys } = command;
  let [checked, parsed] = [0, 0];
  const real = database.keyspaces.map(({ expiring }) => expiring);
  for (const [db, keyspace] of database.keyspaces.entries())
    Object.defineProperty(keyspace, "expiring", {
      configurable: true,
      get: () => {
        checked++;
        return real[db];
      },
    });

  try {
    const parse = (words: readonly string[]) => {
      parsed++;
      return touchesOf(keys, words);
    };
    const counted: Command = typeof keys === "function" ? { ...command, keys: parse } : command;
    const reply = database.run(counted, argv, unit);
    assert.notEqual(reply.kind, "error");
  } finally {
    for (const [db, keyspace] of database.keyspaces.entries())
      Object.defineProperty(keyspace, "expiring", { configurable: true, writable: true, value: real[db] });
  }
  return { checked, parsed };
}

test("SET checks only its own database, once, for keys that expire", () => {
  const database = new Database();
  assert.deepEqual(callsOf(database, "SET", "k", "v"), { checked: 1, parsed: 0 });
  database.execute(["SET", "elsewhere", "v", "EX", "1"], { ...unit, db: 3 });
  for (const argv of [
    ["SET", "k", "v"],
    ["SET", "k", "v", "GET"],
    ...(hasCode("BITFIELD") ? [["BITFIELD", "bits", "SET", "u8", "0", "1"]] : []),
  ])
    assert.deepEqual(callsOf(database, ...argv), { checked: 1, parsed: 0 }, argv.join(" "));
});

test("a command that writes to another database removes expired keys there", () => {
  for (const argv of [
    ["COPY", "k", "k", "DB", "3"],
    ["MOVE", "k", "3"],
  ]) {
    const database = new Database();
    database.execute(["SET", "k", "new"], unit);
    database.execute(["SET", "k", "old", "PXAT", String(EPOCH - 1)], { ...unit, at: EPOCH - 10, db: 3 });
    assert.deepEqual(database.execute(argv, unit), { kind: "integer", value: 1 }, argv.join(" "));
  }
});
