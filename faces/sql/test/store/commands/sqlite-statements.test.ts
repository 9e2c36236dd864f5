/**
 * Tests that lists of English statements have the same answers as in SQLite, also in the order of rows: features for
 * which the random statements of sqlite.test.ts have no grammar. A refusal here must be one there.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Database } from "../../../../../daemon/store/database.js";
import { bytesOfText } from "../../../../../protocol/byte-string.js";
import { answersOfSqlite, type Rows } from "./sqlite-answers.js";
import { outcomeOfReply } from "./transcript.js";

const TABLES = [
  "create table a (k number, s text)",
  "create table b (k number, s text)",
  "create table e (k number)",
  "insert into a values (1,'x'),(2,'y'),(2,null),(3,'z'),(null,'x')",
  "insert into b values (4,'p'),(2,'q'),(3,'r'),(null,'x'),(2,'s')",
  "create view v as select k from b",
];

const LISTS: Readonly<Record<string, readonly string[]>> = {
  "if exists and if not exists": [
    "create table if not exists a (z number)",
    "create table if not exists v (z number)",
    "create view if not exists a as select 1 x",
    "create view if not exists v as select k from absent",
    "create table if not exists n (k number)",
    "create view if not exists w as select k from n",
    "select * from w",
    "drop view if exists a",
    "drop table if exists v",
    "drop table if exists absent",
    "drop view if exists absent",
    "drop view if exists w",
    "drop table if exists n",
    "select * from n",
    "select k from a",
  ],
  nullif: [
    "select nullif(1, 1), nullif(1, 2), nullif(null, 1), nullif(1, null), nullif('a', 'a'), nullif('a', 'A')",
    "select k, nullif(k, 2), nullif(s, 'x') from a",
    "select count(nullif(k, 2)), coalesce(nullif(k, 2), 9) c from a group by c order by c",
    "select sum(k) / nullif(count(s) - 4, 0) from a",
    "select nullif(1)",
    "select nullif(1, 2, 3)",
  ],
  "expressions that begin with parentheses": [
    "select (k) is null n, count(*) from a group by (k) is null order by n",
    "select (k) in (1, 2) n, count(*) from a group by (k) in (1, 2) order by n",
    "select (k) not between 2 and 3 n, count(*) from a group by (k) not between 2 and 3, (s) order by n, s",
    "select count(*) c from a group by (s) like 'x' order by c",
    "select count(*) c from a group by (k) = 2 and (s) is not null order by c",
    "select count(*) c from a group by (k) + 1, (s) order by c",
    "select count(*) c from a group by (select max(k), 1 from b) order by c",
    "select count(*) c from a group by (select max(k) from b) is null, (k) is null order by c",
    "select count(*) c from a group by (coalesce(k, 0)) > 1 order by c",
    "select s, count(*) c from a group by s having (count(*)) in (1, 2) and (s) is not null order by s",
    "select k from a order by (k) is null, (k) between 2 and 3, (k)",
    "select (k) is null, (s) like 'x', (k) in (2), (k) > 1 and (s) is null from a where (k) is not null or (s) = 'x'",
    "insert into e values ((1) + 1), (case when (3) is null then 1 else 2 end), ((3) - 1)",
    "select (k) is null from a group by (k) is",
    "select k from e order by (k)",
    "delete from e",
  ],
  total: [
    "select total(k), total(k * 2), total(distinct k), sum(k) from a",
    "select total(k), sum(k) from e",
    "select total(null)",
    "select s, total(k) from b group by s having total(k) > 2 order by total(k) desc",
    "select total(k) from a where k > 9",
    "select total(k, 1) from a",
    "select total(*) from a",
  ],
  group_concat: [
    "select group_concat(s) from a",
    "select group_concat(s, '; ') from a",
    "select group_concat(s, '') from a",
    "select group_concat(s, null) from a",
    "select group_concat(s, s) from b",
    "select GROUP_CONCAT(distinct s) from a",
    "select group_concat(distinct s, '-') from a",
    "select group_concat(upper(s), lower(s)) from b",
    "select group_concat(k is null) from b",
    "select group_concat(s) from e join a on e.k = a.k",
    "select group_concat(null)",
    "select group_concat('') from a",
    "select k, group_concat(s, '+') t from b group by k having group_concat(s, '+') like '%+%'",
    "select length(group_concat(s)) from b",
    "select group_concat() from a",
    "select group_concat(*) from a",
    "select group_concat(s, '-', '+') from a",
    "select (select group_concat(b.s, a.s) from b where b.k = a.k) from a",
  ],
  "in a table": [
    "select 1 in e, 2 in v, 2 not in v, null in e, null in v, 7 in v",
    "select k from a where k in v",
    "select k from a where k not in v",
    "select k from a where k in e or s in (select s from b)",
    "select k from a where not k in v and 1 in (1)",
    "select k from a where k in b",
    "select k from a where k in absent",
    "delete from a where k in v",
    "select k from a",
  ],
  indexes: [
    "create index i on a (k)",
    "create index i on b (k)",
    "create index if not exists i on b (k desc, s asc)",
    "create index j on absent (k)",
    "create index j on a (absent)",
    "create unique index j on a (k)",
    "create unique index j on b (k, s)",
    "insert into b values (2,'q')",
    "insert into b values (2,'t'), (2,null), (2,null), (null,'x')",
    "update b set s = 'q' where s = 't'",
    "update b set k = k + 1",
    "insert into b values (3,'s')",
    "drop index j",
    "insert into b values (3,'s')",
    "create unique index if not exists j on b (k, s)",
    "select k, s from b",
    "drop index j",
    "drop index if exists j",
    "drop table a",
    "drop index i",
    "create unique index i on e (k)",
    "insert into e values (1), (null), (null)",
    "insert into e values (2), (1)",
    "select k from e",
  ],
  "insert or replace, insert or ignore": [
    "create table p (k number unique, s text not null default 'd', n number unique)",
    "insert into p values (1,'a',10), (2,'b',20), (3,'c',30)",
    "replace into p values (2,'new',21)",
    "insert or replace into p values (1,'two',30)",
    "select * from p",
    "INSERT OR REPLACE INTO p values (5,'x',5), (6,'y',5), (5,'z',7), (6,'u',6)",
    "select * from p",
    "replace into p (k, s) values (7,null), (7,'v'), (null,'w'), (null,'w')",
    "select * from p",
    "insert or ignore into p values (7,'no',1), (8,'yes',70), (9,'no',70), (10,null,1), (8,'no',2)",
    "insert or ignore into p (k) select k from b",
    "select * from p",
    "create unique index i on p (s, n)",
    "replace into p values (11,'yes',70)",
    "insert or ignore into p values (12,'yes',70)",
    "select * from p",
    "replace into p (k, s) select k, s from b",
    "select * from p",
    "replace into e values (1), (1)",
    "insert or ignore into e values (1)",
    "select * from e",
    "replace into absent values (1)",
    "create table r (s text not null, n number unique)",
    "replace into r values (null,1), ('a',1)",
    "insert or ignore into r values (null,1), ('a',1)",
    "select * from r",
  ],
  "the order of outer joins": [
    "select a.k, a.s, b.s from a left join b on a.k = b.k",
    "select a.k, b.k, b.s from a full join b on a.k = b.k",
    "select a.k, b.k, b.s from a right join b on a.k = b.k",
    "select a.k, b.s from a left join b on a.k < b.k",
    "select a.k, b.s from a left join b on a.k = b.k and b.s > 'q'",
    "select a.k, b.s from a full join b on a.k = b.k + 1",
    "select a.k, b.s, e.k from a left join b on a.k = b.k left join e on e.k = b.k",
    "select a.k, c.s from a left join b on a.k = b.k left join a c on c.k = b.k + 1",
    "select a.k, b.s from a left join b on a.k = b.k limit 3",
    "select a.k, b.s from a left join b on a.k = b.k where a.k is null or b.s is null",
  ],
};

const plain = (value: unknown) => (typeof value === "boolean" ? Number(value) : value);

/** Runs statements on this server. @returns rows, null for a change, or the text of an error */
function answersHere(statements: readonly string[]): (Rows | string | null)[] {
  const database = new Database();
  const execute = (statement: string) =>
    database.execute(["SQL", "d", bytesOfText(statement)], { at: 1_000_000, db: 0, id: "unit" });
  execute("create database d");
  return statements.map((statement) => {
    const outcome = outcomeOfReply(execute(statement));
    if (outcome.kind === "error") return outcome.text;
    return outcome.kind === "rows" ? (outcome.rows as Rows).map((row) => row.map(plain)) : null;
  });
}

for (const [feature, list] of Object.entries(LISTS))
  test(`${feature}: statements have the answers of SQLite`, (context) => {
    const statements = [...TABLES, ...list];
    const answers = answersOfSqlite([statements.map((each) => each.replaceAll(" number", " real"))])?.[0];
    if (answers === undefined) return context.skip("no python3 with SQLite 3.39 or later");
    for (const [i, here] of answersHere(statements).entries()) {
      const where: string = `${statements[i]}: ${JSON.stringify(here)} here, ${JSON.stringify(answers[i])} in SQLite`;
      if (typeof here === "string") assert.equal(typeof answers[i], "string", where);
      else assert.deepEqual(answers[i], here ?? [], where);
    }
  });
