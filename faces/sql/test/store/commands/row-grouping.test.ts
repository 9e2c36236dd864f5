/** Tests that grouping reserves working memory for the keys of its groups. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Database } from "../../../../../daemon/store/database.js";
import { SteppedReply } from "../../../../../protocol/lazy-replies.js";
import { unit } from "../../../../../test/daemon/store/effort-state.js";
import { KEY_BYTES } from "../../../store/commands/evaluation-context.js";

const ROWS = 200;
const TEXT_LENGTH = 1000;
/** Fewer bytes than the values of a group take, without its key. */
const GROUP_BYTES_MIN = 400;

test("groups reserve the bytes of their keys", () => {
  const database = new Database();
  database.execute(["SQL", "", "create database d"], unit(1));
  database.execute(["SQL", "d", "create table t (same number, short number, long text)"], unit(2));

  const text = (row: number) => String(row).padStart(TEXT_LENGTH, "x");
  const values = Array.from({ length: ROWS }, (_, row) => `(1, ${row}, '${text(row)}')`).join(",");
  assert.notEqual(database.execute(["SQL", "d", `insert into t values ${values}`], unit(3)).kind, "error");

  const bytesFor = (column: string) => {
    let bytes = 0;
    const memory = { take: (more: number) => void (bytes += more) };
    const query = `select count(*) from t group by ${column}`;
    const reply = database.execute(["SQL", "d", query], { ...unit(4), takesSteps: true, memory });
    assert.ok(reply instanceof SteppedReply);
    const steps = reply.steps();
    while (steps.next().done !== true);
    return bytes;
  };
  const [one, short, long] = [bytesFor("same"), bytesFor("short"), bytesFor("long")];
  assert.ok(long - short >= ROWS * (TEXT_LENGTH - 10), `${short} bytes, then ${long}`);
  assert.ok(short - one >= (ROWS - 1) * (GROUP_BYTES_MIN + KEY_BYTES), `${one} bytes, then ${short}`);
});
