/** Writes a random statement as text, in Malagasy words, with its bound values. */
import type { Condition, Select, Statement, Term, Test } from "./random-statement.js";

const WORDS: Readonly<Record<string, string>> = {
  select: "alaivo",
  distinct: "samihafa",
  from: "#ao@",
  where: "#rehefa",
  on: "#ka",
  group: "#vondrona",
  order: "#alahatra",
  falling: "midina",
  limit: "#fetra",
  inner: "#tonona@",
  left: "#tonona:avia@",
  right: "#tonona:avanana@",
  full: "#tonona:feno@",
  union: "#ankambana@",
  except: "#analana@",
  intersect: "#atifitra@",
  insert: "manampia ao@",
  values: "sanda",
  update: "havaozy",
  set: "ova",
  delete: "fafao ao@",
  and: "ary",
  or: "na",
  "is null": "dia null",
  "is not null": "dia tsy null",
};

export class StatementText {
  readonly bound: string[] = [];
  readonly text: string;

  constructor(statement: Statement) {
    this.text = this.#statement(statement);
  }

  #w(word: string): string {
    return WORDS[word] as string;
  }

  #statement(statement: Statement): string {
    switch (statement.kind) {
      case "select":
        return this.#select(statement.select);
      case "set":
        return `${this.#select(statement.left)} ${this.#w(statement.operator)} ${this.#select(statement.right)}`;
      case "insert": {
        const rows = statement.rows.map((row) => `(${row.map((value) => literal(value)).join(",")})`);
        return `${this.#w("insert")} ${statement.table} (k,s,n) ${this.#w("values")} ${rows.join(",")}`;
      }
      case "update":
        return `${this.#w("update")} ${statement.table} ${this.#w("set")} ${statement.column} = ${this.#term(statement.value)}${this.#where(statement.where)}`;
      case "delete":
        return `${this.#w("delete")} ${statement.table}${this.#where(statement.where)}`;
    }
  }

  #select({ distinct, fields, table, join, where, group, order, limit }: Select): string {
    const parts = [this.#w("select")];
    if (distinct) parts.push(this.#w("distinct"));
    if (group !== null)
      parts.push([...group.by, ...group.calls.map(({ name, of }) => `${name}(${of})`)].join(", "));
    else parts.push(fields === null ? "*" : fields.map((field) => this.#term(field)).join(", "));
    parts.push(this.#w("from"), join === null ? table : `${table} a`);
    if (join !== null)
      parts.push(`${this.#w(join.kind)} ${join.table} b ${this.#w("on")} ${this.#condition(join.on)}`);
    parts.push(this.#where(where).trim());
    if (group !== null && group.by.length > 0) parts.push(`${this.#w("group")} (${group.by.join(", ")})`);
    if (order !== null)
      parts.push(
        `${this.#w("order")} ${this.#term(order.by)}${order.falling ? ` ${this.#w("falling")}` : ""}`,
      );
    if (limit !== null) parts.push(`${this.#w("limit")} ${limit.join(" ")}`);
    return parts.filter((part) => part !== "").join(" ");
  }

  #where(condition: Condition | null): string {
    return condition === null ? "" : ` ${this.#w("where")} ${this.#condition(condition)}`;
  }

  #condition({ tests, words }: Condition): string {
    return tests
      .map((test, i) => `${i === 0 ? "" : `${this.#w(words[i - 1] as string)} `}${this.#test(test)}`)
      .join(" ");
  }

  #test(test: Test): string {
    switch (test.kind) {
      case "compare":
        return `${this.#term(test.left)} ${test.sign} ${this.#term(test.right)}`;
      case "null":
        return `${this.#term(test.term)} ${this.#w(test.not ? "is not null" : "is null")}`;
      case "not":
        return `!(${this.#test(test.test)})`;
    }
  }

  #term(term: Term): string {
    switch (term.kind) {
      case "value":
        return literal(term.value);
      case "bound":
        this.bound.push(term.text);
        return "?";
      case "column":
        return term.of === null ? term.name : `${term.of}.${term.name}`;
      case "sum":
        return `(${this.#term(term.left)} ${term.sign} ${this.#term(term.right)})`;
    }
  }
}

const literal = (value: number | string | null): string =>
  typeof value === "string" ? `'${value.replace(/'/g, "''")}'` : String(value);
