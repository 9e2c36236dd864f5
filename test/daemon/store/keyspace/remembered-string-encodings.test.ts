/** Tests that the forms of strings are remembered for few keys, and only until a key is written again. */
import "../../../support/installed-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Database } from "../../../../daemon/store/database.js";
import { ENCODING_LIMITS } from "../../../../daemon/store/keyspace/encoding-name.js";
import { Keyspace } from "../../../../daemon/store/keyspace/keyspace.js";
import { Data } from "../../../../daemon/store/keyspace/mutators.js";
import { StringForms } from "../../../../daemon/store/keyspace/string-parts.js";
import type { Unit } from "../../../../daemon/store/keyspace/unit.js";

const KEYS = 5000;

test("the form of the string changed last is known, however many strings are changed in place", () => {
  const database = new Database({ forms: new StringForms() });
  const unit = { at: 0, db: 0, id: "u" };
  const unitWithLimits = { ...unit, encoding: ENCODING_LIMITS };
  const encoding = (key: string, by: Unit = unitWithLimits) =>
    database.execute(["OBJECT", "ENCODING", key], by);
  for (let i = 0; i < KEYS; i++) database.execute(["SETRANGE", `k${i}`, "0", "1"], unit);
  assert.deepEqual(encoding(`k${KEYS - 1}`), { kind: "bulk", bytes: "raw" });
  assert.deepEqual(encoding("k0"), { kind: "bulk", bytes: "int" });
  const signed = encoding(`k${KEYS - 1}`, unit);
  assert.deepEqual(signed, { kind: "bulk", bytes: "int" }, "a daemon gives the same reply after a restart");
});

test("a string that becomes long in place is not remembered, whatever happens to it later", () => {
  const forms = new StringForms();
  const data = new Data([new Keyspace()], undefined, forms);
  const entry = data.put("k", "1");
  data.patch(entry, 1, "2");
  assert.equal(forms.of(entry), "raw");
  data.patch(entry, 2, "3".repeat(43));
  assert.equal(forms.of(entry), null);
});

test("a string with a long key is not remembered", () => {
  const forms = new StringForms();
  const data = new Data([new Keyspace()], undefined, forms);
  const [short, long] = [data.put("k".repeat(1024), "1"), data.put("k".repeat(1025), "1")];
  for (const entry of [short, long]) data.patch(entry, 1, "2");
  assert.deepEqual([forms.of(short), forms.of(long)], ["raw", null]);
});

test("undo of a change restores the form of the string", () => {
  const database = new Database({ forms: new StringForms() });
  database.execute(["SET", "k", "1"], { at: 0, db: 0, id: "first" });
  const records: Parameters<Database["undo"]>[0][number][] = [];
  database.execute(["APPEND", "k", "2"], { at: 1, db: 0, id: "second" }, records);
  database.undo(records);
  assert.deepEqual(
    database.execute(["OBJECT", "ENCODING", "k"], { at: 2, db: 0, id: "third", encoding: ENCODING_LIMITS }),
    {
      kind: "bulk",
      bytes: "int",
    },
  );
});
