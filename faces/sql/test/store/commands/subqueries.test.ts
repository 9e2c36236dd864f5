/** Tests of queries in expressions. DBSYNC_SEED replays a run. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Database } from "../../../../../daemon/store/database.js";
import { bytesOfText } from "../../../../../protocol/byte-string.js";
import { SteppedReply } from "../../../../../protocol/lazy-replies.js";
import { amount } from "../../../../../test/support/amount.js";
import { SeededRandom, seedOfRun } from "../../../../../test/support/seeded-random.js";
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
  for (let run = 0; run < amount(25, 700); run++) {
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

const refused = (statement: string, text: RegExp) => {
  const result = outcome(statement);
  assert.match(
    result.kind === "error" ? result.text : `not an error: ${JSON.stringify(result)}`,
    text,
    statement,
  );
};

test("a query that names columns of the query around it is executed for each row", () => {
  execute(
    "create table t (k number, v number)",
    "create table u (k number, v number)",
    "insert into t values (1, 1), (2, 2), (3, null), (4, 1)",
    "insert into u values (1, 10), (1, 11), (2, 20), (null, 5)",
  );
  const ofRow = "u where u.k = t.k";
  assert.deepEqual(rows(`select k from t where exists (select * from ${ofRow})`), [[1], [2]]);
  assert.deepEqual(rows(`select k from t where not exists (select 1 from ${ofRow}) and k < 4`), [[3]]);
  assert.deepEqual(rows(`select T.k, (select max(v) from ${ofRow}) m from t`), [
    [1, 11],
    [2, 20],
    [3, null],
    [4, null],
  ]);
  assert.deepEqual(rows(`select * from t order by (select max(v) from ${ofRow}) desc, k desc`), [
    [2, 2],
    [1, 1],
    [4, 1],
    [3, null],
  ]);
  assert.deepEqual(rows("select k, v in (select u.k from u where u.v > t.k + 9) x from t"), [
    [1, true],
    [2, true],
    [3, null],
    [4, false],
  ]);

  // Two levels: `x` names a row of the outermost query.
  const inner = "select 1 from t y where y.k = u.k and y.v = x.v";
  assert.deepEqual(rows(`select k from t x where exists (select 1 from u where exists (${inner}))`), [
    [1],
    [2],
    [4],
  ]);
  assert.deepEqual(
    rows("select x.k from t x natural join t y where exists (select 1 from u where u.k = x.k)"),
    [[1], [2]],
  );

  execute("create view w as select k from t where exists (select 1 from u where u.k = t.k)");
  assert.deepEqual(rows("select k from t where exists (select 1 from w where w.k = t.v) order by 1"), [
    [1],
    [2],
    [4],
  ]);
  refused(`select k from t where k = (select v from ${ofRow})`, /at most one row; this one has 2/);
  refused("select k from t where exists (select 1 from u where u.k = x.k)", /there is no column 'x\.k'/);
  refused(
    "select k from t where k < 0 and exists (select nothing from u where u.k = t.k)",
    /no column 'nothing'/,
  );
  refused(
    "select 1 from t join u on exists (select 1 where t.k = 1)",
    /query in on cannot name t\.k.*in where/,
  );
  refused(
    `select v, (select 1 from ${ofRow}) x from t group by v`,
    /query with groups cannot name t\.k.*write select x\.k/,
  );
  refused("select (select max(t.k) from u) from t", /max in a query needs a column of that query/);
  refused(
    "select 1 union select 2 order by (select 1)",
    /expected: a column in order by; write select … from/,
  );
});

test("the queries of a change read the rows as they were before it", () => {
  execute(
    "create table t (k number primary key, v number)",
    "insert into t values (1, 10), (2, 20), (3, 30)",
  );

  execute(
    "update t set v = (select sum(z.v) from t z where z.k <> t.k) where k in (select k from t where k < 3)",
  );
  assert.deepEqual(rows("select * from t"), [
    [1, 50],
    [2, 40],
    [3, 30],
  ]);

  execute("update t set k = (select min(k) from t) - k where exists (select 1 from t z where z.v < t.v)");
  assert.deepEqual(rows("select * from t order by k"), [
    [-1, 40],
    [0, 50],
    [3, 30],
  ]);

  execute("delete from t where v > (select min(v) from t)");
  const next = (distance: number) => `(select max(k) from t) + ${distance}`;
  execute(
    `insert into t values (${next(1)}, (select count(*) from t)), (${next(2)}, 1 + (select count(*) from t))`,
  );
  assert.deepEqual(rows("select * from t"), [
    [3, 30],
    [4, 1],
    [5, 2],
  ]);
  refused("insert into t values ((select k from t z where z.k = t.k), 1)", /there is no column 't\.k'/);
  refused("update t set v = (select v from t)", /at most one row; this one has 3/);
  refused("update t set k = (select 7)", /there is already a row whose k is 7/);
});

test("the rows of a query that is executed for each row count towards the limits of the statement", () => {
  execute("create table t (k number)", "create table u (k number)");
  execute(`insert into t values ${Array.from({ length: 2100 }, (_, i) => `(${i})`).join(", ")}`);
  // The length of the query counts, because it is planned for each row.
  const query = `select 1 from u where u.k = t.k${" ".repeat(40_000)}or u.k = 1`;
  refused(`delete from t where exists (${query})`, /more than 20000000 rows would have to be checked/);
  assert.deepEqual(rows("select count(*) from t"), [[2100]]);
  execute("update t set k = 1 where k > 1");
  // Rows with the same values share one result.
  execute(`delete from t where exists (${query})`);
  assert.deepEqual(rows("select count(*) from t"), [[2100]]);
});

/** Returns the bytes of working memory that a query reserves. */
function reservedFor(select: string): number {
  let bytes = 0;
  const memory = {
    take: (more: number) => {
      bytes += more;
    },
  };
  const unit = { at: 1_000_000, db: 0, id: "unit", takesSteps: true, memory };
  const reply = database.execute(["SQL", "d", bytesOfText(select)], unit);
  assert.ok(reply instanceof SteppedReply, JSON.stringify(reply));
  for (const _ of reply.steps());
  return bytes;
}

test("a query that is executed for each row reserves the memory of its largest execution", () => {
  const count = 300;
  const numbers = Array.from({ length: count }, (_, i) => `(${i})`).join(", ");
  for (const table of ["t", "u"])
    execute(`create table ${table} (k number)`, `insert into ${table} values ${numbers}`);
  for (const select of [
    "select k from u where u.k <> t.k order by k desc",
    "select x.k from (select k + 1 k from u where u.k <> t.k) x order by k",
    "select k from u where u.k not in (select z.k from u z where z.k <> t.k) order by k",
  ]) {
    const once = reservedFor(select.replace("t.k", "-1"));
    const each = reservedFor(`select count(*) from t where exists (${select})`);
    assert.ok(once > count && each < 10 * once, `${select}: ${each} bytes, once ${once}`);
  }
  // Results for further rows remain in memory.
  const values = (below: number) => `select z.k from u z where z.k <= t.k and z.k < ${below}`;
  const [few, many] = [10, count].map((below) => reservedFor(`select 0 in (${values(below)}) x from t`));
  assert.ok(few !== undefined && many !== undefined && many > 5 * few, `${few}, ${many} bytes`);
});
