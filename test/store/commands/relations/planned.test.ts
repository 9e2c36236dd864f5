/**
 * A planned query gives the rows, in the order, that checking each condition where it is written gives: random joins over tables with and
 * without keys, in both forms. DBSYNC_SEED replays a run.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ByteString, bytesOfText } from "../../../../protocol/byte-string.js";
import { integer } from "../../../../protocol/reply.js";
import { STEP_ITEMS } from "../../../../protocol/steps.js";
import { CommandFailure } from "../../../../store/arguments/errors.js";
import { commandTable } from "../../../../store/command-table.js";
import type { Evaluation } from "../../../../store/commands/relations/evaluation.js";
import { answered, answering } from "../../../../store/commands/relations/queries.js";
import { Sources } from "../../../../store/commands/relations/sources.js";
import { Database } from "../../../../store/database.js";
import type { Command } from "../../../../store/rows/command.js";
import { SqlMistake } from "../../../../store/sql/mistake.js";
import { formOf, parse } from "../../../../store/sql/parse.js";
import type { Form } from "../../../../store/sql/tree.js";
import { amount } from "../../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";

const RUNS = amount(30, 300);
const QUERIES = 60;
const seed = seedOfRun();

const UNIT = { at: 1_000_000, db: 0, id: "unit" };
const sql = commandTable.find("SQL") as Command;

interface Outcome {
  readonly name: string;
  readonly columns: unknown;
  readonly rows: readonly unknown[];
}

/** Both ways, or an error. */
function outcomes(database: Database, text: string, form: Form): (Outcome | string)[] {
  const { statement, language } = parse(bytesOfText(text), form);
  if (statement instanceof SqlMistake || statement.kind !== "query") assert.fail(`${text}: no query`);
  const { query } = statement;
  const found: (Outcome | string)[] = [];
  const run: Command["run"] = (data) => {
    for (const isPlanned of [false, true]) {
      const evaluation: Evaluation = {
        data,
        database: "d",
        language,
        parameters: [],
        at: UNIT.at,
        work: { rows: 0 },
        form: formOf(language, form),
        english: form,
        isPlanned,
        sources: new Sources(),
      };
      found.push(outcomeOf(() => answered(query, evaluation)));
    }
    return integer(0);
  };
  database.run({ ...sql, run }, ["SQL", "d", text], UNIT);
  return found;
}

function outcomeOf(run: () => ReturnType<typeof answered>): Outcome | string {
  try {
    const { name, columns, rows } = run();
    // As text: what is not a number is none, and -0 is 0.
    return { name, columns, rows: rows.map((row) => JSON.stringify(row)) };
  } catch (problem) {
    // Of two errors either may be found first.
    if (problem instanceof CommandFailure) return "refused";
    throw problem;
  }
}

const TABLES = ["t", "u", "w"];
const COLUMNS = ["k", "v", "s"];

class Writer {
  readonly #random: SeededRandom;
  readonly #isEnglish: boolean;
  #aliases: string[] = [];

  constructor(random: SeededRandom, isEnglish: boolean) {
    this.#random = random;
    this.#isEnglish = isEnglish;
  }

  query(): string {
    const random = this.#random;
    this.#aliases = [];
    const from = this.#source();
    const joins = Array.from({ length: random.between(1, 3) }, () => this.#join());
    const where = random.chance(0.8) ? this.#words(" where ", " #rehefa ") + this.#condition(3) : "";
    const fields = random.chance(0.7) ? "*" : this.#field();
    return `${this.#words("select", "alaivo")} ${fields} ${this.#words("from", "#ao@")} ${from}${joins.join("")}${where}`;
  }

  #words(english: string, malagasy: string): string {
    return this.#isEnglish ? english : malagasy;
  }

  #field(): string {
    return `${this.#column()} x, ${this.#column()} y`;
  }

  #source(): string {
    const alias = `a${this.#aliases.length}`;
    this.#aliases.push(alias);
    const table = this.#random.oneOf(TABLES);
    if (this.#random.chance(0.8)) return `${table} ${alias}`;
    const where = this.#random.chance(0.5) ? this.#words(" where k > 2", " #rehefa k > 2") : "";
    return `(${this.#words("select * from", "alaivo * #ao@")} ${table}${where}) ${alias}`;
  }

  #join(): string {
    const kind = this.#random.below(14);
    const [english, malagasy] =
      kind < 7
        ? ["join", "tonona@"]
        : kind < 9
          ? ["left join", "tonona:avia@"]
          : kind < 11
            ? ["right join", "tonona:avanana@"]
            : kind < 13
              ? ["full join", "tonona:feno@"]
              : ["natural join", "tonona:natoraly@"];
    const left = this.#random.oneOf(this.#aliases);
    const source = this.#source();
    const right = this.#aliases.at(-1) as string;
    const head = ` ${this.#words(english as string, `#${malagasy}`)} ${source}`;
    if (kind === 13 || this.#random.chance(0.07)) return head;
    const equal = `${left}.${this.#random.oneOf(COLUMNS)} = ${right}.${this.#random.oneOf(COLUMNS)}`;
    const on = this.#random.chance(0.75) ? equal : this.#test();
    const more = this.#random.chance(0.5) ? this.#words(" and ", " ary ") + this.#test() : "";
    return `${head} ${this.#words("on", "#ka")} ${on}${more}`;
  }

  #condition(most: number): string {
    const tests = Array.from({ length: this.#random.between(1, most) }, () => this.#test());
    const [and, or] = [this.#words("and", "ary"), this.#words("or", "na")];
    return tests.reduce((all, each) => `${all} ${this.#random.oneOf([and, and, and, or])} ${each}`);
  }

  #test(): string {
    const random = this.#random;
    const kind = random.below(12);
    if (kind < 5) return `${this.#column()} = ${this.#value()}`;
    if (kind < 7) return `${this.#column()} = ${this.#column()}`;
    if (kind < 9) return `${this.#column()} ${random.oneOf(["<", ">=", "!="])} ${this.#value()}`;
    if (kind < 10) return `${this.#column()} ${this.#words("is", "dia")} null`;
    // It may fail.
    if (kind < 11) return `${this.#column()} + 10 / ${this.#column()} > ${this.#value()}`;
    return `!(${this.#column()} = ${this.#value()})`;
  }

  #column(): string {
    return `${this.#random.oneOf(this.#aliases)}.${this.#random.oneOf(COLUMNS)}`;
  }

  #value(): string {
    return this.#random.oneOf(["0", "1", "2", "3", "5", "'1'", "'a'", "null", "'true'"]);
  }
}

