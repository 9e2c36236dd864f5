/**
 * Features of SQL that are not supported, although users try them. A feature is recognized at the position of the
 * syntax error, and the error names an alternative.
 */
import { type ByteString, bytesOfText } from "../../../../protocol/byte-string.js";
import { SqlMistake } from "./syntax-error.js";

interface Row {
  /** The unsupported feature. */
  readonly what: string;
  /** Matches the part of the statement that begins at the mistake, in lower case. */
  readonly after: RegExp;
  /** Matches the text before the position; undefined means any text. */
  readonly before?: RegExp;
  /** The alternative to the feature. */
  readonly advice: string;
}

const TRANSACTION =
  "each statement is one step; for several write MULTI, SQL …, EXEC with a Redis client, or client.multi";
const SUBQUERY = "write a join: select t.* from t join (select …) x on t.k = x.k";
const REBUILD =
  "write create table t2 (…); insert into t2 (…) select … from t; drop table t; and the same back to t";
const UPSERT = "write replace into t …, or insert or ignore into t …";
const TYPE = "write number, number(min,max), text, text(min,max), date or enum('a','b')";
const NO_KEYS =
  "write a select on the other table before the insert; a column takes number(0,9), text(1,5) or enum('a','b')";
const ALIAS = "write the columns without it: update t set n = 1 where k = 2";
const CONFIGURATION = "write options in the daemon's configuration";
const NOT_HERE = "write select k, and calculate it in the application";
const BACKSLASH = "a text that ends with a backslash";
const TWO_BACKSLASHES = "write it twice: 'C:\\\\'";

const row = (what: string, after: RegExp, advice: string, before?: RegExp): Row =>
  before === undefined ? { what, after, advice } : { what, after, before, advice };

