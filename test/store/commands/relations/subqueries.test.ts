/** Tests of queries in expressions. DBSYNC_SEED replays a run. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { bytesOfText } from "../../../../protocol/byte-string.js";
import { Database } from "../../../../store/database.js";
import { amount } from "../../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";
import { outcomeOfReply } from "./transcript.js";

const seed = seedOfRun();
let database = new Database();

beforeEach(() => {
  database = new Database();
  execute("create database d");
});

function outcome(statement: string) {
  return outcomeOfReply(
    database.execute(["SQL", "d", bytesOfText(statement)], { at: 1_000_000, db: 0, id: "unit" }),
  );
}

function execute(...statements: readonly string[]): void {
  for (const statement of statements) {
    const result = outcome(statement);
    assert.notEqual(result.kind, "error", `${statement}: ${JSON.stringify(result)}`);
  }
}

function rows(statement: string): unknown {
  const result = outcome(statement);
  return result.kind === "rows" ? result.rows : assert.fail(`${statement}: ${JSON.stringify(result)}`);
}

const written = (value: number | string | null) => (typeof value === "string" ? `'${value}'` : String(value));

test(`in finds the values of a query as it finds those of a list (seed ${seed})`, () => {
  const random = new SeededRandom(seed, 0);
  execute("create table t (v number:text(0,9))", "create table u (v number:text(0,9))");
  const value = () =>
    random.oneOf([null, 0, 1, -1, 1.5, 2, 10, "", "1", "1.0", "01", "1.5", "-1", "x", "1e1"]);
  for (let run = 0; run < amount(200, 2000); run++) {
    execute("delete from t", "delete from u");
    const [some, list] = [random.between(1, 40), random.below(8)].map((length) =>
      Array.from({ length }, value),
    ) as [ReturnType<typeof value>[], ReturnType<typeof value>[]];
    execute(`insert into t values ${some.map((each) => `(${written(each)})`).join(", ")}`);
    if (list.length > 0)
      execute(`insert into u values ${list.map((each) => `(${written(each)})`).join(", ")}`);
    for (const operand of ["v", "v in (1, null)", written(value())])
      for (const not of ["", " not"]) {
        const values = `${operand}${not} in (${list.map(written).join(", ")})`;
        const query = `${operand}${not} in (select v from u)`;
        for (const select of [
          (test: string) => `v from t where ${test}`,
          (test: string) => `v, ${test} x from t`,
        ])
          assert.deepEqual(rows(`select ${select(query)}`), rows(`select ${select(values)}`), values);
      }
  }
});

test("two queries with the same values are one expression to group by", () => {
  execute("create table t (v number)", "insert into t values (1), (2), (3)");
  const grouped = (one: string, other: string) =>
    `select ${one} x, count(*) n from t group by ${other} order by 1`;
  assert.deepEqual(rows(grouped("v in (select 1)", "v in (select v from t where v < 2)")), [
    [false, 2],
    [true, 1],
  ]);
  const different = outcome(grouped("v in (select 1)", "v in (select 2)"));
  assert.match(different.kind === "error" ? different.text : "", /the column 'v' must be in group by/);
});
