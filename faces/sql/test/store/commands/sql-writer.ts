/**
 * Writes random English statements on a few tables, in which precedence determines the grouping. Numbers are written as
 * doubles, because SQLite divides integers differently. Numbers and texts are compared only with values of their type.
 */
import type { SeededRandom } from "../../../../../test/support/seeded-random.js";

const NUMBERS = ["k", "v", '"order"'];
const TEXTS = ["a", "b", "it's", "", "é", "--", "ÀbÇ%", "A_b!", "banana", "Ananas, bananas"];

const written = (text: string) => `'${text.replaceAll("'", "''")}'`;

export class SqlWriter {
  readonly #random: SeededRandom;
  /** Aliases of the sources of the current query, or null if names alone identify columns. */
  #aliases: readonly string[] | null = null;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  /** The table of the current query, whose columns queries within it name if it has no aliases. */
  #table = "t";
  /** Whether a query in the current expression may name columns of the query around it. */
  #mayName = false;

  tables(): readonly string[] {
    const plain = ["t", "u"].map(
      (name) => `create table ${name} (k number, v number, s text, "order" number)`,
    );
    return [
      ...plain,
      "create table w (k number default 2.0, v number not null default -.5, s text default 'it''s')",
    ];
  }

  statement(): string {
    const random = this.#random;
    const kind = random.below(20);
    this.#aliases = null;
    const table = random.oneOf(["t", "u"]);
    this.#table = table;
    this.#mayName = kind >= 5;

    if (kind < 1) return this.#ofPresets();
    if (kind < 5) return `insert into ${table} values ${this.#list(1, 3, () => this.#row())}`;
    if (kind < 6)
      return `insert into ${table} (k, s) select ${this.#number(1)}, ${this.#text()} from ${table}${this.#where()} order by 1, 2 limit 2`;
    if (kind < 7) return `delete from ${table} where ${this.#condition(2)}`;
    if (kind < 9) {
      // SQLite may read rows that the same statement has already changed.
      this.#mayName = false;
      const value = random.chance(0.3) ? this.#valueOfOther(table) : this.#number(2);
      this.#mayName = true;
      return `update ${table} set ${random.oneOf(NUMBERS)} = ${value}${this.#chance(0.8, () => ` where ${this.#condition(2)}`)}`;
    }
    if (kind < 10) return this.#together();
    if (kind < 13) return this.#grouped(table);
    return this.#select(table);
  }

  #row(): string {
    this.#aliases = [];
    const row = `(${this.#number(2)}, ${this.#number(1)}, ${this.#text()}, ${this.#literal()})`;
    this.#aliases = null;
    return row;
  }

