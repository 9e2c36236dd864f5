/**
 * Tests statements and their trees: both languages, positions of errors, limits, and bytes that are not a statement.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOfText, textOfBytes } from "../../../../../protocol/byte-string.js";
import { amount } from "../../../../../test/support/amount.js";
import { SeededRandom, seedOfRun } from "../../../../../test/support/seeded-random.js";
import { mistakeFailure } from "../../../store/grammar/error-messages.js";
import { KEYWORDS } from "../../../store/grammar/keywords.js";
import { parse, STATEMENT_BYTES_MAX } from "../../../store/grammar/parse.js";
import { SqlMistake } from "../../../store/grammar/syntax-error.js";
import type { Statement } from "../../../store/grammar/syntax-tree.js";
import { restOfWord, tokensOf } from "../../../store/grammar/token-reader.js";

const seed = seedOfRun();

/** Each statement in English and in Malagasy. */
const PAIRS: readonly (readonly [english: string, malagasy: string])[] = [
  ["create database d", "manamboara tahiry d"],
  ["drop database d", "ravao ny tahiry d"],
  ["use d", "ampiasao d"],
  ["show databases", "asehoy ny tahiry"],
  ["show tables", "asehoy ny tabilao"],
  ["show domains", "asehoy ny efitra"],
  ["show views", "asehoy ny jery"],
  ["describe t", "famaritana t"],
  [
    "create table t (a number(0,9) primary key, b text(null,5):date unique, c enum('x',y,3), d e)",
    "manamboara tabilao t (a ISA(0,9) fototra, b LAHATSORATRA(null,5):DATY tokana, c TANISA('x',y,3), d e)",
  ],
  ["create domain e (number(-1,1):text(0,2))", "manamboara efitra e (ISA(-1,1):LAHATSORATRA(0,2))"],
  [
    "insert into t (a, b) values (1,'x'),(-2,null),(?,?)",
    "manampia ao@ t (a, b) sanda (1,'x'),(-2,null),(?,?)",
  ],
  ["insert into t () select * from u", "manampia ao t () alaivo * ao@ u"],
  [
    "update t set a = a + 1, b = null where a >= 2 and not b is null",
    "havaozy t ova a = a + 1, b = null rehefa a >= 2 ary !(b dia null)",
  ],
  ["delete from t where a <> 1", "fafao ao@ t #rehefa a != 1"],
  [
    "select distinct a as x, count(*) n from t group by a having count(*) > 1 order by n desc, x asc limit 0 20",
    "alaivo samihafa a antso x, count(*) n #ao@ t #vondrona (a) #fepetra count(*) > 1 #alahatra n midina, x miakatra #fetra 0 20",
  ],
  ["select * from t limit 5 offset 2", "alaivo * ao@ t #limit 5 manomboka 2"],
  ["select * from t a join u b on a.k = b.k", "alaivo * #ao@ t a #tonona@ u b #ka a.k = b.k"],
  ["select * from t inner join u on x", "alaivo * #ao@ t #tonona:anatiny@ u #ka x"],
  ["select * from t left join u on x", "alaivo * #ao@ t #tonona:avia@ u #ka x"],
  ["select * from t left join u on x", "alaivo * #ao@ t #tonona:ankavia@ u #ka x"],
  ["select * from t right join u on x", "alaivo * #ao@ t #tonona:ankavanana u #ka x"],
  ["select * from t full join u on x", "alaivo * #ao@ t #tonona:feno@ u #ka x"],
  ["select * from t natural join u", "alaivo * #ao@ t #tonona:natoraly@ u"],
  ["select a from t union select a from u", "alaivo a #ao@ t #ankambana@ alaivo a #ao@ u"],
  ["select a from t except (select a from u)", "alaivo a #ao@ t #analana (alaivo a #ao@ u)"],
  ["select a from t intersect select a from u", "alaivo a #ao@ t #atifitra@ alaivo a #ao@ u"],
  ["select a from (select 1 a) s where a is not null", "alaivo a #ao@ (alaivo 1 a) s #rehefa a dia tsy null"],
  ["select -a * 2 - 'x', !b or 1 from (t)", "ALAIVO -a * 2 - 'x', !b NA 1 #AO@ (t)"],
  ["drop table t;", "ravao ny tabilao t;"],
  ["drop domain e", "ravao ny efitra e"],
  ["drop view v", "ravao ny jery v"],
];

