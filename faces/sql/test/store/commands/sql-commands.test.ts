/**
 * Tests edge cases of SQL. oracle.test.ts compares random statements, and transcripts.test.ts compares recorded ones.
 */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { canonicalState, digestOfEntry } from "../../../../../daemon/store/canonical-state.js";
import { commands, commandTable, findCommand } from "../../../../../daemon/store/command-table.js";
import { Database } from "../../../../../daemon/store/database.js";
import type { UndoRecord } from "../../../../../daemon/store/keyspace/undo.js";
import { Acl } from "../../../../../daemon/store/rights/acl.js";
import type { Command } from "../../../../../daemon/store/rows/command-row.js";
import { touchesOf } from "../../../../../daemon/store/rows/key-spec.js";
import { mayChange } from "../../../../../daemon/timeline/entries/recorded-envelopes.js";
import { bytesOfText } from "../../../../../protocol/byte-string.js";
import { shown } from "../../../../../test/conformance/resp2-fold.js";
import { some } from "../../../../../test/support/amount.js";
import { fits } from "../../../store/values/domain.js";
import type { NumberedRows } from "../../../store/values/table.js";
import { outcomeOfReply } from "./transcript.js";

let database: Database;
let records: UndoRecord[];
beforeEach(() => {
  database = new Database();
  records = [];
  execute("create database d", "create table t (k number primary key, x text(0,5), d date)");
});

const call = (...argv: readonly string[]) =>
  database.execute(argv.map(bytesOfText), { at: 1_000_000, db: 0, id: "unit" }, records);
const sql = (statement: string, ...bound: readonly string[]) => call("SQL", "d", statement, ...bound);
const execute = (...statements: readonly string[]) => {
  for (const statement of statements) assert.doesNotMatch(shown(sql(statement)), /^-/, statement);
};
const rows = (statement: string, ...bound: readonly string[]) => {
  const outcome = outcomeOfReply(sql(statement, ...bound));
  return outcome.kind === "rows" ? outcome.rows : outcome;
};
const refused = (statement: string, text: RegExp, ...bound: readonly string[]) => {
  const before = canonicalState(database);
  assert.match(shown(sql(statement, ...bound)), text, statement);
  assert.deepEqual(canonicalState(database), before, statement);
};

test("changes report the number of affected rows", () => {
  assert.equal(shown(sql("insert into t (k, x) values (1,'a'),(2,'b'),(3,'b')")), ":3");
  assert.equal(shown(sql("update t set x = 'c' where x = 'b'")), ":2");
  assert.equal(shown(sql("update t set x = 'c' where x = 'nothing'")), ":0");
  assert.equal(shown(sql("insert into t (k) select k + 10 from t where k > 1")), ":2");
  assert.equal(shown(sql("delete from t where k > 10")), ":2");
  assert.equal(shown(sql("delete from t")), ":3");
});

test("no object gets a name with a : or without characters, because its key would be that of another one", () => {
  const made = [
    "create database NAME",
    "create table NAME (k number)",
    "create view NAME as select k from t",
    "create domain NAME (number)",
  ];
  for (const statement of made)
    for (const name of ['"d:t"', '"t:"', '":"', '""'])
      refused(
        statement.replace("NAME", name),
        /^-"ERR syntax: .*a name of at least one character, without ':'/,
      );
  assert.match(shown(call("SQL", "d:t", "create table u (k number)")), /there is no database d:t/);
  execute("insert into t (k) values (1)");
});

test("if exists and if not exists change nothing where the statement would fail for the object alone", () => {
  execute("insert into t (k) values (1)", "create view v as select k from t", "create domain o (number)");
  const before = canonicalState(database);

  execute(
    "create database if not exists d",
    "create table if not exists t (other colour)",
    "CREATE TABLE IF NOT EXISTS v (k number)",
    "create view if not exists v as select nothing from nowhere",
    "create view if not exists t as select 1 x",
    "create domain if not exists o (text)",
    "drop database if exists e",
    "drop table if exists u",
    "drop view if exists u",
    "DROP DOMAIN IF EXISTS u",
  );
  assert.deepEqual(canonicalState(database), before);

  refused("drop table if exists v", /there is no v in the database d/);
  refused("drop view if exists t", /there is no view t/);
  assert.match(shown(call("SQL", "e", "create table if not exists t (k number)")), /no database e/);
  assert.match(shown(call("SQL", "e", "drop table if exists t")), /no database e/);

  call("SET", "sql:e", "a string");
  assert.match(shown(sql("create database if not exists e")), /WRONGTYPE/);

  execute("create table if not exists u (k number)", "create view if not exists w as select k from u");
  execute("create database if not exists f", "create domain if not exists p (number)");
  execute(
    "drop view if exists w",
    "drop table if exists u",
    "drop domain if exists p",
    "drop view if exists v",
  );
  execute("drop database if exists f", "drop database if exists d");

  assert.equal(shown(call("KEYS", "*")), '["sql:e"]');
});

