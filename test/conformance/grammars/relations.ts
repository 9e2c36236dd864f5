/** Calls of the SQL commands in both languages. Few tables, columns and values exist, so most calls interact. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { FamilyGrammar, Generator } from "../grammar.js";

const table = (g: Generator): ByteString => g.oneOf("t", "t", "t", "u", "v", "x");
const column = (g: Generator): ByteString => g.oneOf("k", "k", "s", "s", "n", "t.k", "z");
const value = (g: Generator): ByteString =>
  g.oneOf("1", "2", "3", "'a'", "'b'", "'10'", "10", "null", "-1", "1.5", "''", "'\xc3\xa9'");

const term = (g: Generator): ByteString => (g.chance(0.6) ? column(g) : value(g));
const test = (g: Generator): ByteString =>
  g.chance(0.85)
    ? `${term(g)} ${g.oneOf("=", "=", "=", "!=", "<", ">=")} ${term(g)}`
    : `${column(g)} is ${g.oneOf("", "not ")}null`;
const condition = (g: Generator): ByteString =>
  g.some(() => test(g), 1, 3).join(g.oneOf(" and ", " or ", " and not "));

const where = (g: Generator): ByteString => {
  if (g.chance(0.1)) return ` where exists (select 1 from ${table(g)} z where ${condition(g)})`;
  return g.chance(0.7) ? ` where ${condition(g)}` : "";
};

const select = (g: Generator): ByteString => {
  const kind = g.random.below(12);
  const tail = g.maybe(0.3, " order by k desc").join("") + g.maybe(0.2, " limit 0 3").join("");
  if (kind < 5) return `select * from ${table(g)}${where(g)}${tail}`;
  if (kind < 7) return `select ${g.oneOf("", "distinct ")}k, n + 1 m from ${table(g)}${where(g)}${tail}`;
  if (kind < 8) return `select k, count(*), sum(n), min(s) from ${table(g)} group by k`;
  if (kind < 10)
    return `select * from ${table(g)} a ${g.oneOf("", "left ", "full ", "natural ")}join ${table(g)} b on a.k = b.k`;
  return kind < 11
    ? `select k from ${table(g)} ${g.oneOf("union", "except", "intersect")} select n from ${table(g)}`
    : g.oneOf("alaivo * ao@ t #rehefa k=1 na k=2", "alaivo k ao@ t", "select 1 / 0", "select nothing", "sel");
};

const row = (g: Generator): ByteString => `(${value(g)},${value(g)},${g.oneOf("1", "2", "null")})`;

const definition = (g: Generator): ByteString => {
  const kind = g.random.below(20);
  if (kind < 6) return "create database d";
  if (kind < 12)
    return `create table ${g.oneOf("t", "u")} (k number(-5,20):text(0,5)${g.oneOf("", "", " unique", " primary key")}, s text, n number)`;
  if (kind < 13) return `create view v as ${select(g)}`;
  if (kind < 14) return "create domain c (enum('a','b',1):date)";
  if (kind < 15) return "create table x (k c, s text)";
  if (kind < 17)
    return g.oneOf(
      "create index i on t (k)",
      "create unique index i on t (k, s)",
      "create unique index j on u (n desc)",
      "create index if not exists j on t (s)",
      "drop index i",
      "drop index if exists j",
    );
  return g.oneOf(
    "drop table t",
    "drop table u",
    "drop view v",
    "drop domain c",
    "drop database d",
    "create view v as select * from t",
  );
};

const change = (g: Generator): ByteString => {
  const kind = g.random.below(20);
  if (kind < 8)
    return `${g.oneOf("insert", "insert", "replace", "insert or ignore")} into ${table(g)} values ${g.some(() => row(g), 1, 4).join(",")}`;
  if (kind < 10) return `manampia ao@ t (k,s) sanda (${value(g)},${value(g)})`;
  if (kind < 11) return `insert into ${table(g)} (k) ${select(g)}`;
  if (kind < 16)
    return `update ${table(g)} set ${g.oneOf("k = 5", "n = n + 1", "s = 'c', n = 4", "k = n", "s = k")}${where(g)}`;
  return `delete from ${table(g)}${where(g)}`;
};

const statement = (g: Generator): ByteString => {
  const kind = g.random.below(20);
  if (kind < 8) return definition(g);
  return kind < 18 ? change(g) : g.oneOf(select(g), "show tables", "show indexes", "use d", "describe t");
};

const database = (g: Generator): ByteString => (g.chance(0.95) ? "d" : g.oneOf("", "e", "d:t"));

export const grammar: FamilyGrammar = {
  SQL: (g) =>
    g.chance(0.9)
      ? [database(g), statement(g)]
      : [database(g), "insert into t values (?,?,?)", g.integer(), g.value(), g.integer()],
  SQL_RO: (g) => [
    database(g),
    g.chance(0.8)
      ? select(g)
      : g.oneOf("show tables", "show databases", "show views", "describe t", "use d", "drop table t"),
  ],
};
