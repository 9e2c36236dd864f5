/** Tests how a proxy classifies statements. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type AffectedObjects, statementKind } from "../../../../tools/proxy/routing/statement-kind.js";

const tables = (...names: string[]): AffectedObjects => ({ kind: "tables", names: new Set(names) });

test("a read depends on the tables or views that it names, on its database, or on the server", () => {
  for (const [text, affected] of [
    ["alaivo 1", tables()],
    ["alaivo k #ao@ t #tonona@ u #ka t.k = u.k", tables("t", "u")],
    ["select k from (select k from a) x union select k from b where k = 'from c'", tables("a", "b")],
    ["show tables", { kind: "database" }],
    ["describe t", { kind: "database" }],
    ["asehoy ny tahiry", { kind: "server" }],
    ["alaivo ! ao@ ???", { kind: "server" }],
  ] as const)
    assert.deepEqual(statementKind(text), { kind: "read", affected }, text);
});

test("a write changes the rows of a table, the objects of a database, or the server", () => {
  for (const [text, affected, kind, name] of [
    ["insert into t (k) select k from u", tables("t"), "table", "t"],
    ["havaozy t ova k = 1 rehefa k = 2", tables("t"), "table", "t"],
    ["create view v as select * from t", { kind: "database" }, "view", "v"],
    ["ravao ny efitra e", { kind: "database" }, "domain", "e"],
    ["drop database d", { kind: "server" }, "database", "d"],
  ] as const)
    assert.deepEqual(statementKind(text), { kind: "write", affected, object: { kind, name } }, text);
  for (const text of ["blabla", "selected", "insert into t"])
    assert.deepEqual(
      statementKind(text),
      { kind: "write", affected: { kind: "server" }, object: null },
      text,
    );
});

test("USE selects a database, and some statements change only a connection", () => {
  for (const text of ["ampiasao d", "use d", "USE\nd"])
    assert.deepEqual(statementKind(text), { kind: "use", database: "d" }, text);
  assert.deepEqual(statementKind("ampiasao d-1"), { kind: "use", database: "d-1" });
  assert.deepEqual(statementKind("login a b"), { kind: "connection" });
  assert.deepEqual(statementKind("pejy 100"), { kind: "connection" });
});

test("numbers and texts of numbers in any notation do not change what a statement reads or writes", () => {
  const affected = tables("t");
  for (const number of ["1e-05", "1E+21", ".5", "5.", "+1", "01", "0x1f", "-0", "' 1'", "'1e999'", "?"]) {
    assert.deepEqual(
      statementKind(`select k from t where k < ${number}`),
      { kind: "read", affected },
      number,
    );
    const object = { kind: "table", name: "t" };
    const written = { kind: "write", affected, object };
    assert.deepEqual(statementKind(`delete from t where k < ${number}`), written, number);
    assert.deepEqual(statementKind(`insert into t values (${number})`), written, number);
  }
  // An alias follows the number 1 in the original's language, in which a number has no exponent.
  assert.deepEqual(statementKind("alaivo 1e5 #ao@ t"), { kind: "read", affected });
});
