/**
 * Tests that English statements have the same meaning as in SQLite, in everything that docs/sql.md describes as
 * standard. Runs random statements on the same tables in both. SQLite represents booleans as 1 and 0. The order of rows
 * matters only with ORDER BY. DBSYNC_SEED replays a run.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Database } from "../../../../../daemon/store/database.js";
import { bytesOfText } from "../../../../../protocol/byte-string.js";
import { amount } from "../../../../../test/support/amount.js";
import { SeededRandom, seedOfRun } from "../../../../../test/support/seeded-random.js";
import { SqlWriter } from "./sql-writer.js";
import { answersOfSqlite, type Rows } from "./sqlite-answers.js";
import { outcomeOfReply } from "./transcript.js";

const RUNS = amount(15, 80);
const STATEMENTS = 100;
const seed = seedOfRun();

/**
 * Rewrites a statement for SQLite. There, the type `number` would permit integers; `real` is always a double. And
 * before 3.44, the condition of an update may read rows that the same update has already changed: the rows are chosen
 * first.
 */
function forSqlite(statement: string): string {
  if (statement.startsWith("create table")) return statement.replaceAll(" number", " real");
  const table = /^update (\w+) /.exec(statement)?.[1];
  const at = table === undefined ? -1 : outerWhere(statement);
  if (at === -1) return statement;
  return `${statement.slice(0, at)} where rowid in (select rowid from ${table}${statement.slice(at)})`;
}

/** Returns the index of ` where ` outside of parentheses, or -1. */
function outerWhere(statement: string): number {
  let depth = 0;
  for (let i = 0; i < statement.length; i++) {
    if (statement[i] === "(") depth++;
    if (statement[i] === ")") depth--;
    if (depth === 0 && statement.startsWith(" where ", i)) return i;
  }
  return -1;
}

/** Rounds numbers, so that the order of additions does not matter. */
const plain = (value: unknown) =>
  typeof value === "boolean"
    ? Number(value)
    : typeof value === "number"
      ? Number(value.toPrecision(9)) + 0
      : value;
const comparable = (rows: Rows, isSorted: boolean) => {
  const texts = rows.map((row) => JSON.stringify(row.map(plain)));
  return isSorted ? texts : texts.toSorted();
};

test(`${RUNS * STATEMENTS} English statements have the same meaning as in SQLite (seed ${seed})`, (context) => {
  const runs = Array.from({ length: RUNS }, (_, run) => {
    const writer = new SqlWriter(new SeededRandom(seed, run));
    return [...writer.tables(), ...Array.from({ length: STATEMENTS }, () => writer.statement())];
  });

  const answers = answersOfSqlite(runs.map((statements) => statements.map(forSqlite)));
  if (answers === null) return context.skip("no python3 with SQLite 3.39 or later");
  let [rows, compared, refused] = [0, 0, 0];
  for (const [run, statements] of runs.entries()) {
    const database = new Database();
    const execute = (statement: string) =>
      database.execute(["SQL", "d", bytesOfText(statement)], { at: 1_000_000, db: 0, id: "unit" });
    execute("create database d");
    for (const [i, statement] of statements.entries()) {
      const where = `seed ${seed}, run ${run}, statement ${i}: ${statement}`;
      const theirs = answers[run]?.[i] as Rows | string;
      const ours = outcomeOfReply(execute(statement));

      if (typeof theirs === "string") {
        assert.match(theirs, /^NOT NULL constraint failed/, where);
        assert.match(ours.kind === "error" ? ours.text : ours.kind, /is not null: it needs a value/, where);
        refused++;
        continue;
      }
      if (ours.kind === "error") assert.fail(`${ours.text}: ${where}`);
      if (ours.kind !== "rows") continue;

      const isSorted = statement.includes("order by");
      assert.deepEqual(comparable(ours.rows as Rows, isSorted), comparable(theirs, isSorted), where);
      rows += theirs.length;
      compared++;
    }
  }

  assert.ok(rows > compared && compared > RUNS * 30, `${rows} rows of ${compared} queries`);
  assert.ok(refused > 0, "no statement was rejected");
});
