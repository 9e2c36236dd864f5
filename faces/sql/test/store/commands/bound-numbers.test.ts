/**
 * Tests that there is one definition of the numbers that texts represent: a bound text is the same number as in SQLite
 * and as the number in a statement, and an index finds the rows that checking all rows finds. DBSYNC_SEED replays a
 * run.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { commandBytes } from "../../../../../client/shared/command-bytes.js";
import { Database } from "../../../../../daemon/store/database.js";
import { bytesOfText } from "../../../../../protocol/byte-string.js";
import { shown } from "../../../../../test/conformance/resp2-fold.js";
import { amount } from "../../../../../test/support/amount.js";
import { SeededRandom, seedOfRun } from "../../../../../test/support/seeded-random.js";
import { answersOfSqlite, type BoundStatement, type Rows } from "./sqlite-answers.js";
import { outcomeOfReply } from "./transcript.js";

const seed = seedOfRun();

/** Texts of numbers, in the forms in which programs of several languages write them. */
const NUMBERS = [
  ...["1e-05", "1e-7", "1E-7", "1e+21", "1.0E+25", "1.0E-7", "2.5e0", "1e-400", "-1e3", "5e-324"],
  ...["+1", "01", " 1", "1 ", "\t1\r\n", "-01", "+01.50", "1.", ".5", "-.5", "00", "-0", "+0.0", "-0e5"],
  ...["9007199254740992", "9007199254740994", "123456789012345678901", "-123456789012345678901"],
];
/** Texts of numbers that are too large for a double. */
const INFINITE = ["1e999", "-1e999", ` ${"9".repeat(400)}`];
/** Texts that are not numbers. */
const OTHERS = [
  ...["", " ", ".", "e1", "1e", "1e+", "1e5.5", "1 2", "- 1", "+-1", "--1", "1_000", "1,5", "0x10", "0x"],
  ...["NaN", "Infinity", "-Infinity", "inf", "nan", "true", "abc", "1abc", "\u00a01", "1\u2003", "\u0661"],
];

/** Rows of a column of numbers, as a statement writes them. */
const CELLS = [
  ...["-1e3", "-1.0", "-0.5", "0.0", "1e-07", "1e-05", "0.5", "1.0", "1.5", "2.5", "3.5", "10.0"],
  ...["9007199254740992.0", "1e21", "1e25", "123456789012345678901.0", "null"],
];

/** Matches an exponent that may make a number too large. */
const TOO_LARGE = /e\+?\d{3}/i;

function randomTexts(random: SeededRandom, count: number): readonly string[] {
  const parts = ["0", "1", "7", "15", ".", "e", "E", "+", "-", " ", "x"];
  return Array.from({ length: count }, () =>
    Array.from({ length: random.between(1, 6) }, () => random.oneOf(parts)).join(""),
  );
}

class Tables {
  readonly #database = new Database();

  constructor(...statements: readonly string[]) {
    for (const text of ["create database d", ...statements])
      assert.doesNotMatch(this.shown(text), /^-/, text);
  }