test("a primary key contains each value once and no null, before and after any statement", () => {
  execute("insert into t (k) values (1),(2),(3)");
  refused("insert into t (k) values (4),(1)", /is already a row whose k is 1/);
  refused("insert into t (k) values (4),(4)", /is already a row/);
  refused("insert into t (x) values ('a')", /must not be null/);
  refused("update t set k = 2 where k = 1", /is already a row/);
  refused("update t set k = null", /must not be null/);
  // Each row receives the key of the next one.
  execute("update t set k = k + 1", "update t set k = 5 - k");
  assert.deepEqual(rows("select k from t"), [[3], [2], [1]]);
  execute("create table u (k text(0,9) unique)", "insert into u values (null),(null),('a')");
  refused("insert into u values ('a')", /is already a row/);
});

test("unique indexes hold for the rows that there are and for all later ones, also after an undo", () => {
  execute("insert into t values (1,'a','2026-01-01'),(2,'a','2026-01-02'),(3,null,null),(4,null,null)");
  refused("create unique index i on t (x)", /already a row whose x is .*a/);
  execute("create unique index i on t (X, d)", "create index j on t (x)");
  refused("insert into t values (5,'b',null),(6,'a','2026-01-02')", /whose x, d is .*a.*, .*2026-01-02/);
  refused("update t set d = '2026-01-01'", /already a row/);
  execute("insert into t values (5,'a',null),(6,'a',null)", "update t set x = 'b' where k = 1");
  assert.deepEqual(rows("show indexes"), [["i"], ["j"]]);

  const before = canonicalState(database);
  records = [];
  execute("insert into t values (7,'a','2026-01-01')", "drop index i", "create index i on t (d)");
  database.undo(records);
  assert.deepEqual(canonicalState(database), before);
  execute("insert into t values (7,'a','2026-01-01')");
  refused("insert into t values (8,'a','2026-01-01')", /already a row/);

  // More than a quarter of the rows change, so the table builds its indexes again.
  execute(`insert into t (k, x) values ${Array.from({ length: 100 }, (_, i) => `(${i + 10},'c')`).join()}`);
  execute("update t set x = 'd' where k > 9");
  refused("insert into t values (8,'a','2026-01-01')", /already a row/);
});

test("replace into removes the rows whose unique values it takes, insert or ignore adds no such row", () => {
  execute(
    "create unique index i on t (x, d)",
    "insert into t values (1,'a','2026-01-01'),(2,'b','2026-01-01')",
  );
  assert.equal(shown(sql("replace into t values (1,'b','2026-01-01'),(3,'c',null),(3,'d',null)")), ":3");
  assert.deepEqual(rows("select * from t"), [
    [1, "b", "2026-01-01"],
    [3, "d", null],
  ]);
  assert.equal(
    shown(
      sql("insert or ignore into t values (4,'b','2026-01-01'),(5,'e',null),(5,'f',null),(null,'g',null)"),
    ),
    ":1",
  );
  assert.deepEqual(rows("select k, x from t where k > 3"), [[5, "e"]]);
  refused("replace into t values (null,'a',null)", /must not be null/);
});

test("a table has at most 64 indexes, and names of indexes are unique in their database", () => {
  execute("create table u (k number)");
  for (let i = 0; i < 64; i++) execute(`create index i${i} on t (k, x)`);
  refused("create index one_more on t (k)", /more than 64 indexes of one table/);
  execute("create index one_more on u (k)");
  refused("create unique index i3 on u (k)", /the index i3 already exists/);
  execute("create index if not exists i3 on u (k)", "drop index i3", "create unique index i3 on u (k)");
  refused("drop index absent", /no index absent in the database d/);
  refused("create unique view w as select k from u", /expected: index/);
});

test("indexes require rights to the keys that they may change", () => {
  const of = (statement: string) =>
    touchesOf((commandTable.resolve(["SQL", "d", statement]) as Command).keys, ["SQL", "d", statement]).map(
      ({ key, access, needs, beginning }) => [beginning ?? key, access, needs ?? null],
    );
  assert.deepEqual(
    of("create index i on t (k)").filter(([key]) => key === "sql:d:t"),
    [["sql:d:t", "write", "RW"]],
  );
  assert.deepEqual(of("drop index i")[0], ["sql:d:", "write", null]);
});

test("arguments after the statement replace its ?", () => {
  execute("insert into t values (1,'1','2026-11-21')");
  assert.equal(shown(sql("insert into t values (?,?,?)", "2", "2", "2024-02-29")), ":1");
  assert.deepEqual(rows("select * from t where k = ? or x = ?", "1", "2"), [
    [1, "1", "2026-11-21"],
    [2, "2", "2024-02-29"],
  ]);
  assert.deepEqual(rows("select k from t where k = ? limit ? ?", "2", "0", "1"), [[2]]);
  assert.deepEqual(rows("select ? x", "'; drop table t; --"), [["'; drop table t; --"]]);
  refused("select * from t where k = ?", /1 \?, but 0 arguments/);
  refused("select * from t", /0 \?, but 1 arguments/, "1");
  refused("select * from t limit ?", /whole number/, "-1");
  refused("insert into t (k) values (?)", /takes NUMBER/, "x");
});

