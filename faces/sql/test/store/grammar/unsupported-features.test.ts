/**
 * Tests that unsupported features that SQL users try yield an error that names an alternative, in upper and lower
 * case.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOfText, textOfBytes } from "../../../../../protocol/byte-string.js";
import { mistakeFailure } from "../../../store/grammar/error-messages.js";
import { parse } from "../../../store/grammar/parse.js";
import { SqlMistake } from "../../../store/grammar/syntax-error.js";
import { UNSUPPORTED } from "../../../store/grammar/unsupported-features.js";

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
  "replace without into, upsert": ["replace t values (1)", "upsert into t values (1)"],
  "insert or …": ["insert or abort into t values (1)", "insert ignore into t values (1)"],
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
  locks: ["lock tables t write", "select k from t lock in share mode"],
  set: ["set names utf8"],
  procedures: ["call f()", "prepare x from 'select 1'", "declare c cursor for select 1"],
  copy: ["copy t from stdin", "load data infile 'f' into table t"],
  "this kind of index": [
    "create fulltext index i on t (s)",
    "create unique clustered index i on t (k)",
    "create index concurrently i on t (k)",
    "create index i on t using btree (k)",
  ],
  "an index without a name": ["create index on t (k)"],
  "an index of some rows": ["create unique index i on t (k) where k > 1"],
  "an index of a calculated value": ["create index i on t (lower(s))"],
  "the table of an index": ["drop index i on t"],
  "triggers and functions": ["create trigger x before insert on t begin end", "drop function f"],
  "create or replace": ["create or replace view v as select 1"],
  "temporary tables": ["create temp table t (k number)", "create temporary table t (k number)"],
  "materialized views": ["create materialized view v as select 1"],
  schemas: ["create schema x"],
  sequences: ["create sequence x"],
  users: ["create user x", "drop role x"],
  "if not exists": ["drop table if not exists t", "drop view if not exists v"],
  "if exists": ["create table if exists t (k number)", "create database if exists d"],
  "create table as": ["create table t as select 1", "create table if not exists t as select 1"],
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
    "create table t (s set('a', 'b'))",
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
  "the function any": ["select 1 where 1 = any (select 1)"],
  "the function all": ["select 1 where 1 = all (select 1)"],
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
  tablesample: ["select k from t t1 tablesample system (10)", "select k from t tablesample bernoulli (10)"],
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
  bits: ["select k & 2 from t", "select ~k from t", "select k | 2 from t", "select k << 2 from t"],
  "a name in `…` or […]": ["select `k` from t", "select [k] from t"],
  "::": ["select k::number from t"],
  "numbered and named parameters": [
    "select 1 where k = $1",
    "select 1 where k = :k",
    "select 1 where k = @k",
    "select 1 where k = ?1",
  ],
  "a list of values on one side": ["select 1 where (k, n) = (1, 2)"],
  "show …": ["show columns from t", "show create table t"],
  "several statements": ["select 1; select 2"],
  "a calculated column": ["create table t (k number, n number as (k + 1))"],
  "an order of a key": ["create table t (k number primary key desc)"],
  "on update": ["create table t (d date on update now())"],
  "an index of a table": ["create table t (k number, index i (k))"],
  hints: ["select * from t not indexed", "select * from t with (nolock)", "select * from t indexed by i"],
  "table as a statement": ["table t"],
  "open, fetch and close": ["open c", "fetch next from c", "close c"],
  "control flow": ["if 1 = 1 select 1", "while 1 = 1 select 1", "print 'x'", "go"],
  "listen and notify": ["listen x"],
  "options of the server": ["reset all", "flush tables", "kill 1"],
  refresh: ["refresh materialized view v"],
  "commands of other terminals": [".tables", "\\d", "help", "quit"],
  "# as a comment": ["# a comment"],
  "a query in parentheses": ["(select k from t) union (select k from u)", "((select 1))"],
  types: ["create type d as enum ('a')"],
  "a domain with as": ["create domain d as text"],
  extensions: ["create extension x"],
  "names of a view's columns": ["create view v (a) as select k from t"],
  "create table like": ["create table t like u"],
  "options of a table": [
    "create table t (k number) engine = innodb",
    "create table t (k number) without rowid",
    "create table t (k number) strict",
  ],
  cascade: ["drop table t cascade"],
  "several names": ["drop table t, u"],
  "insert with set": ["insert into t set k = 1"],
  "an alias of a changed table": [
    "update t x set k = 1",
    "update t as x set k = 1",
    "delete from t x where x.k = 1",
    "insert into t as x values (1)",
  ],
  "several tables in update or delete": [
    "update t, u set k = 1",
    "update t join u on t.k = u.k set k = 1",
    "delete from t join u on t.k = u.k",
  ],
  "order by and limit in update or delete": [
    "update t set k = 1 order by k limit 1",
    "delete from t limit 1",
    "delete from t where k = 1 limit 1",
  ],
  "update or …": ["update or ignore t set k = 1"],
  only: ["update only t set k = 1"],
  "a list of columns in set": ["update t set (k, n) = (1, 2)"],
  "show with like": ["show tables like 'a%'"],
  "describe table": ["describe table t"],
  "natural left join": ["select * from t natural left join u"],
  "this kind of join": ["select * from t cross apply u", "select * from t straight_join u"],
  "values in from": ["select * from (values (1), (2)) x"],
  "a length in cast": ["select cast(k as varchar(3)) from t", "select cast(k + 1 as decimal(3, 1)) from t"],
  "a function in from": ["select * from generate_series(1, 3)"],
  "names of a derived table's columns": ["select * from t as x (a, b)"],
  "select into": ["select k into x from t"],
  "with rollup": ["select k from t group by k with rollup"],
  "group by all": ["select k from t group by all"],
  qualify: ["select k from t qualify k = 1"],
  minus: ["select k from t minus select k from u"],
  "* except": ["select * exclude (k) from t", "select t.* except (k) from t"],
  "system time": ["select * from t as of system time '-1s'"],
  pivot: ["select * from t pivot (sum(k) for s in ('a'))"],
  "offset … rows": ["select k from t limit 3 offset 1 rows"],
  "limit null": ["select k from t limit null"],
  "with in a query": ["select * from t where k in (with x as (select 1) select * from x)"],
  "<=>": ["select k <=> 1 from t"],
  "->": ["select s -> 'a' from t", "select s ->> 'a' from t"],
  "==": ["select k == 1 from t"],
  powers: ["select k ** 2 from t", "select k ^ 2 from t"],
  "sounds like": ["select s sounds like 'a' from t"],
  "div and mod": ["select k div 2 from t", "select k mod 2 from t"],
  "a text after a name": ["select date '2026-11-21'"],
  "this kind of text": ["select e'a'", "select x'00'"],
  "texts in a row": ["select 'a' 'b'"],
  $$: ["select $$a$$"],
  variables: ["select @@version"],
  "the function ifnull": ["select ifnull(k, 1) from t"],
  "the function substr": ["select substr(s, 1, 2) from t"],
  "the function now": ["select now()"],
  "the function row_number": ["select row_number() over (order by k) from t"],
  "the function string_agg": ["select string_agg(s, ',') from t"],
  "the function f": ["select 1 in f(2)"],
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
    "select k from t where k = , 1",
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