function filled(random: SeededRandom): Database {
  const database = new Database();
  const execute = (statement: string) =>
    database.execute(["SQL", "d", bytesOfText(statement) as ByteString], UNIT);
  execute("create database d");
  for (const name of TABLES) {
    const key = random.oneOf(["", " primary key", " unique"]);
    execute(`create table ${name} (k number:text${key}, v number, s text)`);
    // Fewer rows than an index is used for, and more.
    const rows = random.oneOf([0, 3, 15, 40]);
    for (let row = 0; row < rows; row++) {
      const k = random.chance(0.9) ? String(random.below(key === "" ? 8 : 60)) : "'1'";
      const v = random.oneOf(["0", "1", "2", "null", "3"]);
      execute(
        `insert into ${name} values (${k}, ${v}, ${random.oneOf(["'a'", "'1'", "'true'", "null", "''"])})`,
      );
    }
    if (random.chance(0.5)) execute(`delete from ${name} where v = 1`);
  }
  return database;
}

test(`${RUNS * QUERIES} planned queries give what their conditions give where they are written (seed ${seed})`, () => {
  let [rows, refused] = [0, 0];
  for (let run = 0; run < RUNS; run++) {
    const random = new SeededRandom(seed, run);
    const database = filled(random);
    for (let i = 0; i < QUERIES; i++) {
      const isEnglish = random.chance(0.5);
      const text = new Writer(random, isEnglish).query();
      const form = random.oneOf(["standard", "recorded"] as const);
      const [due, planned] = outcomes(database, text, form);
      assert.deepEqual(planned, due, `seed ${seed}, run ${run}, query ${i}, ${form}: ${text}`);
      if (typeof due === "string") refused++;
      else rows += due?.rows.length ?? 0;
    }
  }
  assert.ok(rows > amount(2_000, 20_000) && refused > amount(20, 200), `${rows} rows, ${refused} errors`);
});

/** How many steps a query takes, between which other requests are served, and how many rows it has. */
function stepsOf(database: Database, text: string): { steps: number; rows: number } {
  const { statement, language } = parse(bytesOfText(text));
  if (statement instanceof SqlMistake || statement.kind !== "query") assert.fail(`${text}: no query`);
  const { query } = statement;
  const found = { steps: 0, rows: 0 };
  const run: Command["run"] = (data) => {
    const work = answering(query, {
      data,
      database: "d",
      language,
      parameters: [],
      at: UNIT.at,
      work: { rows: 0 },
      form: "standard",
      english: "standard",
      isPlanned: true,
      sources: new Sources(),
    });
    let step = work.next();
    for (; step.done !== true; step = work.next()) found.steps++;
    found.rows = step.value.rows.length;
    return integer(0);
  };
  database.run({ ...sql, run }, ["SQL", "d", text], UNIT);
  return found;
}

test("every part of a query ends its step after a bounded number of rows and operators", () => {
  const database = new Database();
  const execute = (statement: string) => database.execute(["SQL", "d", bytesOfText(statement)], UNIT);
  execute("create database d");
  const many = 40 * STEP_ITEMS;
  const created = (name: string, rows: number) => {
    execute(`create table ${name} (k number primary key, v number)`);
    execute(`insert into ${name} values ${Array.from({ length: rows }, (_, i) => `(${i},${i % 100})`)}`);
  };
  created("t", many);
  created("few", 100);
  const turns = many / STEP_ITEMS;
  const found = (text: string) => stepsOf(database, text);
  // The pairs, and their order.
  const byIndex = found("select t.k from t join few f on t.v = f.v");
  assert.equal(byIndex.rows, many);
  assert.ok(byIndex.steps > 6 * turns, `index: ${byIndex.steps} steps`);
  // The rows that are checked, and those without a partner.
  const unmatched = found("select 1 from t left join few f on t.k = f.k and f.v < 0");
  assert.equal(unmatched.rows, many);
  assert.ok(unmatched.steps >= 3 * turns, `without a partner: ${unmatched.steps} steps`);
  // One row on the left, whose partners are all rows.
  const one = found("select v from (select 1 a) s natural join (select 1 a, v from t) u");
  assert.equal(one.rows, many);
  assert.ok(one.steps >= 4 * turns, `natural: ${one.steps} steps`);
  const wide = Array.from({ length: 100 }, () => `v${"+1".repeat(100)}`).join(",");
  const rows = 100;
  for (const text of [
    `select ${wide} from few`,
    `select k from few order by ${wide}`,
    `select count(*) from few group by ${wide}`,
    `select ${wide.replaceAll(/[^,]+/g, "sum($&)")} from few`,
  ])
    assert.ok(found(text).steps >= rows, `${text.slice(0, 30)}: ${found(text).steps} steps`);
});