  shown(text: string, ...bound: readonly string[]): string {
    return shown(this.#execute(text, bound));
  }

  rows(text: string, ...bound: readonly string[]): Rows | string {
    const outcome = outcomeOfReply(this.#execute(text, bound));
    return outcome.kind === "rows" ? (outcome.rows as Rows) : outcome.kind === "error" ? outcome.text : [];
  }

  #execute(text: string, bound: readonly string[]) {
    const argv = ["SQL", "d", ...[text, ...bound].map(bytesOfText)];
    return this.#database.execute(argv, { at: 1_000_000, db: 0, id: "unit" });
  }
}

const plain = (rows: Rows | string) =>
  typeof rows === "string"
    ? "an error"
    : rows.map((row) =>
        row.map((value) => (typeof value === "boolean" || value === 0 ? Number(value) + 0 : value)),
      );

/** Statements with one bound text, which are executed for every text. */
const COMPARISONS = [
  ...["=", "!=", "<", "<=", ">", ">="].flatMap((sign) => [
    `select k from n where k ${sign} ? order by k`,
    `select k from n where ? ${sign} k order by k`,
  ]),
  "select k from n where k in (?) order by k",
  "select k from n where k not in (2.5, ?, -1e3) order by k",
  "select k from n where k between ? and 2.0 order by k",
  "select k from n where k not between -1.0 and ? order by k",
  "select k, case k when ? then 'yes' else 'no' end from n order by k",
  "select a.k, b.k from n a join n b on a.k = b.k where b.k = ?",
  "select a.k from n a join n b on a.k = b.k and b.k <= ? order by a.k",
  "select (select count(*) from n where k > ?) from n where k = 1.0",
  "select case when ? then 'yes' else 'no' end",
];
/** The same for texts that are not too large a number, which is an error here. */
const CALCULATIONS = [
  "select k + ? from n where k in (0.5, 1.5) order by k",
  "select k from n where k < ? * 2.0 order by k",
  "select cast(? as real)",
  "select -? * 1.0",
  "select abs(?) * 1.0",
];

test(`a bound text is the same number as in SQLite (seed ${seed})`, (context) => {
  const random = new SeededRandom(seed);
  const texts = [...NUMBERS, ...OTHERS, ...randomTexts(random, amount(150, 3000))];
  const make = [
    "create table n (k real)",
    `insert into n values ${CELLS.map((cell) => `(${cell})`).join(", ")}`,
  ];
  const queries: BoundStatement[] = [
    ...[...texts, ...INFINITE].flatMap((text) => COMPARISONS.map((query) => [query, [text]] as const)),
    ...texts
      .filter((text) => !TOO_LARGE.test(text))
      .flatMap((text) => CALCULATIONS.map((query) => [query, [text]] as const)),
  ];

  const answers = answersOfSqlite([[...make, ...queries]]);
  if (answers === null) return context.skip("no python3 with SQLite 3.39 or later");
  const [, , ...theirs] = answers[0] ?? [];

  for (const unique of ["", " unique"]) {
    const tables = new Tables(`create table n (k number${unique})`, make[1] as string);
    for (const [i, query] of queries.entries()) {
      const [text, bound] = query as readonly [string, readonly string[]];
      const where = `seed ${seed}: ${text} ${JSON.stringify(bound)}`;
      assert.notEqual(typeof theirs[i], "string", where);
      assert.deepEqual(plain(tables.rows(text, ...bound)), plain(theirs[i] as Rows), where);
    }
  }
});

test("a column of numbers accepts exactly the texts that SQLite converts", (context) => {
  const texts = [...NUMBERS, ...OTHERS, ...randomTexts(new SeededRandom(seed, 1), 100)];
  const statements = texts.flatMap((text) => [
    ["insert into n values (?)", [text]] as const,
    "select k, typeof(k) from n",
    "delete from n",
  ]);

  const answers = answersOfSqlite([["create table n (k real)", ...statements]])?.[0];
  if (answers === undefined) return context.skip("no python3 with SQLite 3.39 or later");

  for (const [i, text] of texts.entries()) {
    const [[value, type] = []] = answers[2 + 3 * i] as Rows;
    const tables = new Tables(
      "create table n (k number)",
      "create table m (k number)",
      "insert into m values (3)",
    );
    const isNumber = type === "real";
    assert.equal(tables.shown("insert into n values (?)", text) === ":1", isNumber, JSON.stringify(text));
    assert.equal(tables.shown("update m set k = ?", text) === ":1", isNumber, JSON.stringify(text));
    assert.deepEqual(tables.rows("select k from n"), isNumber ? [[(value as number) + 0]] : []);
    assert.deepEqual(tables.rows("select k from m"), isNumber ? [[(value as number) + 0]] : [[3]]);
  }
});

test("a change with a bound number has the effect of the number in the statement", () => {
  for (const [written, text] of [
    ["0.00001", "1e-05"],
    ["0.0000001", "1e-7"],
    ["1", "+1"],
    ["1", "01"],
    ["1", " 1"],
    ["1000000000000000000000", "1e+21"],
  ] as const)
    for (const statement of [
      "delete from price where p < ?",
      "delete from price where p >= ?",
      "delete from price where p = ? + 0.5",
      "fafao ao price rehefa p < ?",
      "fafao ao price rehefa p >= ?",
      "fafao ao price rehefa p = ? + 0.5",
      "update price set p = p + ? where p between ? and 3",
      "update price set p = ?",
      "havaozy price ova p = p * ? rehefa p > ?",
      "insert into price (p) values (?)",
    ]) {
      const outcomes = [written, null].map((number) => {
        const tables = new Tables(
          "create table price (p number)",
          "insert into price values (1.5), (2.5), (3.5)",
        );
        const given = number === null ? statement : statement.replaceAll("?", number);
        const bound = number === null ? Array(statement.split("?").length - 1).fill(text) : [];
        return [tables.shown(given, ...bound), tables.rows("select * from price")];
      });
      assert.deepEqual(outcomes[1], outcomes[0], `${statement} ${text}`);
    }
});

test("a program's number arrives as the number that a statement denotes", () => {
  const random = new SeededRandom(seed, 3);
  const view = new DataView(new ArrayBuffer(8));
  const numbers = Array.from({ length: 200 }, () => {
    view.setUint32(0, random.below(2 ** 32));
    view.setUint32(4, random.below(2 ** 32));
    return view.getFloat64(0);
  }).filter(Number.isFinite);

  const tables = new Tables("create table n (k number)", "create table m (p number)");
  for (const number of [
    1e-7,
    1e-5,
    1e21,
    -0,
    2 ** 53,
    -(2 ** 63),
    Number.MIN_VALUE,
    Number.MAX_VALUE,
    ...numbers,
  ]) {
    const sent = commandBytes(["SQL", "d", "insert into n values (?)", number]);
    const bound = sent.split("\r\n").at(-2) as string;
    assert.equal(tables.shown("insert into n values (?)", bound), ":1", bound);
    const written = number < 0 ? `0 - ${-number}` : String(number);
    assert.deepEqual(tables.rows("select k from n where k = ?", bound), [[number + 0]], bound);
    assert.deepEqual(tables.rows(`select k from n where k = ${written}`), [[number + 0]], bound);
    assert.equal(tables.shown("delete from n where not k < ?", bound), ":1", bound);
  }

  assert.equal(tables.shown("insert into m values (1.5), (2.5), (3.5)"), ":3");
  assert.equal(tables.shown("delete from m where p < ?", String(1e-7)), ":0");
  for (const number of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
    assert.throws(() => commandBytes(["SQL", "d", "select ?", number]), /finite/);
});

test("a Malagasy statement calculates with texts as the original, and with bound values as with numbers", () => {
  const tables = new Tables(
    "create table n (s text)",
    "insert into n values ('1e5'), ('+5'), ('.5'), (' 12'), ('yes')",
  );
  assert.deepEqual(tables.rows("alaivo s + 1 #ao@ n"), [[2], [1], [1], [13], [2]]);
  assert.deepEqual(tables.rows("alaivo -'1e5', '12'+1, 'abc'+1, '5 kg' * 2"), [[-1, 13, 1, 10]]);
  assert.deepEqual(tables.rows("alaivo -?, ? + 1, ? * 2, ? + 0", "1e-5", "+5", ".5", "5 kg"), [
    [-1e-5, 6, 1, 5],
  ]);
  // The literal is the number 1 with an alias, as recorded.
  assert.deepEqual(tables.rows("alaivo 1e5"), [[1]]);
});

test("limits, casts and lists of values convert bound texts by the same definition", () => {
  const tables = new Tables("create table n (k number, s text, e enum(1, 'a'))");
  tables.shown("insert into n values (1, '1e1', null), (2, '007', null), (3, ' 7 ', null), (4, '', null)");
  assert.deepEqual(tables.rows("select k from n limit ? offset ?", "+2", "1e0"), [[2], [3]]);
  for (const limit of ["1.5", "-1", "1e999", "x", ""])
    assert.match(String(tables.rows("select k from n limit ?", limit)), /limit/, limit);
  // A program binds its number 1e-7 as a text.
  assert.deepEqual(tables.rows("select cast(? as integer), cast(? as integer)", "1e-7", "1e+21"), [
    [0, 1e21],
  ]);
  assert.deepEqual(tables.rows("select k from n where s = 10 or s in (7)"), [[1], [2], [3]]);
  // Two texts are compared as texts.
  assert.deepEqual(tables.rows("select k from n where s = ? or s in (?)", "10", "7"), []);
  assert.equal(tables.shown("update n set e = ? where k = 1", " 1.0 "), ":1");
  assert.deepEqual(tables.rows("select e from n where k = 1"), [[1]]);
  assert.match(tables.shown("update n set e = ?", "2"), /^-/);
});

test("a number that is too large is greater than all numbers, or less, and no column accepts it", () => {
  const tables = new Tables("create table n (k number:text)", "create table m (k number)");
  tables.shown("insert into n values (1), (-1), ('1e999'), ('-1e999'), ('2e999')");
  assert.deepEqual(tables.rows("select k from n where k < ? and k != 'x' and k < 5", "1e999"), [
    [1],
    [-1],
    ["-1e999"],
  ]);
  assert.deepEqual(tables.rows("select k from n where 0 > k"), [[-1], ["-1e999"]]);
  // Such texts are equal only to themselves.
  const joined = "select a.k from n a join n b on a.k = b.k where b.k = ?";
  for (let i = 0; i < 20; i++) tables.shown("insert into n values (null)");
  assert.deepEqual(tables.rows(joined, "1e999"), [["1e999"]]);
  assert.match(tables.shown("insert into m values (?)", "1e999"), /^-/);
  for (const statement of ["select k + ? from n", "alaivo k + ? #ao@ n", "alaivo 1 / ?", "alaivo -?"])
    assert.match(tables.shown(statement, "1e999"), /^-/, statement);
});

const ROWS = 40;
const RUNS = amount(15, 200);

/** A query that may use an index, with another that checks all rows. */
const PAIRS: readonly (readonly [indexed: string, scanned: string])[] = [
  ["select * from t where c = ?", "select * from t where c = ? or 1 = 2"],
  ["select * from t where c in (?, ?)", "select * from t where c in (?, ?) or 1 = 2"],
  ["select * from t where c = ? and k > 2", "select * from t where (c = ? or 1 = 2) and k > 2"],
  [
    "select x.k, y.k from t x join t y on x.c = y.c where x.k < 9",
    "select x.k, y.k from t x join t y on x.c = y.c or 1 = 2 where x.k < 9",
  ],
  [
    "select x.k, y.k from t x join t y on x.c = y.c where y.c = ?",
    "select x.k, y.k from t x join t y on x.c = y.c or 1 = 2 where y.c = ? or 1 = 2",
  ],
  [
    "select x.k, y.k from t x left join t y on x.c + 0 = y.c",
    "select x.k, y.k from t x left join t y on x.c + 0 = y.c or 1 = 2",
  ],
  [
    "select k from t where c in (select c from t where k < 5)",
    "select k from t where exists (select 1 from t y where y.k < 5 and (y.c = t.c or 1 = 2))",
  ],
  ["select k, j from t natural join u", "select k, j from t join u on t.c = u.c or 1 = 2"],
  [
    "select k, j from t natural join u where c = ?",
    "select k, j from t join u on t.c = u.c or 1 = 2 where t.c = ? or 1 = 2",
  ],
  ["alaivo * #ao@ t #rehefa c = ?", "alaivo * #ao@ t #rehefa c = ? na 1 = 2"],
  [
    "alaivo x.k, y.k #ao@ t x #tonona@ t y #ka x.c = y.c",
    "alaivo x.k, y.k #ao@ t x #tonona@ t y #ka x.c = y.c na 1 = 2",
  ],
  [
    "alaivo x.k, y.k #ao@ t x #tonona@ t y #ka x.c = y.c #rehefa y.c = ?",
    "alaivo x.k, y.k #ao@ t x #tonona@ t y #ka x.c = y.c na 1 = 2 #rehefa y.c = ? na 1 = 2",
  ],
];

test(`an index finds the rows that a check of all rows finds (seed ${seed})`, () => {
  const huge = ["9007199254740993", "9007199254740992", "9007199254740993.0", "9.007199254740992e15"];
  const pool = [...NUMBERS, ...INFINITE, ...OTHERS, ...huge, "1", "10", "1e1", "010", "16", "0"];
  let found = 0;

  for (let run = 0; run < RUNS; run++) {
    const random = new SeededRandom(seed, 2, run);
    const few = random.shuffled([...pool, ...randomTexts(random, 10)]).slice(0, 25);
    const tables = new Tables(
      "create table t (k number primary key, c text:number)",
      "create table u (j number, c text:number)",
    );

    for (let k = 0; k < 2 * ROWS; k++) {
      const text = random.oneOf(few);
      const number = Number(text);
      const isNumber = random.chance(0.4) && text.trim() !== "" && Number.isFinite(number);
      const into = `insert into ${k < ROWS ? "t" : "u"} values`;
      if (isNumber) tables.shown(`${into} (${k}, ${number})`);
      else tables.shown(`${into} (${k}, ?)`, text);
    }

    for (const [indexed, scanned] of PAIRS) {
      const bound = Array.from({ length: indexed.split("?").length - 1 }, () => random.oneOf(few));
      const where = `seed ${seed}, run ${run}: ${indexed} ${JSON.stringify(bound)}`;
      const [one, other] = [tables.rows(indexed, ...bound), tables.rows(scanned, ...bound)];
      assert.deepEqual(sorted(one), sorted(other), where);
      if (typeof one !== "string") found += one.length;
    }

    const text = random.oneOf(few);
    const counted = tables.rows("select count(*) from t where c = ? or 1 = 2", text);
    const removed = Number(tables.shown("delete from t where c = ?", text).slice(1));
    assert.deepEqual([[removed]], counted, `seed ${seed}, run ${run}: ${text}`);
  }
  assert.ok(found > RUNS * 20, `only ${found} rows`);
});

const sorted = (rows: Rows | string) =>
  typeof rows === "string" ? rows : rows.map((row) => JSON.stringify(row)).toSorted();
