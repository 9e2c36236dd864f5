/** Tests that long replies about documents show the state at their own command, regardless of later commands. */
import "../../../../../test/support/all-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { LocalUnits, NewestDate } from "../../../../../daemon/engine/backends/local-units.js";
import { MemoryBackend } from "../../../../../daemon/engine/backends/memory-backend.js";
import { realEnvironment } from "../../../../../daemon/net/process/clock-and-randomness.js";
import { findCommand } from "../../../../../daemon/store/command-table.js";
import { Database } from "../../../../../daemon/store/database.js";
import { runCommand } from "../../../../../daemon/timeline/fold/run-unit.js";
import type { Reply } from "../../../../../protocol/reply.js";
import { writeReply } from "../../../../../protocol/resp/resp-writer.js";

/** The number of keys, which is larger than the number of documents that a read visits in one turn. */
const KEYS = 10_050;
const UNIT = { at: 1, db: 0, id: "u".repeat(36) };
const LATER = [
  ["DOC.INSERT", "people", '{"name":"late"}'],
  ["SET", "cities", "no document"],
] as const;

function filled(run: (argv: readonly string[]) => unknown): void {
  for (let key = 0; key < KEYS; key++) run(["SET", `k${key}`, "v"]);
  for (const name of ["cities", "people"]) run(["DOC.CREATE", name]);
}

function expectEarly(getAll: Reply | undefined, list: Reply | undefined): void {
  assert.ok(getAll !== undefined && list !== undefined);
  assert.equal(writeReply(list), "*2\r\n$6\r\ncities\r\n$6\r\npeople\r\n");
  assert.equal(writeReply(getAll), "*4\r\n$6\r\ncities\r\n*0\r\n$6\r\npeople\r\n*0\r\n");
}

test("a reply shows the state at its own command within a transaction of many commands", () => {
  const database = new Database();
  filled((argv) => database.execute(argv, UNIT));
  const reply = database.executeMulti([["DOC.GETALL"], ["DOC.LIST"], ...LATER], UNIT);
  assert.ok(reply.kind === "array");
  expectEarly(reply.items[0], reply.items[1]);
});

test("a reply shows the state at its own unit within an envelope of many units, in the fold", () => {
  const database = new Database();
  filled((argv) => database.execute(argv, UNIT));
  const [getAll, list] = [["DOC.GETALL"], ["DOC.LIST"], ...LATER].map((argv) => {
    const command = findCommand(argv[0] as string);
    assert.ok(command !== undefined);
    return runCommand(database, command, argv, UNIT, []);
  });
  expectEarly(getAll, list);
});

test("a reply shows the state at its own unit within an envelope of many units, in memory", () => {
  const backend = new MemoryBackend(realEnvironment);
  const units = new LocalUnits(realEnvironment, new NewestDate());
  const run = (argv: readonly string[]) => {
    const reply = backend.execute(argv, units.next(0));
    assert.ok(!(reply instanceof Promise) && reply.kind !== "failed");
    return reply;
  };
  filled(run);
  const [getAll, list] = [["DOC.GETALL"], ["DOC.LIST"], ...LATER].map(run);
  expectEarly(getAll, list);
});
