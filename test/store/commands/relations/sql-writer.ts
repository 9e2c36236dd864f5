/**
 * Random English statements over two tables, written so that precedence decides what belongs together. Numbers are written as doubles, as
 * SQLite divides whole numbers otherwise; numbers and texts are compared with their own kind.
 */
import type { SeededRandom } from "../../../support/seeded-random.js";

const NUMBERS = ["k", "v", '"order"'];

export class SqlWriter {
  readonly #random: SeededRandom;
  /** Of the sources of the query that is being written; null: names alone say which column is meant. */
  #aliases: readonly string[] | null = null;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  tables(): readonly string[] {
    return ["t", "u"].map((name) => `create table ${name} (k number, v number, s text, "order" number)`);
  }

  statement(): string {
    const random = this.#random;
    const kind = random.below(20);
    this.#aliases = null;
    const table = random.oneOf(["t", "u"]);
    if (kind < 5) return `insert into ${table} values ${this.#list(1, 3, () => this.#row())}`;
    if (kind < 6)
      return `insert into ${table} (k, s) select ${this.#number(1)}, ${this.#text()} from ${table}${this.#where()} order by 1, 2 limit 2`;
    if (kind < 7) return `delete from ${table} where ${this.#condition(2)}`;
    if (kind < 9)
      return `update ${table} set ${random.oneOf(NUMBERS)} = ${this.#number(2)}${this.#chance(0.8, () => ` where ${this.#condition(2)}`)}`;
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
    const fields = this.#list(width, width, (i) => `${this.#field()}${this.#alias(i)}`);
    const distinct = this.#chance(0.2, () => "distinct ");
    return this.#commented(`select ${distinct}${fields} from ${from}${this.#where()}${this.#tail(width)}`);
  }

  #joined(table: string): string {
    const random = this.#random;
    const other = random.oneOf(["t", "u"]);
    if (random.chance(0.1) && other !== table) {
      this.#aliases = [table, other];
      return `${table} natural join ${other}`;
    }
    const kind = random.oneOf(["join", "inner join", "left join", "right join", "full join"]);
    this.#aliases = ["a", "b"];
    const first = random.chance(0.7) ? `${this.#key("a")} = ${this.#key("b")} and ` : "";
    return `${table} a ${kind} ${other} as b on ${first}${this.#condition(2)}`;
  }

  /** A column of a source, or what is calculated from its columns. */
  #key(alias: string): string {
    const random = this.#random;
    const column = () => `${alias}.${random.oneOf(NUMBERS)}`;
    return random.chance(0.6) ? column() : `${column()} ${random.oneOf(["+", "-", "*", "/"])} ${column()}`;
  }

  #grouped(table: string): string {
    const random = this.#random;
    const key = random.oneOf(["k", "s", "k + v", "v is null", '"order"']);
    const calls = this.#list(1, 3, (i) => `${this.#call()}${this.#alias(i)}`);
    const where = this.#where();
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
    const operator = this.#random.oneOf(["union", "except", "intersect"]);
    const one = () =>
      `select ${this.#number(2)}, ${this.#name()} from ${this.#random.oneOf(["t", "u"])}${this.#where()}`;
    return `${one()} ${operator} ${one()}${this.#tail(2)}`;
  }

  #call(): string {
    const random = this.#random;
    const name = random.oneOf(["count", "sum", "avg", "min", "max"]);
    if (random.chance(0.2)) return "count(*)";
    if (random.chance(0.15)) return `${random.oneOf(["count", "min", "max"])}(s)`;
    return `${name}(${this.#chance(0.2, () => "distinct ")}${random.chance(0.7) ? this.#name() : this.#number(1)})`;
  }

  #field(): string {
    const random = this.#random;
    if (random.chance(0.25)) return this.#condition(2);
    return random.chance(0.3) ? this.#text() : this.#number(2);
  }

  /** Where a field begins is marked, so that they can be counted. */
  #alias(i: number): string {
    return `${this.#random.oneOf(["", ` f${i}`, ` as f${i}`, ` "f ${i}"`])}${i > 0 ? "/**/" : ""}`;
  }

  #where(): string {
    return this.#chance(0.6, () => ` where ${this.#condition(3)}`);
  }

  /** With a limit by all fields, so that it leaves out the same rows. */
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
    if (kind < 5)
      return `${this.#number(0)} ${random.oneOf(["=", "<>"])} ${this.#number(0)} ${this.#comparison()} ${this.#number(0)}`;
    if (kind < 6) return `not ${this.#condition(depth - 1)}`;
    if (kind < 7) return `(${this.#condition(depth - 1)})`;
    return `${this.#condition(depth - 1)} ${random.oneOf(["and", "or"])} ${this.#condition(depth - 1)}`;
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
    return `${this.#number(depth - 1)} ${random.oneOf(["+", "-", "*", "/"])} ${this.#number(depth - 1)}`;
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
    return random.chance(0.4)
      ? this.#of("s")
      : random.oneOf(["'a'", "'b'", "'it''s'", "''", "'é'", "null", "'--'"]);
  }

  /** A column; a number or a text where there are none. */
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
