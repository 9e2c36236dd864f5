/**
 * Tests names and texts in any script, keys of a database that another client has written, and statements that would
 * produce too much.
 */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Database } from "../../../../../daemon/store/database.js";
import { bytesOfText } from "../../../../../protocol/byte-string.js";
import { shown } from "../../../../../test/conformance/resp2-fold.js";
import { amount, isFull, skipUnlessFull } from "../../../../../test/support/amount.js";
import { bytesInUse } from "../../../../../test/support/garbage.js";
import { outcomeOfReply } from "./transcript.js";

let database: Database;
beforeEach(() => {
  database = new Database();
  execute("create database d");
});

const call = (...argv: readonly string[]) =>
  database.execute(argv.map(bytesOfText), { at: 1_000_000, db: 0, id: "unit" });
const sql = (statement: string) => call("SQL", "d", statement);
const execute = (...statements: readonly string[]) => {
  for (const statement of statements) assert.doesNotMatch(shown(sql(statement)), /^-/, statement);
};
const rows = (statement: string) => {
  const outcome = outcomeOfReply(sql(statement));
  return outcome.kind === "rows" ? outcome.rows : outcome;
};

test("a view may end with a letter whose last byte would be a space", () => {
  execute("create table voilà (k number)", "insert into voilà values (1)");
  execute("create view v as select * from voilà");
  assert.deepEqual(rows("select * from v"), [[1]]);
});

test("whether a name is valid does not depend on the version of Unicode", () => {
  // The third is a letter of Unicode 16, and the last is not a letter in any version.
  for (const name of ["é", "名", "𐵀", "\u{e01ef}"]) execute(`create table ${name} (k number)`);
  for (const name of ["a\u00a0b", "a→b", "a\u2028b", "a\u3000b", "\ufeffa", "a\u0085b"])
    assert.match(shown(sql(`create table ${name} (k number)`)), /a name of letters/, JSON.stringify(name));
  // \xff is not valid UTF-8.
  const { kind } = database.execute(["SQL", "d", "create table a\xff (k number)"], { at: 1, db: 0, id: "u" });
  assert.equal(kind, "error");
});

test("a stored domain that would change if it were written again is rejected", () => {
  const texts = ['[["number",null,-1e999]]', '[["text",1e999,null]]', '[["enumeration","\\u4e2d"]]'];
  for (const text of texts) {
    call("HSET", "sql:d", "domain c", text);
    assert.match(shown(sql("create table t (k c)")), /invalid definition/, text);
  }
  call("HSET", "sql:d", "domain c", '[["number",-0,0]]');
  execute("create table t (k c)");
  assert.match(shown(sql("insert into t values (1)")), /min:0.0,max:0.0/);
});

test("a statement with too many columns or values is rejected before they are created", () => {
  const list = (count: number, each: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => each(i)).join();
  const refused = (statement: string, text: RegExp) => assert.match(shown(sql(statement)), text);

  refused(`create table t (${list(1001, (i) => `c${i} number`)})`, /more than 1000 columns/);
  refused(`select ${list(1001, () => "1")}`, /more than 1000 columns/);
  execute(`create table t (${list(1000, (i) => `c${i} number`)})`);
  refused(`insert into t (${list(1001, () => "c1")}) values (1)`, /more than 1000 columns/);
  refused(`update t set ${list(1001, () => "c1 = 1")}`, /more than 1000 columns/);
  refused(`select c1 from t order by ${list(1001, () => "c1")}`, /more than 1000 columns/);
  refused(`insert into t (c1) values ${list(33_000, () => "(1)")}`, /more than 32000 rows/);

  execute("create table w (k number)", "insert into w values (1)", "insert into t (c1) values (1)");
  refused("select c1 from t natural join w", /more than 1000 columns/);
  refused("select c1 from w join t on c1 = k", /more than 1000 columns/);
  refused("select c1 from w, t", /more than 1000 columns/);

  execute("create table u (k number)", `insert into u values ${list(33_000, (i) => `(${i})`)}`);
  refused(`select ${list(1000, () => "k")} from u`, /more than 32000 rows/);
  if (isFull) refused(`select k, ${list(999, () => "k")} from u group by k`, /more than 32000 rows/);
});

test("the names of joins have a limited length", () => {
  execute("create table t (k number)");
  const joins = Array.from({ length: 31 }, (_, i) => `full join t t${i + 1} on t${i}.k = t${i + 1}.k`);
  assert.deepEqual(rows(`select t0.k from t t0 ${joins.join(" ")}`), []);
});

test("rows with texts that together exceed the length of a string can be stored and changed, but not combined", {
  skip: skipUnlessFull,
}, () => {
  const text = "x".repeat(60_000_000);
  const names = Array.from({ length: 9 }, (_, i) => `c${i}`);
  execute(`create table t (${names.map((name) => `${name} text`).join()})`);
  const insert = `insert into t values (${names.map(() => "?").join()})`;
  assert.equal(shown(call("SQL", "d", insert, ...names.map(() => text))), ":1");
  assert.match(shown(sql("select * from t except select * from t")), /texts would exceed/);
  assert.equal(shown(sql("update t set c0 = 'y'")), ":1");
  assert.deepEqual(rows("select c0 from t where c1 != 'x'"), [["y"]]);
});

test("a long domain counts each time that a definition names it", () => {
  execute(`create domain a (enum('${"x".repeat(3_000_000)}'))`);
  assert.match(shown(sql(`create domain b (${Array(50).fill("a").join(":")})`)), /would have to be checked/);
  execute("create domain b (a:a:a)", "create table t (k b, l b)");
  assert.match(shown(sql("create table u (k b, l b, m b)")), /would have to be checked/);
});

test("the cost of parsing a long view counts each time that a query names the view", () => {
  execute(`create view v as select 1 as k union select 1 where '${"x".repeat(3_000_000)}' = ''`);
  assert.match(
    shown(sql(`select 1 from ${Array.from({ length: 8 }, (_, i) => `v v${i}`).join(" join ")}`)),
    /would have to be checked/,
  );
});

/** Rows whose complete statements would take more memory than the test allows. */
const ROWS = amount(8, 20);

test("a row keeps its texts, but not its complete statement, in memory", async () => {
  execute("create table t (k text(0,100))");
  const before = bytesInUse();
  for (let i = 0; i < ROWS; i++)
    execute(`insert into t values ('a text that is kept ${i}')${" ".repeat(3_000_000)}`);
  // The latest statement is cached until the end of the turn.
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(bytesInUse() - before < 20_000_000);
  assert.equal((rows("select * from t") as unknown[]).length, ROWS);
});
