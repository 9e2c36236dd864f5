/**
 * Tests that unsupported features that SQL users try yield an error that names an alternative, in upper and lower
 * case.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOfText, textOfBytes } from "../../../protocol/byte-string.js";
import { mistakeFailure } from "../../../store/sql/messages.js";
import { SqlMistake } from "../../../store/sql/mistake.js";
import { parse } from "../../../store/sql/parse.js";
import { UNSUPPORTED } from "../../../store/sql/unsupported.js";

/** The statements that use an unsupported feature, by the name of the feature in the error. */
const TYPED: Readonly<Record<string, readonly string[]>> = {
  "alter table": ["alter table t add column x number"],
  rename: ["rename table t to u"],
  "a transaction": [
    "begin",
    "start transaction",
    "commit",
    "rollback to x",
    "savepoint x",
    "release x",
    "end",
  ],
  with: ["with x as (select 1) select * from x", "with recursive x as (select 1) select * from x"],
  "values as a statement": ["values (1), (2)"],
  truncate: ["truncate table t"],
  "replace into": ["replace into t values (1)", "upsert into t values (1)"],
  "insert or …": ["insert or replace into t values (1)", "insert ignore into t values (1)"],
  "insert without into": ["insert t values (1)"],
  "delete without from": ["delete t where k = 1"],
  merge: ["merge into t using u on t.k = u.k"],
  explain: ["explain select 1", "explain query plan select 1"],
  pragma: ["pragma table_info(t)"],
  desc: ["desc t"],
  "grant and revoke": ["grant select on t to ada", "revoke all on t from ada"],
  "comment on": ["comment on table t is 'x'"],
  maintenance: ["vacuum", "analyze t", "optimize table t"],
  attach: ["attach database 'f' as x"],
  locks: ["lock tables t write"],
  set: ["set names utf8"],
  procedures: ["call f()", "prepare x from 'select 1'", "declare c cursor for select 1"],
  copy: ["copy t from stdin", "load data infile 'f' into table t"],
  "create index": ["create index i on t (k)", "create fulltext index i on t (s)"],
  "create unique index": ["create unique index i on t (k)"],
  "drop index": ["drop index i"],
  "triggers and functions": ["create trigger x before insert on t begin end", "drop function f"],
  "create or replace": ["create or replace view v as select 1"],
  "temporary tables": ["create temp table t (k number)", "create temporary table t (k number)"],
  "materialized views": ["create materialized view v as select 1"],
  schemas: ["create schema x"],
  sequences: ["create sequence x"],
  users: ["create user x", "drop role x"],
  "if not exists": ["create table if not exists t (k number)", "create database if not exists d"],
  "if exists": ["drop table if exists t", "drop view if exists v"],
  "create table as": ["create table t as select 1"],
  "default of a calculated value": [
    "create table t (k date default current_date)",
    "create table t (k number default (1))",
  ],
  "default values": ["insert into t default values"],
  check: ["create table t (k number check (k > 1))", "create table t (k number, check (k > 1))"],
  "foreign keys": ["create table t (k number references u(k))"],
  "constraints of a table": [
    "create table t (k number, primary key (k))",
    "create table t (k number, unique (k))",
    "create table t (k number, foreign key (k) references u (k))",
    "create table t (k number constraint x not null)",
  ],
  "automatic numbers": [
    "create table t (k number primary key autoincrement)",
    "create table t (k number auto_increment)",
  ],
  collate: ["select s from t order by s collate nocase", "create table t (s text collate nocase)"],
  "this type": [
    "create table t (s varchar(40))",
    "create table t (k decimal(10, 2))",
    "create table t (k double precision)",
    "create table t (s character varying(40))",
    "create table t (k int unsigned)",
    "create table t (d timestamp(3))",
    "create table t (d timestamp with time zone)",
    "create table t (d bit(3))",
  ],
  "a length without a minimum": ["create table t (s text(40))"],
  "a number of digits": ["create table t (k number(10))"],
  "a text that ends with a backslash": [
    String.raw`insert into t values ('C:\')`,
    String.raw`insert into t values ('C:\', 'b')`,
    String.raw`insert into t values ('C:\', 'D:\')`,
  ],
  "on conflict": [
    "insert into t values (1) on conflict do nothing",
    "insert into t values (1) on duplicate key update k = 2",
  ],
  returning: [
    "insert into t values (1) returning k",
    "delete from t where k = 1 returning *",
    "update t set k = 1 returning k",
  ],
  "update with from": ["update t set k = 1 from u where t.k = u.k"],
  "delete with using": ["delete from t using u where t.k = u.k"],
  "join … using": ["select * from t join u using (k)"],
  "window functions": ["select sum(k) over (partition by s) from t"],
  filter: ["select count(*) filter (where k = 1) from t"],
  window: ["select k from t where 1 window w as (order by k)"],
  "the function exists": ["select 1 where exists (select 1)", "select 1 where not exists (select 1)"],
  "a query in in (…)": [
    "select k from t where k in (select k from u)",
    "delete from t where k not in ( select k from u)",
  ],
  "a query as a value": ["select (select max(k) from t)", "update t set k = (select 1)"],
  "the function any": ["select 1 where 1 = any (select 1)"],
  "the function all": ["select 1 where 1 = all (select 1)"],
  case: ["select case when k = 1 then 2 end from t"],
  "union distinct": ["select 1 union distinct select 2"],
  "except all and intersect all": ["select 1 except all select 2", "select 1 intersect all select 2"],
  "limit all": ["select 1 limit all"],
  "fetch first": ["select k from t fetch first 3 rows only", "select k from t where 1 fetch first row only"],
  "offset without limit": ["select k from t where 1 offset 3", "select k from t order by k offset 3"],
  top: ["select top 3 k from t"],
  "for update": ["select k from t for update"],
  "nulls first and last": [
    "select k from t order by k nulls last",
    "select k from t order by k desc nulls first",
  ],
  "rollup, cube and grouping sets": ["select k from t group by grouping sets ((k), ())"],
  tablesample: ["select k from t t1 tablesample system (10)"],
  lateral: ["select * from t join lateral (select 1) x"],
  "is true, is false, is distinct from": [
    "select 1 where k is true",
    "select 1 where k is not distinct from 2",
  ],
  "is of two values": ["select 1 where k is 5"],
  "isnull and notnull": ["select 1 where k isnull", "select 1 where k notnull"],
  "this kind of like": [
    "select 1 where s glob 'a*'",
    "select 1 where s ilike 'a'",
    "select 1 where s similar to 'a'",
  ],
  "||": ["select s || 'a' from t"],
  "%": ["select k % 2 from t"],
  bits: ["select k & 2 from t", "select ~k from t"],
  "a name in `…` or […]": ["select `k` from t", "select [k] from t"],
  "::": ["select k::number from t"],
  "numbered and named parameters": [
    "select 1 where k = $1",
    "select 1 where k = :k",
    "select 1 where k = @k",
  ],
  "a list of values on one side": ["select 1 where (k, n) = (1, 2)"],
  "show …": ["show columns from t", "show create table t"],
  "the function cast": ["select cast(k as number) from t"],
  "the function ifnull": ["select ifnull(k, 1) from t"],
  "the function substr": ["select substr(s, 1, 2) from t"],
  "the function now": ["select now()"],
  "the function row_number": ["select row_number() over (order by k) from t"],
  "the function group_concat": ["select group_concat(s) from t"],
};