test("dates are texts of the calendar, in chronological order", () => {
  execute("insert into t (k,d) values (1,'2026-11-21'),(2,'2024-02-29'),(3,'2026-11-21 09:00:00')");
  refused("insert into t (k,d) values (4,'2025-02-29')", /takes DATE/);
  assert.deepEqual(rows("select k from t where d > '2025-01-01' order by d desc"), [[3], [1]]);
  assert.deepEqual(rows("select min(d), max(d) from t"), [["2024-02-29", "2026-11-21 09:00:00"]]);
});

test("group by, order by, distinct and self-joins select the expected rows", () => {
  execute("insert into t (k,x) values (1,'a'),(2,'b'),(3,'a'),(4,null)");
  assert.deepEqual(
    rows("select x, count(*) n, max(k) from t group by x having count(*) > 0 order by n desc, x"),
    [
      ["a", 2, 3],
      [null, 1, 4],
      ["b", 1, 2],
    ],
  );
  assert.deepEqual(rows("select distinct x from t order by k desc"), [[null], ["a"], ["b"]]);
  assert.deepEqual(rows("select a.k, b.k from t a join t b on a.x = b.x and a.k < b.k"), [[1, 3]]);
  assert.deepEqual(rows("select count(*), count(x), avg(k) from t"), [[4, 3, 2.5]]);
  assert.deepEqual(rows("select k from t order by k desc limit 2 offset 1"), [[3], [2]]);
  refused("select k, count(*) from t", /'k' must be in group by/);
  refused("select * from t a join t b on 1 = 1 where k = 1", /2 columns 'k'/);
});

