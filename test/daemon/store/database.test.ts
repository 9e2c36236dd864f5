/** Tests the numbers that the database counts for statistics. */
import "../../support/installed-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Database } from "../../../daemon/store/database.js";

test("the number of expired keys counts those that are still stored and those that a command has removed", () => {
  const database = new Database();
  const run = (line: string, db: number, at: number) =>
    database.execute(line.split(" "), { at, db, id: "u".repeat(36) });

  for (const [db, key] of [
    [0, "a"],
    [0, "b"],
    [3, "c"],
  ] as const)
    run(`SET ${key} v PX 1000`, db, 1000);
  run("SET stays v", 0, 1000);
  assert.deepEqual(
    [1000, 2001].map((at) => database.expiredKeys(at)),
    [0, 3],
  );

  run("SET a again", 0, 3000);
  run("DEL c", 3, 3000);
  assert.equal(database.expiredKeys(3000), 3);
});