function answerTo(text: string): string {
  const { statement, language } = parse(bytesOfText(text));
  assert.ok(statement instanceof SqlMistake, `${text}: a statement`);
  return textOfBytes(mistakeFailure(bytesOfText(text), language, statement).message);
}

test("each unsupported statement is named, with an alternative", () => {
  for (const [feature, statements] of Object.entries(TYPED))
    for (const text of statements)
      for (const each of [text, text.toUpperCase()]) {
        const answer = answerTo(each);
        const [begin = "", position = "", ...advice] = answer.split(": ");
        assert.deepEqual(
          [begin, advice.join(": ").split("; ")[0]],
          ["ERR not supported", feature],
          `${each}: ${answer}`,
        );
        assert.match(position, /^line 1, column \d+$/, answer);
      }
});

test("every row of the table applies to a statement", () => {
  const answers = Object.values(TYPED).flat().map(answerTo);
  const isAnswered = ({ what, advice }: (typeof UNSUPPORTED)[number]) =>
    answers.some((answer) => answer.includes(`: ${what}; ${advice}: `));
  assert.deepEqual(
    UNSUPPORTED.filter((row) => !isAnswered(row)).map(({ what }) => what),
    [],
  );
});

test("other mistakes are reported as before", () => {
  for (const text of [
    "selct 1",
    String.raw`select 'it\'s' x y`,
    "create thing x",
    "select 1 frm t u v",
    "select k from t where k = = 1",
    "select (1",
    "select k from t group k",
    "insert into t values 1",
    "select lower(s, s) from t",
    "select round(distinct k) from t",
  ])
    assert.doesNotMatch(answerTo(text), /not supported/, text);
});

test("the same words in Malagasy statements, in texts and in names are not mistakes", () => {
  assert.doesNotMatch(answerTo("alaivo 1 returning k"), /not supported/);
  for (const text of ["select 'alter table', \"case\" from t", "select k returning from t -- begin"])
    assert.ok(!(parse(bytesOfText(text)).statement instanceof SqlMistake), text);
});