/** Statements that exist only in English. */
const STANDARD: readonly string[] = [
  "select all count(all k), case k when 1 then 2 else cast(s as integer) end from t",
  "create table t (a number not null default 5)",
  "select a from t cross join u left outer join v on 1 union all select 1",
  "select 1 where a in (1, 2) or a between 1 and 2 or a like 'x!%' escape '!'",
  "select 1 where exists (select 1)",
  "replace into t values (1)",
  "create index i on t (a asc, b)",
];

const read = (text: string) => parse(bytesOfText(text));

function treeOf(text: string): Statement {
  const { statement } = read(text);
  if (statement instanceof SqlMistake) assert.fail(`${text}: ${mistakeOf(text)}`);
  return statement;
}

function mistakeOf(text: string): string {
  const { statement, language } = read(text);
  assert.ok(statement instanceof SqlMistake, text);
  return textOfBytes(mistakeFailure(bytesOfText(text), language, statement).message);
}

test("English and Malagasy words yield the same trees", () => {
  for (const [english, malagasy] of PAIRS) {
    assert.deepEqual(treeOf(malagasy), treeOf(english), malagasy);
    assert.deepEqual([read(english).language, read(malagasy).language], ["english", "malagasy"]);
  }
  const view = treeOf("create view v as select a from t");
  assert.equal(view.kind === "create-view" && view.text, "select a from t");
  assert.deepEqual({ ...treeOf("manamboara jery v @ alaivo a #ao@ t"), text: "" }, { ...view, text: "" });
});

test("the parser knows every word of the table, in each language", () => {
  for (const text of STANDARD) treeOf(text);
  const all = [
    ...PAIRS.flat(),
    ...STANDARD,
    "create view v as select null",
    "manamboara jery v @ alaivo a #limit 1",
  ];
  const statements = all.join(" ").toLowerCase();
  for (const [name, { english, malagasy }] of Object.entries(KEYWORDS))
    for (const phrase of [...english.slice(0, 1), ...malagasy])
      assert.ok(statements.includes(phrase.toLowerCase().split(" ")[0] as string), `${name}: ${phrase}`);
});

test("the errors of a statement without words are in English, unless it contains a #", () => {
  for (const text of [";", " ; ", "", "1", "(", "-- hi"]) assert.equal(read(text).language, "english", text);
  assert.equal(read("#").language, "malagasy");
});

test("in English AND binds tighter than OR, and NOT applies to a comparison; ary and na have equal precedence", () => {
  const grouped = (text: string) => {
    const tree = treeOf(text);
    return tree.kind === "query" && tree.query.kind === "select" ? tree.query.where : null;
  };
  const english = (text: string) => grouped(`select 1 where ${text}`);
  assert.deepEqual(english("a = 1 or b = 2 and c = 3"), english("a = 1 or (b = 2 and c = 3)"));
  assert.deepEqual(english("not a = 1 and b = 2"), english("(not (a = 1)) and b = 2"));
  const malagasy = (text: string) => grouped(`alaivo 1 #rehefa ${text}`);
  assert.deepEqual(malagasy("a = 1 na b = 2 ary c = 3"), malagasy("(a = 1 na b = 2) ary c = 3"));
});