test("group by takes the alias of a field, unless a column has that name", () => {
  execute("create table g (k number, v number)");
  execute("insert into g (k, v) values (1, 10), (2, 20), (3, 30), (4, 40)");
  const odd = "select k * k > 5 odd, sum(v) total from g group by";
  assert.deepEqual(rows(`${odd} odd order by odd`), [
    [false, 30],
    [true, 70],
  ]);
  assert.deepEqual(rows(`${odd} "Odd" order by ODD`), rows(`${odd} 1 order by odd`));
  assert.deepEqual(rows("select k key_of, count(*) n from g group by KEY_OF having count(*) > 1"), []);
  // v is a column, so the rows are not grouped by k.
  refused("select k v, count(*) n from g group by v", /'k' must be in group by/);
  for (const by of ["total", "2", "sum(v)"])
    refused(`${odd} ${by}`, /group by takes no aggregate function: write select .* from \(select/);
});

test("a grouped query may select an expression only if the rows are grouped by exactly this expression", () => {
  execute("insert into t (k) values (1),(2)");
  assert.deepEqual(rows("select k, ? from t group by k, ?", "10", "20"), [
    [1, "10"],
    [2, "10"],
  ]);
  assert.deepEqual(rows("select k + ?, count(*) from t group by k + ?", "1", "1"), [
    [2, 1],
    [3, 1],
  ]);
  refused("select k + ?, count(*) from t group by k + ?", /must be in group by/, "1", "2");
  refused("select k + 1, count(*) from t group by k + '1'", /must be in group by/);
});

test("in English a table with an alias is known only by the alias", () => {
  call("SQL", "", "create database origins");
  call("SQL", "origins", "create table t (k number, v number)");
  call("SQL", "origins", "create table u (k number, w number)");
  call("SQL", "origins", "insert into t values (1, 2)");
  call("SQL", "origins", "insert into u values (1, 3)");

  const isRefused = (statement: string) => call("SQL", "origins", statement).kind === "error";
  for (const statement of [
    "select t.k from t x",
    "select x.k from t",
    "select k from t x where t.k = 1",
    "select k from t x order by t.k",
    "select u.v from t natural join u",
    "select t.k from (select k from t) s",
    "delete from t where x.k = 1",
  ])
    assert.ok(isRefused(statement), statement);

  for (const statement of [
    "select x.k, X.v from t x where x.k = 1 order by x.v",
    "select t.k, u.k, w from t natural join u where u.k = 1",
    "select s.k from (select t.k from t) s",
    "alaivo t.k #ao@ t x",
  ])
    assert.ok(!isRefused(statement), statement);
});

test("the name of a column without an alias is its expression: SQL in English, and the original's form in Malagasy", () => {
  const namesOf = (statement: string, ...bound: readonly string[]) => {
    const outcome = outcomeOfReply(sql(statement, ...bound));
    return outcome.kind === "rows"
      ? (outcome.columns as { readonly name: string }[]).map(({ name }) => name)
      : outcome;
  };

  assert.deepEqual(namesOf("SELECT COUNT(*), sum(t.k), count(distinct x), max(k)+1 FROM t"), [
    "COUNT(*)",
    "sum(t.k)",
    "count(distinct x)",
    "max(k) + 1",
  ]);

  const fields = "(k + 1) * -k, 'it''s', x is not null, not (k = ? or null), k <> 1.5";
  assert.deepEqual(namesOf(`select ${fields} from t`, "1"), [
    "(k + 1) * (-k)",
    "'it''s'",
    "x is not null",
    "not ((k = ?) or null)",
    "k != 1.5",
  ]);

  assert.deepEqual(namesOf("alaivo count(k) #ao@ t"), [
    "FunctionExpr(count, [ID(QualifiedIdentifier [origin=null, name=k])])",
  ]);
});

test("views show the current rows, may be nested up to a limit, and reject an invalid definition in their key", () => {
  execute("insert into t (k) values (1),(2)", "create view v0 as select k from t where k > 1");
  for (let i = 1; i < 8; i++) execute(`create view v${i} as select * from v${i - 1}`);
  execute("insert into t (k) values (3)");
  assert.deepEqual(rows("select * from v7"), [[2], [3]]);
  refused("create view v8 as select * from v7", /more than 8 nested views/);
  call("HSET", "sql:d", "view v0", "select * from v7");
  refused("select * from v0", /more than 8 nested views/);
  call("HSET", "sql:d", "view v0", "drop table t", "domain c", "nonsense");
  refused("select * from v7", /invalid definition/);
  refused("create table n (k c)", /invalid definition/);
  call("SET", "sql:d:w", "a string");
  refused("select * from w", /WRONGTYPE/);
  call("DEL", "sql:d");
  refused("show views", /no database d/);
});

test("the deepest statements on the deepest views do not overflow the stack", () => {
  const deep = (source: string) => {
    let within = source;
    for (let level = 0; level < 29; level++) within = `(select * from ${within}) a${level}`;
    return `select k${" + 0".repeat(490)} k from ${within}`;
  };
  execute("insert into t (k) values (1)", `create view w0 as ${deep("t")}`);
  for (let i = 1; i < 8; i++) execute(`create view w${i} as ${deep(`w${i - 1}`)}`);
  assert.deepEqual(rows(deep("w7")), [[1]]);
});

test("dropping a database drops its tables, but no tables of other databases", () => {
  call("SQL", "dd", "create database dd");
  call("SQL", "dd", "create table t (k number)");
  call("SET", "sql:d:note", "not a table");
  execute("create view v as select * from t", "drop database d");
  const keys = database.keyspaces[0]?.entries.map(({ key }) => key).sort();
  assert.deepEqual(keys, ["sql:d:note", "sql:dd", "sql:dd:t"]);
  assert.match(shown(call("SQL", "", "select * from t")), /no database is chosen/);
});

test("min and max of several arguments: the error names the alternative", () => {
  for (const name of ["min", "MAX"])
    for (const statement of [`select ${name}(k, 1) from t`, `select k from t where ${name}(k, 1) > 0`]) {
      const expected = new RegExp(
        `ERR ${name} takes one argument, .*: to compare .*, write case when a > b then a else b end`,
      );
      assert.match(shown(sql(statement)), expected, statement);
    }
  assert.match(shown(sql("select sum(k, 1) from t")), /ERR sum takes one argument"/);
  assert.match(shown(sql("select k from t where max(k) > 0")), /'max' is not a function of one row/);
});

test("a chain of 15 tables that where joins by equalities checks about as many rows as the tables have", () => {
  const numbers = Array.from({ length: 15 }, (_, at) => at + 1);
  for (const table of numbers) {
    execute(`create table c${table} (a${table} number primary key, b${table} number)`);
    const values = Array.from({ length: 10 }, (_, row) => `(${row}, ${(row * 7 + table) % 10})`);
    execute(`insert into c${table} values ${values.join(", ")}`);
  }
  const equalities = numbers.slice(1).map((table) => `b${table - 1} = a${table}`);
  const from = numbers.map((table) => `c${table}`);
  const scattered = from.map((_, at) => from[(at * 7) % from.length]);
  for (const order of [from, from.toReversed(), scattered]) {
    const chain = `from ${order.join(", ")} where ${equalities.toReversed().join(" and ")}`;
    assert.deepEqual(rows(`select count(*) ${chain}`), [[10]]);
    assert.deepEqual(rows(`select a15 ${chain} and a1 = 0`), [[7]]);
  }
});

test("the value of a query replaces it in an expression", () => {
  execute("insert into t (k, x) values (1, 'a'), (2, 'b'), (3, null)", "create table u (k number)");
  assert.deepEqual(rows("select k from t where k in (select k from u)"), []);
  assert.deepEqual(rows("select k from t where k not in (select k from u)"), [[1], [2], [3]]);

  execute("insert into u values (2), (3)");
  assert.deepEqual(rows("select k from t where k in (select k from u where k > ?) order by k", "2"), [[3]]);
  assert.deepEqual(rows("select (select max(k) from u) - k a, (select 1 where 1 = 0) b from t where k = 1"), [
    [2, null],
  ]);
  assert.deepEqual(rows("select k, case when k in (select k from u) then 1 else 0 end from t where k < 3"), [
    [1, 0],
    [2, 1],
  ]);

  execute("create view v as select k from t where k = (select min(k) from u)");
  assert.deepEqual(rows("select k from v"), [[2]]);
  execute("insert into u select k + 10 from t where k not in (select k from u)");
  assert.deepEqual(rows("select k from u"), [[2], [3], [11]]);

  refused(
    "select k from t where k = (select k from u)",
    /has at most one row; this one has 3: add a condition or limit 1/,
  );
  refused("select k from t where k in (select k, k from u)", /has one column; this one has 2/);
});

test("the value of a query in order by is not the number of a field", () => {
  execute("insert into t (k, x) values (1, 'b'), (2, 'a')");
  for (const value of ["(select 2)", "(select 2.0)", "(select max(k) from t)", "(select 9)"]) {
    assert.deepEqual(rows(`select k, x from t order by ${value}, k`), [
      [1, "b"],
      [2, "a"],
    ]);
  }
  assert.deepEqual(rows("select k, x from t order by 2"), [
    [2, "a"],
    [1, "b"],
  ]);
});

test("the case of a table's name matters, but not that of a column or a keyword", () => {
  execute("insert into t (k) values (1)");
  refused("select k from T", /there is no T in the database d/);
  refused("insert into T (k) values (2)", /there is no T/);
  execute("create table T (k number)");
  assert.deepEqual(rows("SELECT K FROM t"), [[1]]);
  assert.deepEqual(rows("select k from T"), []);
});

test("group_concat makes a text of at most 16 MiB", () => {
  execute("create table long (s text)");
  const bytes = 2 ** 20;
  for (let i = 0; i < 16; i++) execute(`insert into long values ('${"a".repeat(bytes)}')`);
  assert.deepEqual(rows("select length(group_concat(s, '')) from long"), [[16 * bytes]]);
  refused("select group_concat(s) from long", /group_concat would make more than 16777216 bytes/);
  refused("insert into long select group_concat(s) from long", /group_concat would make more/);
});

test("Malagasy statements have only the functions that they had", () => {
  for (const name of ["total", "group_concat"]) {
    refused(`alaivo ${name}(k) #ao@ t`, new RegExp(`Function '${name}' ne peut pas`));
    refused(`alaivo k, ${name}(k) #ao@ t #vondrona (k)`, new RegExp(`dans GROUP BY: ${name}`));
  }
});

test("a column has the text of a query as its name", () => {
  execute("create table one (k number)");
  const outcome = outcomeOfReply(sql("select (select  1), 1 in (select 1), 1 not in one"));
  assert.deepEqual(outcome.kind === "rows" ? outcome.columns : outcome, [
    { name: "(select  1)", origin: null },
    { name: "1 in (select 1)", origin: null },
    { name: "1 not in one", origin: null },
  ]);
});

test("queries in expressions require the rights to their tables", () => {
  const read = (statement: string) =>
    touchesOf((commandTable.resolve(["SQL", "d", statement]) as Command).keys, ["SQL", "d", statement]).map(
      ({ key }) => key,
    );
  for (const statement of [
    "select 1 where 1 in (select k from secret)",
    "select 1 in secret",
    "delete from t where k not in secret",
    "select (select max(k) from secret)",
    "select 1 from (select 1 a) x join (select 2 b) y on a = (select k from secret)",
    "select 1 group by 1 having 1 = (select k from secret) order by 1",
    "select case when 1 = coalesce(1, (select k from secret)) then 1 end",
    "select 1 where 1 in (select 2 where 2 in (select k from secret))",
    "select 1 union select (select k from secret)",
    "create view v as select (select k from secret)",
    "insert into t (k) select (select k from secret)",
    "insert into t (k) values (1), ((select k from secret))",
    "update t set k = 1, x = (select k from secret)",
    "update t set k = 1 where exists (select 1 from t where k in (select k from secret))",
    "delete from t where not exists (select 1 from secret)",
    "select 1 where exists (select 1 from t where exists (select 1 from secret where secret.k = t.k))",
  ])
    assert.ok(read(statement).includes("sql:d:secret"), statement);
});

test("no name contains a ':', so no database contains the tables of another database", () => {
  call("HSET", "sql:d:t2", "database", "1");
  for (const statement of ["create table u (k number)", "show tables", "select 1", "drop database d"])
    assert.match(shown(call("SQL", "d:t2", statement)), /there is no database d:t2/, statement);
  for (const command of ["COPY", "RENAME", "RENAMENX"])
    assert.match(shown(call(command, "sql:d:t", "sql:d:t:t")), /^-"ERR a table cannot be in/, command);
  assert.match(shown(sql("show tables")), /"rows" \[\["t"\]\]/);
  assert.doesNotMatch(shown(sql("show databases")), /t2/);
  execute("drop database d");
  const keys = database.keyspaces[0]?.entries.map(({ key }) => key).sort();
  assert.deepEqual(keys, ["sql:d:t2"]);
});

test("undo records of an insert do not keep the table in memory", () => {
  execute(`insert into t (k) values ${Array.from({ length: 1000 }, (_, i) => `(${i})`).join(",")}`);
  const before = canonicalState(database);
  records = [];
  execute("insert into t (k) values (1000)", "update t set x = 'a' where k = 5", "delete from t where k = 7");
  assert.deepEqual(records.map(rowsKept), [0, 1, 1]);
  database.undo(records);
  assert.deepEqual(canonicalState(database), before);
});

function rowsKept(record: UndoRecord): number {
  if (record.mutator === "writer") return record.before === null ? 0 : rowsKept(record.before);
  if (record.mutator !== "value") return Infinity;
  return typeof record.old === "number" ? 0 : (record.old as NumberedRows).rows.length;
}

test("a statement that only reads counts as SQL_RO in either command, so it is not recorded", () => {
  const row = (statement: string) => commandTable.resolve(["SQL", "d", statement]) as Command;
  for (const statement of ["select 1", "ALAIVO 1", "show tables", "describe t", "use d", "no statement"]) {
    assert.equal(row(statement).name, "SQL_RO", statement);
    assert.equal(mayChange({ commands: [["sql", "d", statement]] }), false);
  }
  for (const statement of ["insert into t (k) values (1)", "drop table t", "create database e"]) {
    assert.equal(row(statement).name, "SQL", statement);
    assert.equal(mayChange({ commands: [["sql", "d", statement]] }), true);
  }
  assert.match(shown(call("SQL_RO", "d", "drop table t")), /change nothing/);
});

test("the rules of a key apply to the tables that a statement names", () => {
  const may = (rules: string, statement: string) => {
    const argv = ["SQL", "d", statement];
    return (
      new Acl(rules.split(" "), { all: () => commands, find: findCommand }).denial(
        commandTable.resolve(argv) as Command,
        argv,
      ) === null
    );
  };

  const all = "+@sql ~sql:d ~sql:d:*";
  for (const statement of [
    "select * from t",
    "insert into t select * from v",
    "create table u (k number)",
    "drop database d",
  ])
    assert.ok(may(all, statement), statement);

  assert.ok(!may(all, "create database e"));
  assert.ok(!may(all, "show databases"));
  assert.ok(may("+@read ~sql:d:t ~sql:d", "select * from t"));
  assert.ok(!may("+@read ~sql:d:t ~sql:d", "insert into t (k) values (1)"));
  assert.ok(!may("+@read ~sql:d:t ~sql:d", "select * from t join u on 1 = 1"));
  assert.ok(!may("+@all %R~sql:d:*", "update t set k = 1"));
  assert.ok(may("+@all ~sql:d:t", "delete from t"));
});

test("dropping a database requires permission to change all its possible tables", () => {
  const denial = (rules: string) => {
    const argv = ["SQL", "", "drop database d"];
    const acl = new Acl(rules.split(" "), { all: () => commands, find: findCommand });
    return acl.denial(commandTable.resolve(argv) as Command, argv);
  };

  for (const rules of [
    "~*",
    "~sql:*",
    "~sql:d*",
    "~sql:d ~sql:d:*",
    "%W~sql:d %W~s?l:[d]:*",
    "~sql:d ~*:*",
    "(+@all ~sql:d ~sql:d:*)",
  ])
    assert.equal(denial(`+@all ${rules}`), null, rules);

  const refused = "run 'sql': it may write all keys that begin with 'sql:d:', and no rule allows that";
  for (const rules of [
    "~sql:d",
    "~sql:d ~sql:d:t",
    "~sql:d ~sql:d:t*",
    "~sql:d ~sql:dd:*",
    "~sql:d ~sql:?:?*",
    "~sql:d ~sql:d:\\*",
    "~sql:d %R~sql:d:*",
    "~sql:d ~sql:d:**t",
    "~sql:[d*",
    "~sql:d ~sql:d[:*",
    "~sql:d ~sql:d[^x*",
  ])
    assert.equal(denial(`+@all ${rules}`), refused, rules);

  assert.match(denial("+@all ~sql:d:*") ?? "", /^write key 'sql:d'/);
});

test("a statement writes rows only to the key that it names", () => {
  const touched = (statement: string) =>
    touchesOf((commandTable.resolve(["SQL", "d", statement]) as Command).keys, ["SQL", "d", statement]).map(
      ({ key, access }) => `${access} ${key}`,
    );
  assert.deepEqual(touched("insert into t (k) values (1)"), ["write sql:d:t"]);
  assert.deepEqual(touched("update t set k = 1"), ["write sql:d:t"]);
  assert.deepEqual(touched("create table t (k c)"), ["read sql:d", "write sql:d:t"]);
  assert.deepEqual(touched("drop database d"), ["write null", "write sql:d"]);
  assert.deepEqual(touched("drop table t"), ["write sql:d:t"]);
  assert.deepEqual(touched("drop table if exists t"), ["read sql:d", "write sql:d:t"]);
  assert.deepEqual(touched("drop view if exists v"), ["write sql:d", "read sql:d:v"]);
  assert.deepEqual(touched("select 1"), []);
  assert.deepEqual(touched("select * from t"), ["read null", "read sql:d", "read sql:d:t"]);
});

test("a column that is not null rejects null, and a default applies if an insert does not name the column", () => {
  execute(
    "create table p (k number default 7 not null, s text(0,3) unique default 'é''', n number default null)",
    "insert into p (n) values (1)",
    "insert into p (k, s) values (1, 'a'), (2, null)",
    "insert into p (k, s) select 3, 'b' from p where k = 1",
  );

  assert.deepEqual(rows("select * from p order by k"), [
    [1, "a", null],
    [2, null, null],
    [3, "b", null],
    [7, "é'", 1],
  ]);

  const required = /^-"ERR k is not null: it needs a value/;
  refused("insert into p values (8, 'c', 1), (null, 'd', 1)", required);
  refused("update p set k = null where k = 2", required);
  refused("insert into p (k) select null from p", required);
  refused("insert into p (n) values (2)", /there is already a row whose s is/);
  refused("create table q (s text(0,1) default 'ab')", /column s takes/);

  assert.deepEqual(rows("describe p"), [
    ["k", "number(null,null)", "not null default 7"],
    ["s", "text(0,3)", "unique default 'é\\''"],
    ["n", "number(null,null)", null],
  ]);
});

const digestOf = (other: Database) => {
  for (const entry of other.keyspaces[0]?.entries ?? [])
    if (entry.key === "sql:d:t") return digestOfEntry(0, entry, 0);
  return null;
};

test("the state includes not null and defaults of columns", () => {
  const states = ["", " not null", " default 1", " default 2", " default '1'", " not null default 1"].map(
    (words) => {
      const other = new Database();
      for (const text of ["create database d", `create table t (k number:text${words})`])
        other.execute(["SQL", "d", text], { at: 1_000_000, db: 0, id: "unit" });
      return JSON.stringify([canonicalState(other), digestOf(other)]);
    },
  );
  assert.equal(new Set(states).size, states.length);
});

test("in, between and like handle unknown values, and like handles escapes", () => {
  const value = (text: string, ...bound: readonly string[]) =>
    (rows(`select ${text}`, ...bound) as unknown[][])[0]?.[0];

  const truths: readonly (readonly [string, boolean | null])[] = [
    ["null in ()", false],
    ["1 not in ()", true],
    ["1 in (2, null)", null],
    ["1 in (1, null)", true],
    ["1 in ('1', 'a')", true],
    ["'1' in (1)", true],
    ["'01' in (1)", true],
    ["'01' in ('1')", false],
    ["'1 kg' in (1)", false],
    ["2 between null and 1", false],
    ["2 between null and 3", null],
    ["2 not between 3 and null", true],
    ["'Lamp' like 'l_M%'", true],
    ["'É' like 'é'", false],
    ["'é' like '_'", true],
    ["'éa' like '%_a'", true],
    ["'a' like '%_a'", false],
    ["'50%' like '50!%' escape '!'", true],
    ["'50x' like '50!%' escape '!'", false],
    ["'a' like 'a!' escape '!'", false],
    ["'a' like null", null],
    ["12.5 like '12%'", true],
    ["'' like '%'", true],
    ["'ab' not like 'a'", true],
  ];

  for (const [text, expected] of truths) assert.equal(value(text), expected, text);
  assert.equal(value("'x' like ? escape ?", "!x", "!"), true);
  refused("select 'a' like 'a' escape 'ab'", /escape takes one character, not ab/);
  refused("select 'a' like 'a' escape ''", /escape takes one character/);
});

test("an index finds the rows of a list of values, in order and each once", () => {
  execute("create table n (k number, s text:number)");
  const values = Array.from(
    { length: 60 },
    (_, i) => `(${(i * 7) % 20}, ${i % 3 === 0 ? "null" : i % 3 === 1 ? `'${i % 5}'` : i % 5})`,
  );
  execute(`insert into n values ${values.join(", ")}`);

  const lists = ["1", "3, 1, 3, 2", "null, 5", "'4', 4, 'x'", "19, -1, 1e9", "2, 40, ''"];
  for (const column of ["k", "s"])
    for (const list of lists) {
      const either = list
        .split(", ")
        .map((value) => `${column} = ${value}`)
        .join(" or ");
      const matches = rows(`select * from n where ${column} in (${list})`);
      assert.deepEqual(matches, rows(`select * from n where ${either}`), `${column} in (${list})`);
      assert.deepEqual(
        rows(`select * from n where k >= 0 and ${column} in (${list}) and not k is null`),
        matches,
      );
    }

  assert.equal(shown(sql("update n set k = 100 where k in (1, 2, 2)")), ":6");
  assert.equal(shown(sql("delete from n where k in (?, ?) and s is null", "100", "3")), ":3");
  assert.deepEqual(rows("select count(*) from n where k in (1, 2)"), [[0]]);
});

test("a condition of two tables that contains a list is checked with the columns of both", () => {
  execute("insert into t (k) values (1), (2), (3)");
  const text = "select x.k, y.k from t x join t y on x.k <> y.k where x.k in (1) or y.k = 9 order by 2";
  assert.deepEqual(rows(text), [
    [1, 2],
    [1, 3],
  ]);
});

test("a like that would take seconds is rejected", () => {
  execute("create table l (s text)");
  const text = "a".repeat(10_000);
  for (let i = 0; i < 20; i++) execute(`insert into l values ('${text}')`);
  refused(
    `select count(*) from l where s like '%${"a".repeat(500)}b'`,
    /like needs more than 20000000 steps/,
  );
  assert.deepEqual(rows("select count(*) from l where s like '%a%a%a%'"), [[20]]);
});

test("numbers are rounded half away from zero, according to their decimal digits", () => {
  const of = (text: string) => (rows(`select round(${text})`) as unknown[][])[0]?.[0];
  const rounded: readonly (readonly [string, number | null])[] = [
    ["2.5", 3],
    ["-2.5", -3],
    ["-0.4", 0],
    ["2.675, 2", 2.68],
    ["1.005, 2", 1.01],
    ["-1.005, 2", -1.01],
    ["1234.5678, 1.9", 1234.6],
    ["1.5, -3", 2],
    ["1e20, 3", 1e20],
    ["'2.5x'", 3],
    ["null", null],
    ["1, null", null],
    ["5e-324, 30", 0],
    ["0.1, 30", 0.1],
  ];
  for (const [text, expected] of rounded) assert.equal(of(text), expected, text);
});

test("a number that is too large for a cell is refused, wherever it is calculated", () => {
  execute("create table e (k number)", "insert into e values (1)");
  const digits = "9".repeat(400);
  for (const value of [
    "-'1e999'",
    `-'${digits}'`,
    "cast('-1e999' as number)",
    `cast('${digits}' as integer)`,
    "abs('1e999')",
    "round('-1e999')",
    "round('1e999', 2)",
    "'1e999' + 0",
    "-'-1e999'",
  ]) {
    refused(`insert into e values (${value})`, /a number becomes too large/);
    refused(`insert into e (k) select ${value}`, /a number becomes too large/);
    refused(`update e set k = ${value}`, /a number becomes too large/);
    refused(`select ${value}`, /a number becomes too large/);
    refused(`select k from e where ${value} > 0`, /a number becomes too large/);
  }

  assert.deepEqual(rows("select k from e where '1e999'"), [[1]]);
  assert.equal(fits([{ kind: "number", min: null, max: null }], Number.POSITIVE_INFINITY), false);
});

test("t.* selects the columns of one table, and an unknown name is an error", () => {
  execute("create table a (k number, v number)", "create table b (k number, w number)");
  execute("insert into a values (1, 2), (3, 4)", "insert into b values (1, 5)");
  assert.deepEqual(rows("select b.*, a.v from a, b where a.k = b.k"), [[1, 5, 2]]);
  assert.deepEqual(rows("select X.*, * from a x cross join b order by 1 desc limit 1"), [[3, 4, 3, 4, 1, 5]]);
  assert.deepEqual(rows("select b.*, 1 from a left outer join b on a.k = b.k order by a.k"), [
    [1, 5, 1],
    [null, null, 1],
  ]);
  refused("select c.* from a, b", /no table of the query has the name c/);
  refused("select a.* from a x", /no table of the query has the name a/);
  refused("select a.*, count(*) from a group by k", /the column 'v' must be in group by/);
});

test("a join that would exhaust the memory is rejected", () => {
  execute("create table big (n number)");
  const many = Array.from({ length: 1500 }, (_, i) => `(${i})`).join(",");
  execute(`insert into big values ${many}`);
  // Both kinds of join count their pairs in the same place.
  for (const joined of some(["left join big b on a.n < b.n", "join big b"]))
    refused(`select * from big a ${joined}`, /more than 1000000 rows/);
  assert.deepEqual(rows("select count(*) from big a join big b on a.n = b.n"), [[1500]]);
});

test("views of views can neither block other clients for long nor exhaust the memory", () => {
  const names = ["s", "b", "c", "e", "f", "g", "h", "i", "j", "l"];
  execute(
    "insert into t (k) values (1)",
    "create view x0 as select k from t",
    "create view w0 as select * from t",
  );

  for (const [i, n] of [1, 2].entries()) {
    const joins = names.map((name) => `join w${i} ${name} on 1 = 1`).join(" ");
    execute(`create view w${n} as select * from w${i} a ${joins}`);
  }
  refused("select * from w2 a join w2 b on 1 = 1 join w2 c on 1 = 1", /more than 1000 columns/);

  execute(`create view x1 as ${Array(30).fill("select k from x0").join(" union ")}`);
  execute(`create view x2 as ${Array(30).fill("select k from x1").join(" union ")}`);
  refused(
    `create view x3 as ${Array(30).fill("select k from x2").join(" union ")}`,
    /more than 20000000 rows would have to be checked/,
  );

  execute("create table r (n number)");
  execute(`insert into r values ${Array.from({ length: 900 }, (_, n) => `(${n})`).join(",")}`);
  refused("select * from r join w2 on 1 = 1 join r y on 1 = 1", /more than \d+ rows would have to be joined/);

  execute("create domain c0 (date:date:date:date:date:date:date:date:date:date)");
  refused(`create domain c1 (${Array(11).fill("c0").join(":")})`, /more than 100 types/);
});