  #select(table: string): string {
    const random = this.#random;
    const from = random.chance(0.4) ? this.#joined(table) : table;
    if (random.chance(0.15)) return `select * from ${from}${this.#where()}`;
    const width = random.between(1, 3);
    const named = this.#list(width, width, (i) => `${this.#field()}${this.#alias(i)}`);
    const distinct = random.oneOf(["", "", "", "distinct ", "all "]);
    const [all, columns] = this.#allOf(table, from === table);
    const fields = columns === 0 ? named : random.chance(0.5) ? `${all}, ${named}` : `${named}, ${all}`;
    return this.#commented(
      `select ${distinct}${fields} from ${from}${this.#where()}${this.#tail(width + columns)}`,
    );
  }

  /** Returns a statement on the table with defaults, such as an INSERT that omits columns. */
  #ofPresets(): string {
    const random = this.#random;
    if (random.chance(0.3)) return `select w.*, coalesce(k, v), s from w${this.#tail(5)}`;
    if (random.chance(0.2)) return "delete from w where v > 2.0";
    if (random.chance(0.3))
      return `update w set v = ${random.oneOf(["null", "k", "v + 1.0"])} where k >= 1.0`;
    const columns = random.oneOf(["k", "v", "s", "k, s", "v, k"]);
    const row = () =>
      `(${columns
        .split(", ")
        .map((column) => (column === "s" ? "'a'" : this.#literal()))
        .join(", ")})`;
    return `insert into w (${columns}) values ${this.#list(1, 3, row)}`;
  }

  /** Returns `*` or `t.*`, and its number of columns. Each of the tables has four columns. */
  #allOf(table: string, isAlone: boolean): readonly [text: string, columns: number] {
    const random = this.#random;
    if (random.chance(0.8)) return ["", 0];
    if (isAlone) return [random.oneOf(["*", `${table}.*`, `${table.toUpperCase()}.*`]), 4];
    const aliases = this.#aliases ?? [];
    return aliases[0] === "a" ? [`${random.oneOf(aliases)}.*`, 4] : ["", 0];
  }

  #joined(table: string): string {
    const random = this.#random;
    const other = random.oneOf(["t", "u"]);

    if (random.chance(0.1) && other !== table) {
      this.#aliases = [table, other];
      return `${table} natural join ${other}`;
    }

    this.#aliases = ["a", "b"];
    if (random.chance(0.2)) return `${table} a${random.oneOf([",", " cross join"])} ${other} b`;
    const kind = random.oneOf([
      "join",
      "inner join",
      "left join",
      "left outer join",
      "right join",
      "right outer join",
      "full join",
      "full outer join",
    ]);

    const first = random.chance(0.7) ? `${this.#key("a")} = ${this.#key("b")} and ` : "";
    this.#mayName = false;
    const condition = this.#condition(2);
    this.#mayName = true;
    return `${table} a ${kind} ${other} as b on ${first}${condition}`;
  }

  /** Returns a column of a source, or an expression of its columns. */
  #key(alias: string): string {
    const random = this.#random;
    const column = () => `${alias}.${random.oneOf(NUMBERS)}`;
    return random.chance(0.6) ? column() : `${column()} ${random.oneOf(["+", "-", "*", "/"])} ${column()}`;
  }

  #grouped(table: string): string {
    const random = this.#random;
    const key = random.oneOf([
      "k",
      "s",
      "k + v",
      "v is null",
      '"order"',
      "lower(s)",
      "round(k)",
      "coalesce(v, k)",
    ]);

    this.#mayName = false;
    const calls = this.#list(1, 3, (i) => `${this.#call()}${this.#alias(i)}`);
    this.#mayName = true;
    const where = this.#where();
    this.#mayName = false;
    if (random.chance(0.3)) return `select ${calls} from ${table}${where}`;

    const ofTable = key.replaceAll(/\b[kvs]\b|"order"/g, `${table}.$&`);
    const by = random.oneOf(["1", key, ofTable]);
    const having = this.#chance(
      0.4,
      () => ` having ${this.#call()} ${this.#comparison()} ${this.#literal()}`,
    );
    return `select ${key}, ${calls} from ${table}${where} group by ${by}${having}${this.#tail(1 + calls.split("/**/").length)}`;
  }

  #together(): string {
    const operator = () => this.#random.oneOf(["union", "union all", "except", "intersect"]);
    const one = () => {
      this.#table = this.#random.oneOf(["t", "u"]);
      return `select ${this.#number(2)}, ${this.#name()} from ${this.#table}${this.#where()}`;
    };
    const more = this.#chance(0.3, () => ` ${operator()} ${one()}`);
    return `${one()} ${operator()} ${one()}${more}${this.#tail(2)}`;
  }

  #call(): string {
    const random = this.#random;
    const name = random.oneOf(["count", "sum", "avg", "min", "max"]);
    if (random.chance(0.2)) return "count(*)";
    if (random.chance(0.15)) return `${random.oneOf(["count", "min", "max"])}(s)`;
    if (random.chance(0.15)) return `coalesce(sum(${this.#name()}), ${this.#literal()})`;
    if (random.chance(0.1)) return `round(avg(${this.#name()}), 1)`;
    if (random.chance(0.1)) return `max(length(${this.#of("s")}))`;
    return `${name}(${random.oneOf(["", "", "", "distinct ", "all "])}${random.chance(0.7) ? this.#name() : this.#number(1)})`;
  }

  #field(): string {
    const random = this.#random;
    if (random.chance(0.25)) return this.#condition(2);
    return random.chance(0.3) ? this.#text() : this.#number(2);
  }

  /**
   * Returns an alias or nothing. For every field except the first, a comment follows, because the caller counts fields
   * by their comments.
   */
  #alias(i: number): string {
    return `${this.#random.oneOf(["", ` f${i}`, ` as f${i}`, ` "f ${i}"`])}${i > 0 ? "/**/" : ""}`;
  }

  #where(): string {
    return this.#chance(0.6, () => ` where ${this.#condition(3)}`);
  }

  /**
   * Returns the end of a query. A query with a limit is sorted by all fields, so that both sides omit the same rows.
   */
  #tail(width: number): string {
    const random = this.#random;
    if (random.chance(0.4)) return "";
    const all = Array.from({ length: width }, (_, i) => `${i + 1}${random.oneOf(["", " asc", " desc"])}`);
    const limit = random.oneOf(["", " limit 1", " limit 3 offset 1", " limit 2, 5", " limit 0"]);
    return ` order by ${all.join(", ")}${limit}`;
  }

  #condition(depth: number): string {
    const random = this.#random;
    const kind = random.below(depth > 0 ? 10 : 5);
    if (kind < 2) return `${this.#number(1)} ${this.#comparison()} ${this.#number(1)}`;
    if (kind < 3) return `${this.#text()} ${this.#comparison()} ${this.#text()}`;
    if (kind < 4)
      return `${random.chance(0.5) ? this.#name() : this.#text()} is ${this.#chance(0.5, () => "not ")}null`;
    if (random.chance(0.25)) return this.#test(depth);
    if (kind < 5)
      return `${this.#number(0)} ${random.oneOf(["=", "<>"])} ${this.#number(0)} ${this.#comparison()} ${this.#number(0)}`;
    if (kind < 6) return `not ${this.#condition(depth - 1)}`;
    if (kind < 7) return `(${this.#condition(depth - 1)})`;
    return `${this.#condition(depth - 1)} ${random.oneOf(["and", "or"])} ${this.#condition(depth - 1)}`;
  }

  /** Returns a test of a value, with or without `not`. */
  #test(depth: number): string {
    const random = this.#random;
    const not = this.#chance(0.4, () => "not ");
    const kind = random.below(this.#mayName ? 8 : 6);
    const inner = Math.min(1, depth);
    if (kind === 7) return `${not}exists (select ${random.oneOf(["1", "*", "z.s"])}${this.#namingFrom()})`;
    if (kind === 6)
      return `${this.#number(inner)} ${not}in (select z.${random.oneOf(NUMBERS)}${this.#namingFrom()})`;
    if (kind === 5) return `${this.#number(inner)} ${not}in (${this.#subquery()})`;
    if (kind < 1)
      return `${this.#number(inner)} ${not}between ${this.#number(inner)} and ${this.#number(inner)}`;
    if (kind < 2)
      return `${this.#number(inner)} ${not}in (${this.#chance(0.9, () => this.#list(1, 4, () => this.#number(inner)))})`;
    if (kind < 3) return `${this.#text()} ${not}in (${this.#list(1, 3, () => this.#text())})`;
    if (kind < 4) return `${this.#name()} not null`;
    const escaped = this.#chance(0.3, () => ` escape '${random.oneOf(["!", "%", "_", "a", "é"])}'`);
    return `${this.#text()} ${not}like ${this.#pattern()}${escaped}`;
  }

  /**
   * Returns a text that the tables may contain, with some characters replaced by wildcards or written in another case.
   */
  #pattern(): string {
    const random = this.#random;
    if (random.chance(0.15)) return this.#text();
    const characters = [...random.oneOf(TEXTS)].map((character) => {
      const kind = random.below(8);
      if (kind === 0) return "_";
      if (kind === 1) return "%";
      if (kind === 2) return `%${character}`;
      if (kind === 3) return `${random.oneOf(["!", "a", "%"])}${character}`;
      return kind === 4 ? character.toUpperCase() : character;
    });
    return written(characters.join("") + random.oneOf(["", "", "%", "_"]));
  }

  #comparison(): string {
    return this.#random.oneOf(["=", "<>", "!=", "<", "<=", ">", ">="]);
  }

  #number(depth: number): string {
    const random = this.#random;
    const kind = random.below(depth > 0 ? 8 : 3);
    if (kind < 2) return this.#name();
    if (kind < 3) return this.#literal();
    if (kind < 4) return `-${this.#number(0)}`.replace("--", "- -");
    if (kind < 5) return `(${this.#number(depth - 1)})`;
    if (random.chance(0.3)) return this.#function(depth - 1);
    if (random.chance(0.15)) return this.#case(depth - 1, () => this.#number(0));
    if (random.chance(0.1)) return `(${this.#valueQuery()})`;
    if (random.chance(0.1)) return this.#cast(depth - 1);
    return `${this.#number(depth - 1)} ${random.oneOf(["+", "-", "*", "/"])} ${this.#number(depth - 1)}`;
  }

  /** Returns a call of a function that yields a number. */
  #function(depth: number): string {
    const random = this.#random;
    const name = random.oneOf(["abs", "ABS", "round", "length", "coalesce"]);
    if (name === "length") return `(length(${this.#text()}) + 0.0)`;
    if (name === "coalesce") return `coalesce(${this.#list(2, 4, () => this.#number(depth))})`;
    const digits = this.#chance(
      0.5,
      () => `, ${random.oneOf(["0", "1", "2", "3", "-1", "1.9", "null", "5"])}`,
    );
    const value = random.chance(0.9) ? this.#number(depth) : this.#text();
    return name === "round" ? `round(${value}${digits})` : `${name}(${value})`;
  }

  /** Returns a `case` with or without a value. */
  #case(depth: number, result: () => string): string {
    const random = this.#random;
    const hasValue = random.chance(0.4);
    const when = () => (hasValue ? this.#number(0) : this.#condition(Math.max(0, depth)));
    const branches = Array.from({ length: random.between(1, 3) }, () => `when ${when()} then ${result()}`);
    const otherwise = this.#chance(0.6, () => ` else ${result()}`);
    return `case ${hasValue ? `${this.#number(0)} ` : ""}${branches.join(" ")}${otherwise} end`;
  }

  /** Returns a query of one column. */
  #subquery(): string {
    const random = this.#random;
    const table = random.oneOf(["t", "u"]);
    const where = this.#chance(
      0.7,
      () => ` where ${random.oneOf(NUMBERS)} ${this.#comparison()} ${this.#literal()}`,
    );
    const query = `select ${random.oneOf(["", "distinct "])}${random.oneOf(NUMBERS)} from ${table}${where}`;
    return random.chance(0.2) ? `${query} union select ${this.#literal()}` : query;
  }

  /** Returns the sources and the condition of a query that names columns of the query around it. */
  #namingFrom(tables: readonly string[] = ["t", "u"]): string {
    const random = this.#random;
    const outer = () => `${random.oneOf(this.#aliases ?? [this.#table])}.${random.oneOf(NUMBERS)}`;
    const own = () => `z.${random.oneOf(NUMBERS)}`;
    const other = this.#chance(0.3, () => ` and ${own()} ${this.#comparison()} ${this.#literal()}`);
    const nested = this.#chance(
      0.3,
      () =>
        ` and ${random.oneOf(["", "not "])}exists (select 1 from ${random.oneOf(tables)} y where y.k = ${own()} and y.v ${this.#comparison()} ${outer()})`,
    );
    const sign = random.chance(0.6) ? "=" : this.#comparison();
    return ` from ${random.oneOf(tables)} z where ${own()} ${sign} ${outer()}${other}${nested}`;
  }

  /** Returns a value from the other table, which depends on the row of the table. */
  #valueOfOther(table: string): string {
    const aggregate = this.#random.oneOf(["min", "max", "sum", "count"]);
    const value = `${aggregate}(z.${this.#random.oneOf(NUMBERS)}) + 0.0`;
    return `(select ${value}${this.#namingFrom([table === "t" ? "u" : "t"])})`;
  }

  /** Returns a query of one column with at most one row. */
  #valueQuery(): string {
    const random = this.#random;
    if (this.#mayName && random.chance(0.4)) {
      const aggregate = random.oneOf(["min", "max", "sum", "count"]);
      return `select ${aggregate}(z.${random.oneOf(NUMBERS)}) + 0.0${this.#namingFrom()}`;
    }
    if (random.chance(0.3)) return `select ${random.oneOf(NUMBERS)} from u where 1 = 0`;
    const aggregate = random.oneOf(["min", "max", "sum", "count"]);
    return `select ${aggregate}(${random.oneOf(NUMBERS)}) + 0.0 from ${random.oneOf(["t", "u"])} where k in (${this.#subquery()})`;
  }

  /** Returns a conversion to a number; SQLite divides integers as integers. */
  #cast(depth: number): string {
    const value = this.#random.chance(0.5) ? this.#number(depth) : this.#text();
    return this.#random.chance(0.5) ? `cast(${value} as real)` : `(cast(${value} as integer) + 0.0)`;
  }

  #literal(): string {
    return this.#random.oneOf([
      "0.0",
      "1.0",
      "2.0",
      "3.",
      ".5",
      "1e1",
      "2E-1",
      "+1.0",
      "null",
      "10.0",
      "(0x1F + 0.0)",
    ]);
  }

  #name(): string {
    return this.#of(this.#random.oneOf(NUMBERS));
  }

  #text(): string {
    const random = this.#random;
    if (random.chance(0.15)) return `${random.oneOf(["lower", "upper", "Upper"])}(${this.#text()})`;
    if (random.chance(0.1)) return `coalesce(${this.#list(2, 3, () => this.#text())})`;
    if (random.chance(0.05)) return this.#case(0, () => this.#text());
    if (random.chance(0.05)) return `cast(${this.#text()} as text)`;
    return random.chance(0.4) ? this.#of("s") : random.chance(0.1) ? "null" : written(random.oneOf(TEXTS));
  }

  /** Returns a column, or a number or a text if there are no columns. */
  #of(column: string): string {
    if (this.#aliases === null) return column;
    if (this.#aliases.length === 0) return column === "s" ? "'c'" : "4.0";
    return `${this.#random.oneOf(this.#aliases)}.${column}`;
  }

  #commented(text: string): string {
    if (!this.#random.chance(0.15)) return text;
    return `${text.replace(" from ", " -- it's; a comment\n from /* of ' more\nlines */ ")} -- the end`;
  }

  #chance(chance: number, write: () => string): string {
    return this.#random.chance(chance) ? write() : "";
  }

  #list(least: number, most: number, write: (i: number) => string): string {
    return Array.from({ length: this.#random.between(least, most) }, (_, i) => write(i)).join(", ");
  }
}