test("a mistake names the word, the line and the column and shows the position", () => {
  assert.equal(
    mistakeOf("select *\nfrom t\nwhere k = , 1"),
    "ERR syntax: line 3, column 11: ',', expected: a value: where k = ^, 1",
  );
  assert.equal(
    mistakeOf("select 'é☃', k frm t"),
    "ERR syntax: line 1, column 20: 't', expected: the end of the statement: select 'é☃', k frm ^t",
  );

  const words =
    "select, insert into, replace into, insert or ignore into, update, delete from, create, drop, show, use, describe";
  assert.equal(
    mistakeOf("selct 1"),
    `ERR no such statement: line 1, column 1: 'selct', expected: ${words}: ^selct 1`,
  );
  assert.equal(
    mistakeOf("create thing i"),
    "ERR no such statement: line 1, column 8: 'thing', expected: table, domain, view, index, database: create ^thing i",
  );
  assert.equal(
    mistakeOf("manamboara zavatra x"),
    "ERR Commande valide non trouvé: andalana 1, toerana 12: 'zavatra', nandrasana tabilao, efitra, jery, tahiry: manamboara ^zavatra x",
  );

  assert.match(mistakeOf("select (1"), /the end, expected: '\)': select \(1\^$/);
  assert.match(mistakeOf("select $"), /column 8: '\$'/);
  assert.match(mistakeOf(`select ${"x ".repeat(100)}`), /: …?[^:]*\^x/);
});

test("a number may be hexadecimal, and no name may follow it without a space", () => {
  const fieldOf = (text: string) => {
    const tree = treeOf(`select ${text}`);
    return tree.kind === "query" && tree.query.kind === "select" ? tree.query.fields?.[0] : null;
  };
  const literal = (value: number) => ({ value: { kind: "literal", value }, alias: null });

  assert.deepEqual(fieldOf("0x10"), literal(16));
  assert.deepEqual(fieldOf("0XfF"), literal(255));
  assert.deepEqual(fieldOf("1e5"), literal(100_000));
  assert.deepEqual(fieldOf("0x1fffffffffffff"), literal(2 ** 53 - 1));
  assert.match(
    mistakeOf("select 0x20000000000000"),
    /^ERR too much: line 1, column 8: a number that is too large/,
  );
  for (const wrong of ["0x", "0xg", "12abc", "1_000", "1e5e", "1.5x", "5.x", "1e"])
    assert.match(
      mistakeOf(`select ${wrong}`),
      new RegExp(`^ERR syntax: line 1, column 8: '${wrong}', expected: a number such as`),
      wrong,
    );
});

test("digits, and nothing else, may directly follow a Malagasy keyword", () => {
  assert.deepEqual(treeOf("alaivo1"), treeOf("alaivo 1"));
  assert.deepEqual(treeOf("alaivo 1 na0.5"), treeOf("alaivo 1 na 0.5"));
  assert.deepEqual(treeOf("alaivo na1 #ao@ t1"), treeOf("select na1 from t1"));
  mistakeOf("select1");
  mistakeOf("alaivok");
  assert.deepEqual(treeOf("alaivo 1 na0ary1, 2"), treeOf("alaivo 1 na 0 ary 1, 2"));
});

test("splitting a word does not read the words after it", () => {
  const text = "na0x 'y' z";
  const word = tokensOf(text, "original");
  const restToken = restOfWord(text, word, 2);
  assert.deepEqual([restToken.text, restToken.next?.text], ["0", "x"]);
  assert.equal(restToken.next?.next, word.next);
  // If each step read all the remaining text, this would take hours.
  const tree = treeOf(`alaivo ${"1 na0,".repeat(100_000)}1`);
  assert.ok(tree.kind === "query" && tree.query.kind === "select");
  assert.equal(tree.query.fields?.length, 100_001);
});

test("a statement that exceeds a limit fails with an error that names the limit", () => {
  for (const [text, limit] of [
    [`select ${"(".repeat(100)}1${")".repeat(100)}`, "32 levels"],
    [`select ${"!".repeat(100)}1`, "32 levels"],
    [`select ${"- ".repeat(100_000)}1`, "32 levels"],
    [`select * from ${"(select * from ".repeat(100)}t`, "32 levels"],
    [`select 1 where ${"not ".repeat(100)}1`, "32 levels"],
    [`select 1${" + 1".repeat(1001)}`, "500 operators"],
    [`select 1${" is null".repeat(1001)}`, "500 operators"],
    [`select 1 where 1${" or 1".repeat(1001)}`, "500 operators"],
    [`select 1${" union select 1".repeat(40)}`, "32 queries"],
    [`select * from t${" join t".repeat(40)}`, "32 joins"],
    [`select ${"9".repeat(400)}`, "too large"],
    ["create view v as select ?", "a \\? in a view"],
    [`select '${"x".repeat(STATEMENT_BYTES_MAX)}'`, `${STATEMENT_BYTES_MAX} bytes`],
  ] as const)
    assert.match(mistakeOf(text), new RegExp(`(too much|Be loatra).*${limit}`), text.slice(0, 60));
  treeOf(`select 1${" + 1".repeat(500)}`);
  treeOf(`select ${"(".repeat(30)}1${")".repeat(30)}`);
});

test("comments before the first word use no stack, however long or numerous they are", () => {
  const size = STATEMENT_BYTES_MAX - 100;
  const beginnings = [
    `/*${"*".repeat(size)}/`,
    "/**/".repeat(size / 4),
    "--\n".repeat(size / 4),
    " ".repeat(size),
  ];
  for (const beginning of beginnings) {
    const { statement, language } = parse(`${beginning} select 1`);
    assert.ok(!(statement instanceof SqlMistake), beginning.slice(0, 8));
    assert.equal(language, "english");
    const long = parse(`${beginning.repeat(amount(2, 4))} select 1`);
    assert.ok(long.statement instanceof SqlMistake && long.statement.kind === "limit", beginning.slice(0, 8));
  }
  for (const open of ["/*", "/* *", "/*/"]) assert.equal(parse(`${open} select 1`).language, "english", open);
});

test(`no bytes cause more than a syntax error (seed ${seed})`, () => {
  const random = new SeededRandom(seed, 0);
  const words = [
    ...PAIRS.flat().flatMap((text) => text.split(/(?=\W)|(?<=\W)/)),
    "\xff",
    "\x00",
    "'",
    "\\",
    "\xc3",
  ];
  for (let round = 0; round < amount(1_500, 20_000); round++) {
    const text = random.chance(0.5)
      ? Array.from({ length: random.below(20) }, () => random.oneOf(words)).join(random.oneOf(["", " "]))
      : broken(random, bytesOfText(random.oneOf(random.oneOf(PAIRS))));
    const { statement, language } = parse(text);
    if (statement instanceof SqlMistake) mistakeFailure(text, language, statement);
  }
});

function broken(random: SeededRandom, text: string): string {
  const at = random.below(text.length);
  const inserted = random.oneOf(["", "(", "'", "#", "@", "\xe9", ";", text.slice(at, at + 9)]);
  return text.slice(0, at) + inserted + text.slice(at + random.below(4));
}

test("a statement is parsed only once while it is in use, however often it is requested", () => {
  for (const length of [10, 5000]) {
    const statements = Array.from({ length: 16 }, (_, i) => `select '${"x".repeat(length)}${i}'`);
    const trees = statements.map((statement) => parse(statement).statement);
    for (const [i, statement] of statements.entries())
      assert.equal(parse(Buffer.from(statement).toString()).statement, trees[i]);
  }
  const tree = parse("select 1 first").statement;
  for (let i = 0; i < 60; i++) parse(`select ${i}`);
  assert.equal(parse("select 1 first").statement, tree);
});

test("a list of group keys in parentheses is limited only by the statement's length", () => {
  const keys = 200_000;
  const { statement } = parse(
    bytesOfText(`select count(*) from t group by (${Array(keys).fill("k").join()})`),
  );
  assert.ok(
    !(statement instanceof SqlMistake) && statement.kind === "query" && statement.query.kind === "select",
  );
  assert.equal(statement.query.groupBy?.length, keys);
});

test("a case needs a branch and an end, and a cast a known type without a length", () => {
  for (const [text, reason] of [
    ["select case end", /expected: a column/],
    ["select case 1 else 2 end", /expected: when/],
    ["select case when 1 then 2", /expected: end/],
    ["select case when 1 2 end", /expected: then/],
    ["select cast(1 as date)", /number, integer or text/],
    ["select lower(all 'a')", /all/],
  ] as const)
    assert.match(mistakeOf(text), reason, text);
  assert.match(
    mistakeOf(`select ${"case when 1 then ".repeat(2000)}1${" end".repeat(2000)}`),
    /more than 32 levels/,
  );
});
