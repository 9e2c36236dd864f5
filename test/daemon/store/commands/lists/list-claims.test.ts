/** Tests the cost of claims on lists, where what a client received is no longer at the end of the list. */
import "../../../../support/installed-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Database } from "../../../../../daemon/store/database.js";
import type { UndoRecord } from "../../../../../daemon/store/keyspace/undo.js";
import type { ByteString } from "../../../../../protocol/byte-string.js";
import { shown } from "../../../../conformance/resp2-fold.js";

const AT = 1_790_000_000_000;
const ELEMENTS = 30_000;
const CLAIMS = 3000;

function run(
  database: Database,
  argv: readonly ByteString[],
  choice?: readonly ByteString[],
  records: UndoRecord[] = [],
): string {
  return shown(database.execute(argv, { at: AT, db: 0, id: "u".repeat(36), choice }, records));
}

function longList(): Database {
  const database = new Database();
  run(database, ["RPUSH", "l", ...Array.from({ length: ELEMENTS }, (_, i) => `e${i}`)]);
  return database;
}

test("elements that are gone cost no walk, also between other writes", () => {
  const database = longList();
  // A walk of half the list for each claim would take over 40 million steps.
  database.runAndUndo(2_000_000, (records) => {
    for (let i = 0; i < CLAIMS; i++) {
      assert.equal(run(database, ["LPOP", "l"], [`gone${i}`], records), "nil");
      run(database, ["RPUSH", "l", `new${i}`], undefined, records);
      assert.equal(run(database, ["RPOP", "l", "2"], [`gone${i}`, `new${i}`], records), `["new${i}"]`);
    }
  });
  assert.equal(run(database, ["LLEN", "l"]), `:${ELEMENTS}`);
});

test("elements behind a late one are taken without a walk", () => {
  const database = longList();
  run(database, ["LPUSH", "l", "late"]);
  database.runAndUndo(1_000_000, (records) => {
    for (let i = 0; i < CLAIMS; i++)
      assert.equal(run(database, ["LPOP", "l"], [`e${i}`], records), `"e${i}"`);
    assert.equal(run(database, ["LRANGE", "l", "0", "1"]), `["late" "e${CLAIMS}"]`);
    assert.equal(run(database, ["LLEN", "l"]), `:${ELEMENTS + 1 - CLAIMS}`);
  });
});

test("several elements are found in one walk, equal ones from the end that is popped", () => {
  const database = longList();
  run(database, ["LSET", "l", "20000", "twice"]);
  run(database, ["LSET", "l", "10000", "twice"]);
  const choice = ["twice", "gone", "e25000", "twice", "e5", "twice"];
  assert.equal(run(database, ["RPOP", "l", "6"], choice), '["e25000" "twice" "twice" "e5"]');
  assert.equal(run(database, ["LLEN", "l"]), `:${ELEMENTS - 4}`);
  run(database, ["LSET", "l", "20000", "again"]);
  run(database, ["LSET", "l", "10000", "again"]);
  assert.equal(run(database, ["LPOP", "l"], ["again"]), '"again"');
  assert.equal(run(database, ["LINDEX", "l", "19999"]), '"again"');
});
