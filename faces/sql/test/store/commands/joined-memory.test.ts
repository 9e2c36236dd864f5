/** Tests that a join reserves working memory for its pairs while it finds them, not when it is done. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Database } from "../../../../../daemon/store/database.js";
import { SteppedReply } from "../../../../../protocol/lazy-replies.js";
import { unit } from "../../../../../test/daemon/store/effort-state.js";

const ROWS = 200;
/** Fewer bytes than any row of a join takes. */
const PAIR_BYTES_MIN = 16;

test("a join reserves the bytes of its pairs", () => {
  const database = new Database();
  database.execute(["SQL", "", "create database d"], unit(1));
  for (const table of ["t", "u"]) {
    database.execute(["SQL", "d", `create table ${table} (a number)`], unit(2));
    const values = Array.from({ length: ROWS }, (_, row) => `(${row})`).join(",");
    assert.notEqual(
      database.execute(["SQL", "d", `insert into ${table} values ${values}`], unit(3)).kind,
      "error",
    );
  }

  let bytes = 0;
  const text = "select count(*) from t join u on t.a + u.a >= 0";
  const memory = { take: (more: number) => void (bytes += more) };
  const reply = database.execute(["SQL", "d", text], { ...unit(4), takesSteps: true, memory });
  assert.ok(reply instanceof SteppedReply);
  const steps = reply.steps();
  while (steps.next().done !== true);
  assert.ok(bytes >= ROWS * ROWS * PAIR_BYTES_MIN, `${bytes} bytes`);
});