/** If several rows match, the first applies. */
export const UNSUPPORTED: readonly Row[] = [
  row("several statements", /^\w/, "write one statement in each command, or MULTI, SQL …, EXEC", /;$/),
  row(
    "a calculated column",
    /^as\b/,
    "write create view v as select k, k + 1 n from t",
    /\bcreate\s+table\s+\S+\s*\(.*$/s,
  ),
  row("an order of a key", /^(?:asc|desc)\b/, "write primary key", /\b(?:primary\s+key|unique)$/),
  row("only", /^\w+\s+set\b/, "write the statement without only", /\bupdate\s+only$/),
  row("on update", /^on\s+(?:update|delete)\b/, "write the value in each update"),
  row("this type", /^set\s*\(/, TYPE),
  row(
    "an index of a table",
    /^\(/,
    "write unique after the column, or nothing: k = 1 creates an index automatically",
    /[,(]\s*(?:key|index|unique|fulltext)\s+\w+$/,
  ),
  row("hints", /^not\s+indexed\b/, "write the query without them: conditions k = 1 use an index"),
  row("alter table", /^alter\b/, REBUILD),
  row("rename", /^rename\b/, REBUILD),
  row("a transaction", /^(?:begin|start|commit|rollback|savepoint|release|end|abort)\b/, TRANSACTION, /^$/),
  row("a length in cast", /^\(/, "write cast(s as text)", /\bcast\s*\(.*\bas\s+\w+$/s),
  row("with", /^with\b/, "write the query in from: select … from (select …) x", /^$/),
  row("values as a statement", /^values\b/, "write select 1, 'a' union all select 2, 'b'", /^$/),
  row("truncate", /^truncate\b/, "write delete from t"),
  row("replace without into, upsert", /^(?:replace|upsert)\b/, UPSERT, /^$/),
  row("insert or …", /^insert\s+(?:or|ignore)\b/, UPSERT),
  row("insert without into", /^insert\b/, "write insert into t (k) values (1)"),
  row("delete without from", /^delete\b/, "write delete from t where …", /^$/),
  row("merge", /^merge\b/, UPSERT, /^$/),
  row("explain", /^explain\b/, "write select; docs/sql.md lists the conditions that use an index"),
  row("pragma", /^pragma\b/, "write describe t, or show tables"),
  row("desc", /^desc\b/, "write describe t", /^$/),
  row(
    "grant and revoke",
    /^(?:grant|revoke)\b/,
    "write rules such as ~sql:shop ~sql:shop:* +@sql for the user or key",
  ),
  row("comment on", /^comment\b/, "write -- a comment"),
  row(
    "maintenance",
    /^(?:vacuum|analyze|analyse|reindex|optimize|checkpoint|cluster)\b/,
    "write nothing: it is not needed",
    /^$/,
  ),
  row("attach", /^(?:attach|detach)\b/, "write use d"),
  row("locks", /^(?:lock|unlock)\b/, TRANSACTION, /^$/),
  row("table as a statement", /^table\b/, "write select * from t", /^$/),
  row("open, fetch and close", /^(?:open|fetch|close|handler)\b/, "write select … limit 10 offset 20", /^$/),
  row(
    "control flow",
    /^(?:if|while|loop|repeat|for|print|go)\b/,
    "write it in the application, or in a script with EVAL",
    /^$/,
  ),
  row("listen and notify", /^(?:listen|unlisten|notify)\b/, "write SUBSCRIBE and PUBLISH", /^$/),
  row("options of the server", /^(?:reset|discard|flush|kill)\b/, CONFIGURATION, /^$/),
  row("refresh", /^refresh\b/, "write create view v as select …, which always reads the present rows", /^$/),
  row(
    "commands of other terminals",
    /^(?:[.\\]|(?:help|quit|exit)\b)/,
    "write show tables or describe t; Ctrl-D ends dbsync sql",
    /^$/,
  ),
  row("# as a comment", /^#/, "write -- a comment"),
  row("a query in parentheses", /^\(\s*(?:\(|select\b)/, "write select … union select …", /^$/),
  row("set", /^set\b/, CONFIGURATION, /^$/),
  row(
    "procedures",
    /^(?:call|execute|exec|prepare|deallocate|do|declare)\b/,
    "write EVAL, or a ? for each value",
    /^$/,
  ),
  row("copy", /^(?:copy|load)\b/, "write insert into t values (…), (…), or dbsync import", /^$/),
  row(
    "this kind of index",
    /^(?:fulltext|spatial|clustered|nonclustered|bitmap)\b/,
    "write create index i on t (k)",
    /\bcreate(?:\s+unique)?$/,
  ),
  row("this kind of index", /^\w/, "write create index i on t (k)", /\bindex\s+concurrently$/),
  row("this kind of index", /^using\b/, "write create index i on t (k)", /\bindex\s.*$/s),
  row("an index without a name", /^on\b/, "write create index i on t (k)", /\bindex$/),
  row(
    "an index of some rows",
    /^where\b/,
    "write create index i on t (k)",
    /\bcreate\s+(?:unique\s+)?index\s.*$/s,
  ),
  row(
    "an index of a calculated value",
    /^\(/,
    "write create index i on t (k), with a column",
    /\bindex\s.*\bon\s+\S+\s*\(.*$/s,
  ),
  row("the table of an index", /^on\b/, "write drop index i", /\bdrop\s+index\s.*$/s),
  row(
    "triggers and functions",
    /^(?:constraint\s+)?(?:trigger|function|procedure|event)\b/,
    "write it in the application, or in a script with EVAL",
    /\b(?:create|drop)$/,
  ),
  row("create or replace", /^or\b/, "write drop view v; create view v as select …", /\bcreate$/),
  row(
    "temporary tables",
    /^(?:temp|temporary|unlogged|virtual|global|local|external)\b/,
    "write create table t (…), and drop table t",
    /\bcreate$/,
  ),
  row("materialized views", /^materialized\b/, "write create view v as select …", /\b(?:create|drop)$/),
  row("schemas", /^schema\b/, "write create database d", /\b(?:create|drop)$/),
  row(
    "sequences",
    /^sequence\b/,
    "write ?, and let the application choose the keys, or write INCR",
    /\b(?:create|drop)$/,
  ),
  row("types", /^type\b/, "write create domain d (enum('a','b'))", /\b(?:create|drop)$/),
  row("a domain with as", /^as\b/, "write create domain d (text(1,5))", /\bcreate\s+domain\s+\S+$/),
  row(
    "extensions",
    /^extension\b/,
    "write the statement without the extension's functions",
    /\b(?:create|drop)$/,
  ),
  row(
    "names of a view's columns",
    /^\(/,
    "write create view v as select k a, n b from t",
    /\bcreate\s+view\s+(?:if\s+not\s+exists\s+)?\S+$/,
  ),
  row("users", /^(?:user|role)\b/, "write the user's rules in acl-file, or KEY ADD", /\b(?:create|drop)$/),
  row("if exists", /^exists\b/, "write drop table if exists t; create has if not exists", /\bif$/),
  row("if not exists", /^not\b/, "write create table if not exists t (…); drop has if exists", /\bif$/),
  row(
    "create table as",
    /^as\b/,
    "write create table t (…), then insert into t (…) select …",
    /\bcreate\s+table\s+(?:if\s+not\s+exists\s+)?\S+$/,
  ),
  row(
    "create table like",
    /^like\b/,
    "write create table t2 (…) with the columns that describe t lists",
    /\bcreate\s+table\s+(?:if\s+not\s+exists\s+)?\S+$/,
  ),
  row(
    "options of a table",
    /^(?:without|strict|engine|default|charset|with|on|partition|inherits|tablespace)\b/,
    "write create table t (…) without them",
    /\bcreate\s+table\s.*\)$/s,
  ),
  row("default of a calculated value", /^./, "write default 5, default 'a' or default null", /\bdefault$/),
  row(
    "default values",
    /^default\b/,
    "write insert into t (k) values (1): other columns receive their defaults",
  ),
  row("check", /^\(/, "write number(0,9), text(1,5) or enum('a','b') as the column's type", /[,(]\s*check$/),
  row("check", /^check\b/, "write number(0,9), text(1,5) or enum('a','b') as the column's type"),
  row("foreign keys", /^(?:references|foreign)\b/, NO_KEYS),
  row(
    "cascade",
    /^(?:cascade|restrict)\b/,
    "write drop table t; views that read it fail until it exists again",
    /\bdrop\s.*$/s,
  ),
  row("several names", /^,/, "write a drop for each name", /\bdrop\s+\w+\s+(?:if\s+exists\s+)?\S+$/),
  row("insert with set", /^set\b/, "write insert into t (k) values (1)", /\binsert\s+into\s+\S+$/),
  row("an alias of a changed table", /^(?:as\s+)?\w+\s+set\b/, ALIAS, /\bupdate\s+\S+$/),
  row("an alias of a changed table", /^(?:as\s+)?\w+/, ALIAS, /\binsert\s+into\s+\S+$/),
  row(
    "several tables in update or delete",
    /^(?:,|join\b|(?:inner|left|right|cross)\b)/,
    "write select first, then an update or delete for each row",
    /\b(?:update|delete\s+from)\s+\S+$/,
  ),
  row(
    "order by and limit in update or delete",
    /^(?:order|limit)\b/,
    "write select k from t … limit 3 first, then where k in (…)",
    /^(?:update|delete)\b.*$/s,
  ),
  row(
    "an alias of a changed table",
    /^(?:as\b|(?!where\b|using\b|returning\b|order\b|limit\b)[a-z])/,
    ALIAS,
    /\bdelete\s+from\s+\S+$/,
  ),
  row("update or …", /^or\b/, "write update t set …, and handle its error", /\bupdate$/),
  row("a list of columns in set", /^\(/, "write set k = 1, n = 2", /\bset$/),
  row("show with like", /^(?:like|where|from|in)\b/, "write show tables", /\bshow\s+\w+$/),
  row("describe table", /^./, "write describe t", /^(?:describe|desc)\s+table$/),
  row(
    "show …",
    /^(?:columns|fields|create|index|indexes|keys|full|schemas|status|variables|processlist|warnings|errors|grants|engines|triggers|all)\b/,
    "write describe t, show tables, or show databases",
    /\bshow$/,
  ),
  row(
    "constraints of a table",
    /^\(/,
    "write primary key or unique after the column",
    /\b(?:primary\s+key|foreign\s+key|unique|key|index)$/,
  ),
  row(
    "constraints of a table",
    /^(?:constraint|primary|key|unique|index)\b/,
    "write primary key or unique after the column",
  ),
  row(
    "automatic numbers",
    /^(?:autoincrement|auto_increment|generated|identity)\b/,
    "write ?, and let the application choose the keys, or write INCR",
  ),
  row("collate", /^collate\b/, "texts compare by their bytes; write lower(s) = lower('A'), or like"),
  row(
    "this type",
    /^\(/,
    "write text, or text(0,20)",
    /\b(?:n?(?:var)?char2?|(?:var)?character|varying|(?:var)?binary|blob|n?clob|string)$/,
  ),
  row(
    "this type",
    /^\(/,
    "write number, or number(0,999)",
    /\b(?:decimal|numeric|(?:tiny|small|medium|big)?int|integer|float|double|precision|real)$/,
  ),
  row("this type", /^\(/, "write date", /\b(?:time|timestamp|timestamptz|datetime)$/),
  row("this type", /^\(/, TYPE, /\bbit$/),
  row("a length without a minimum", /^\)/, "write text(0,20)", /\btext\s*\(\s*\d+$/),
  row("a number of digits", /^\)/, "write number, or number(0,999)", /\bnumber\s*\(\s*\d+$/),
  row("this type", /^varying\b/, "write text, or text(0,20)"),
  row("this type", /^(?:precision|unsigned|zerofill)\b/, "write number"),
  row("this type", /^(?:with|without)\b/, "write date", /\btime(?:stamp)?$/),
  row(BACKSLASH, /^(['"])[^'"]*\\\1(?:[\s,);]|$)/, TWO_BACKSLASHES),
  row(BACKSLASH, /^['"\\]/, TWO_BACKSLASHES, /\\['"][\s,);]/),
  row("on conflict", /^on\s+(?:conflict|duplicate)\b/, UPSERT),
  row("returning", /^returning\b/, "write select … where … after it"),
  row(
    "update with from",
    /^from\b/,
    "write update t set k = (select v from u where u.k = t.k) where exists (select 1 from u where u.k = t.k)",
    /\bupdate\s.*\bset\s.*$/s,
  ),
  row(
    "delete with using",
    /^using\b/,
    "write delete from t where k in (select k from u)",
    /\bdelete\s+from\s.*$/s,
  ),
  row("join … using", /^using\b/, "write join u on t.k = u.k"),
  row("natural left join", /^(?:left|right|full|inner)\b/, "write t left join u on t.k = u.k", /\bnatural$/),
  row("this kind of join", /^apply\b/, SUBQUERY, /\b(?:cross|outer)$/),
  row(
    "this kind of join",
    /^./,
    "write join, left join, right join, full join or cross join",
    /\b(?:straight_join|semi|anti|asof)$/,
  ),
  row("values in from", /^values\b/, "write (select 1 a union all select 2) x", /\($/),
  row(
    "a function in from",
    /^\(/,
    "write a table, or (select 1 a union all select 2) x",
    /\b(?:from|join)\s+(?!lateral$)\w+$/,
  ),
  row("names of a derived table's columns", /^\(/, "write (select k a from t) x", /\bas\s+\w+$/),
  row(
    "hints",
    /^(?:\(|by\b|indexed\b)/,
    "write the query without them: conditions k = 1 use an index",
    /\b(?:with|indexed|not)$/,
  ),
  row("locks", /^in\b/, TRANSACTION, /\block$/),
  row("select into", /^into\b/, "write insert into t2 (k) select k from t"),
  row("with rollup", /^with\s+(?:rollup|cube)\b/, "write a select for each grouping, combined by union all"),
  row("group by all", /^all\b/, "write group by with the columns", /\bgroup\s+by$/),
  row("qualify", /^./, "write a join with (select k, count(*) n from t group by k) x", /\bqualify$/),
  row("minus", /^select\b/, "write except", /\bminus$/),
  row("* except", /^(?:exclude|replace)\b/, "write the columns", /\*$/),
  row("* except", /^./, "write the columns", /\*\s*except\s*\($/),
  row("tablesample", /^./, "write limit 100", /\btablesample$/),
  row("system time", /^(?:system|timestamp)\b/, "write dbsync blame sql:shop:t for earlier changes", /\bof$/),
  row("pivot", /^\(/, "write a select for each column, combined by a join", /\b(?:un)?pivot$/),
  row("offset … rows", /^rows?\b/, "write limit 3 offset 1"),
  row("limit null", /^null\b/, "write the query without limit", /\b(?:limit|offset)$/),
  row(
    "with in a query",
    /^\S+(?:\s*\([^)]*\))?\s+as\s*\(/,
    "write the query in from: select … from (select …) x",
    /\bwith$/,
  ),
  row("window functions", /^\(/, "write a join with (select k, count(*) n from t group by k) x", /\bover$/),
  row("filter", /^\(/, "write a select … where … for each, combined by union all", /\bfilter$/),
  row("window", /^window\b/, "write a join with (select k, count(*) n from t group by k) x"),
  row("union distinct", /^distinct\b/, "write union", /\b(?:union|except|intersect)$/),
  row(
    "except all and intersect all",
    /^all\b/,
    "write except or intersect, which drop equal rows",
    /\b(?:except|intersect)$/,
  ),
  row("limit all", /^all\b/, "write the query without limit", /\blimit$/),
  row("fetch first", /^(?:first|next)\b/, "write limit 3", /\bfetch$/),
  row("fetch first", /^fetch\b/, "write limit 3"),
  row("offset without limit", /^offset\b/, "write limit 1000 offset 3"),
  row("offset without limit", /^\d/, "write limit 1000 offset 3", /\boffset$/),
  row("top", /^\d/, "write limit 3 at the end", /\btop$/),
  row("for update", /^(?:for|update|share)\b/, TRANSACTION, /\bfor$|(?=for)$/),
  row("nulls first and last", /^nulls\b/, "null comes first; write order by k is null, k to have it last"),
  row(
    "nulls first and last",
    /^(?:first|last)\b/,
    "null comes first; write order by k is null, k to have it last",
    /\bnulls$/,
  ),
  row(
    "rollup, cube and grouping sets",
    /^(?:\(|sets\b)/,
    "write a select for each grouping, combined by union all",
    /\b(?:rollup|cube|grouping)$/,
  ),
  row("tablesample", /^tablesample\b/, "write limit 100"),
  row("lateral", /^\(/, SUBQUERY, /\blateral$/),
  row(
    "is true, is false, is distinct from",
    /^(?:true|false|unknown|distinct)\b/,
    "write k = 1, k <> 1, or a = b",
    /\bis(?:\s+not)?$/,
  ),
  row("is of two values", /^./, "write a = b, or a is null", /\bis(?:\s+not)?$/),
  row("isnull and notnull", /^(?:isnull|notnull)\b/, "write k is null, or k is not null"),
  row(
    "this kind of like",
    /^(?:ilike|glob|regexp|rlike|similar|match)\b/,
    "write like, which ignores the case of a to z",
  ),
  row(
    "this kind of like",
    /^(?:'|"|to\b)/,
    "write like, which ignores the case of a to z",
    /\b(?:ilike|glob|regexp|rlike|similar|match)$/,
  ),
  row("bits", /^\|(?!\|)/, NOT_HERE),
  row("bits", /^[<>]/, NOT_HERE, /<$|>$/),
  row("<=>", /^>/, "write a = b, or a is null and b is null", /<=$/),
  row("->", /^>/, "write a column for each value", /-$/),
  row("==", /^=/, "write k = 1", /(?<![=])=$/),
  row("powers", /^(?:\^|\*)/, "write k * k", /\*$|(?=\^)$/),
  row("powers", /^\^/, "write k * k"),
  row("div and mod", /^[\w(]/, NOT_HERE, /\b(?:div|mod)$/),
  row("sounds like", /^like\b/, "write like, which ignores the case of a to z", /\bsounds$/),
  row(
    "a text after a name",
    /^'/,
    "write '2026-11-21', a text without a word before it",
    /\b(?:date|time|timestamp|interval)$/,
  ),
  row("this kind of text", /^'/, "write 'a'", /\b[enxbu]$/),
  row("texts in a row", /^'/, "write them as one text: 'ab'", /'$/),
  row("$$", /^\$\$/, "write 'a'"),
  row("variables", /^@@/, CONFIGURATION),
  row("||", /^\|/, "write select s, t, and join the texts in the application"),
  row("%", /^%/, NOT_HERE),
  row("bits", /^[&~]/, NOT_HERE),
  row("a name in `…` or […]", /^[`[]/, 'write it in double quotes: "name"'),
  row("::", /^::/, "write cast(k as number)"),
  row("numbered and named parameters", /^[$@:]\w/, "write ? for each value"),
  row("numbered and named parameters", /^\d/, "write ? for each value", /\?$/),
  row("a list of values on one side", /^,/, "write a = 1 and b = 2", /\([^()]*$/s),
];

/** Alternatives to unsupported functions. */
const FUNCTIONS: Readonly<Record<string, string>> = {
  ifnull: "write coalesce(a, b)",
  nvl: "write coalesce(a, b)",
  isnull: "write coalesce(a, b), or a is null",
  iif: "write case when a then b else c end",
  if: "write case when a then b else c end",
  convert: "write cast(k as number)",
  now: "write the time as a text: '2026-11-21 18:30:00'",
  datetime: "write the time as a text: '2026-11-21 18:30:00'",
  date: "write the day as a text: '2026-11-21'",
  strftime: "write the time as a text: '2026-11-21 18:30:00'",
  char_length: "write length(s)",
  character_length: "write length(s)",
  len: "write length(s)",
  ucase: "write upper(s)",
  lcase: "write lower(s)",
  substr: "write s like 'a%' to compare a beginning",
  substring: "write s like 'a%' to compare a beginning",
  left: "write s like 'a%' to compare a beginning",
  instr: "write s like '%a%'",
  rollup: "write a select for each grouping, combined by union all",
  cube: "write a select for each grouping, combined by union all",
  greatest: "write case when a > b then a else b end",
  least: "write case when a < b then a else b end",
  any: "write k in (select …)",
  some: "write k in (select …)",
  all: "write not exists (select 1 from u where …)",
  on: "write select k, min(v) from t group by k",
  last_insert_rowid: "write ?, and let the application choose the keys",
  last_insert_id: "write ?, and let the application choose the keys",
  random: "write ?, and let the application choose the value",
  uuid: "write ?, and let the application choose the value",
  row_number: "write limit 10 offset 20 for a page, or number the rows in the application",
  rank: "write order by, and number the rows in the application",
  dense_rank: "write order by, and number the rows in the application",
};

/** Alternatives to names that are values in other databases, but columns here. */
const NAMES: Readonly<Record<string, string>> = {
  true: "write 1, or k = 1",
  false: "write 0, or k = 0",
  current_timestamp: "write the time as a text: '2026-11-21 18:30:00'",
  current_date: "write the day as a text: '2026-11-21'",
  current_user: "write ?, and let the application set the user",
  unknown: "write null",
  default: "write the value, or omit the column in insert into t (k) values (1)",
  current_time: "write the time as a text: '2026-11-21 18:30:00'",
  rowid: "write a column that is a primary key",
};

/** Alternatives to types of other databases. */
const TYPES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    (
      "integer int bigint smallint tinyint mediumint real double float decimal numeric serial bigserial " +
      "money boolean bool"
    )
      .split(" ")
      .map((type) => [type, "write number"]),
  ),
  ...Object.fromEntries(
    (
      "varchar char character string clob nvarchar nchar uuid json jsonb blob bytea tinytext mediumtext longtext " +
      "tinyblob mediumblob longblob xml binary varbinary bit point geometry inet"
    )
      .split(" ")
      .map((type) => [type, "write text, or text(0,40)"]),
  ),
  ...Object.fromEntries(
    "timestamp timestamptz datetime time interval".split(" ").map((type) => [type, "write date"]),
  ),
};

const lookUp = (table: Readonly<Record<string, string>>, name: string): string | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined;

/** Returns the alternative to a name that no column has, or undefined if the name has no meaning in SQL either. */
export const adviceForName = (name: ByteString): string | undefined => lookUp(NAMES, name.toLowerCase());

/** Returns the alternative to an unknown type, or undefined if no other database has the type either. */
export const adviceForType = (name: ByteString): string | undefined => lookUp(TYPES, name.toLowerCase());

interface Position {
  readonly at: number;
  readonly found: ByteString;
}

/** @param name the name in lower case */
export function unsupportedFunction(position: Position, name: ByteString): SqlMistake {
  const known =
    "write lower, upper, length, abs, round, coalesce or nullif, or the aggregates count, sum, total, avg, min, max or group_concat; anything else in the application";
  return new SqlMistake(
    "unsupported",
    { ...position, found: `the function ${name}` },
    lookUp(FUNCTIONS, name) ?? known,
  );
}

/** Number of characters before a mistake in which the patterns of the rows are searched. */
const BEFORE_CHARS = 200;
/** Number of characters after a mistake in which the patterns of the rows are searched. */
const AFTER_CHARS = 40;

const KINDS: ReadonlySet<SqlMistake["kind"]> = new Set([
  "unexpected",
  "unknown-command",
  "reserved",
  "only-null",
]);

/** Returns a mistake that names the unsupported feature, or null if the mistake has another cause. */
export function unsupported(statement: ByteString, mistake: SqlMistake): SqlMistake | null {
  const { kind, at } = mistake;
  if (!KINDS.has(kind)) return null;

  const before = statement
    .slice(Math.max(0, at - BEFORE_CHARS), at)
    .toLowerCase()
    .trim();
  const after = statement.slice(at, at + AFTER_CHARS).toLowerCase();
  const match = UNSUPPORTED.find((each) => each.after.test(after) && (each.before?.test(before) ?? true));
  return match === undefined
    ? null
    : new SqlMistake("unsupported", { at, found: bytesOfText(match.what) }, match.advice);
}
