/**
 * SQL statements of the simulated clients: one database with few tables and few row keys, so that units conflict, are
 * undone and applied again.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { SeededRandom } from "../support/seeded-random.js";

type Argv = readonly ByteString[];

const DATABASE = "d";
const VIEW = "create view v as select * from t0";

export class TableCommands {
  readonly #random: SeededRandom;
  readonly #tables: number;
  /** The statements that most other statements depend on. Clients usually send them first. */
  readonly #first: Argv[];
  #count = 0;

  constructor(random: SeededRandom, tables: number) {
    this.#random = random;
    this.#tables = tables;
    this.#first = this.beginning();
  }

  beginning(): Argv[] {
    const made = Array.from({ length: this.#tables }, (_, i) => this.#newTable(`t${i}`));
    return ["create database d", ...made, VIEW].map((statement) => sql(statement));
  }

  write(): Argv {
    const first = this.#random.chance(0.7) ? this.#first.shift() : undefined;
    if (first !== undefined) return first;
    const kind = this.#random.below(100);
    if (kind < 5) return sql("create database d");
    if (kind < 17) return sql(this.#newTable());
    if (kind < 49) return this.#insert();
    if (kind < 74) return sql(`update ${this.#table()} set ${this.#changes()}${this.#where()}`);
    if (kind < 91) return sql(`delete from ${this.#table()}${this.#where()}`);
    return kind < 97 ? sql(this.#definition()) : this.#byKey();
  }

  read(): Argv {
    return sql(
      this.#random.oneOf([
        `select * from ${this.#table()}${this.#where()}`,
        `select a.k, b.s from ${this.#table()} a left join ${this.#table()} b on a.k = b.k`,
        `select k, count(*), sum(n) from ${this.#table()} group by k`,
        "alaivo * #ao@ v",
        "show tables",
        `describe ${this.#table()}`,
      ]),
    );
  }

  /** Returns the key of the database or of a table in it. */
  key(): ByteString {
    return this.#random.chance(0.2) ? `sql:${DATABASE}` : `sql:${DATABASE}:${this.#table()}`;
  }

  #newTable(table = this.#table()): string {
    const uniqueness = this.#random.oneOf(["", "", " unique", " primary key"]);
    return `create table ${table} (k number(0,9)${uniqueness}, s text:number, n number)`;
  }

  #insert(): Argv {
    const random = this.#random;
    const table = this.#table();
    const kind = random.below(10);
    if (kind < 5) {
      const rows = Array.from({ length: random.between(1, 3) }, () => `(${this.#row()})`);
      return sql(`insert into ${table} values ${rows.join(",")}`);
    }
    if (kind < 6) return sql(`insert into ${table} values (?,?,?)`, this.#small(), this.#text(), "7");
    return sql(
      random.oneOf([
        `insert into ${table} (k, s) select k + 1, s from ${this.#table()}${this.#where()}`,
        `insert into ${table} select k, s, n from v where k = ${this.#small()}`,
        `insert into ${table} select * from v limit 0 3`,
        `manampia ao@ ${table} (k, s) sanda (${this.#row().split(",", 2).join(",")})`,
      ]),
    );
  }

  #row(): string {
    return `${this.#random.chance(0.1) ? "null" : this.#small()},'${this.#text()}',${this.#small()}`;
  }

  #changes(): string {
    return this.#random.oneOf([
      "n = n + 1",
      "n = n * 2, s = n",
      "k = k + 1",
      "k = n, n = k",
      `s = '${this.#text()}'`,
      `k = ${this.#small()}`,
    ]);
  }

  #where(): string {
    const random = this.#random;
    if (random.chance(0.15)) return "";
    return ` where ${random.oneOf([
      `k = ${this.#small()}`,
      `k = ${this.#small()} or n = ${this.#small()}`,
      `n > ${this.#small()}`,
      `s = '${this.#text()}'`,
      "n is null",
    ])}`;
  }

  #definition(): string {
    return this.#random.oneOf([
      `create view v as select * from ${this.#table()}${this.#where()}`,
      `create view v as select k, s, n from ${this.#table()} union select k, s, n from ${this.#table()}`,
      VIEW,
      "drop view v",
      "create domain c (number(0,9):enum('a'))",
      `create table ${this.#table()} (k c, s c, n number)`,
      `drop table ${this.#table()}`,
      "drop database d",
    ]);
  }

  /** Uses a key command on a table, which is also a key. */
  #byKey(): Argv {
    const random = this.#random;
    return random.oneOf<Argv>([
      ["DEL", this.key()],
      ["RENAME", this.key(), this.key()],
      ["COPY", this.key(), this.key(), "REPLACE"],
      ["COPY", this.key(), this.key(), "DB", "1"],
      ["PEXPIRE", this.key(), String(random.oneOf([300, 3_000, 60_000]))],
      ["SET", this.key(), "no table"],
    ]);
  }

  #table(): string {
    return `t${this.#random.below(this.#tables)}`;
  }

  #small(): string {
    return String(this.#random.below(6));
  }

  /** Returns one of a few texts, which often exist already, or a unique one. */
  #text(): string {
    return this.#random.chance(0.5) ? `m${this.#random.below(4)}` : `w${++this.#count}`;
  }
}

const sql = (statement: string, ...bound: readonly ByteString[]): Argv => [
  "SQL",
  DATABASE,
  statement,
  ...bound,
];
