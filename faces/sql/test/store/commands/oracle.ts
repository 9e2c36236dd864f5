/**
 * A second evaluator, as simple as possible. It stores rows in arrays, and checks every pair of a join and every row
 * of a table. It has no indexes and no hashes, and uses no code of the store. There are two tables: `t` accepts
 * anything, and the column `k` of `u` is unique.
 */
import {
  COLUMNS,
  type Condition,
  type Select,
  type Statement,
  type Term,
  type Test,
  type Value,
} from "./random-statement.js";

/** Thrown if the statement is an error. */
export class Refused extends Error {}

type Row = readonly Value[];
interface Named {
  readonly of: string | null;
  readonly name: string;
}

export class Oracle {
  readonly tables: Record<string, Row[]> = { t: [], u: [] };

  /** Runs a statement. @returns the rows, or the number of changed ones @throws Refused */
  run(statement: Statement): readonly Row[] | number {
    switch (statement.kind) {
      case "select":
        return this.#select(statement.select);
      case "set": {
        const left = this.#select(statement.left);
        const right = this.#select(statement.right);
        const inRight = (row: Row) => right.some((other) => same(row, other));
        if (statement.operator === "union") return once([...left, ...right]);
        return statement.operator === "except"
          ? left.filter((row) => !inRight(row))
          : once(left.filter(inRight));
      }
      case "insert": {
        const table = this.#table(statement.table);
        for (const row of statement.rows) for (const [i, value] of row.entries()) checkFit(i, value);
        this.#replace(statement.table, [...table, ...statement.rows]);
        return statement.rows.length;
      }
      case "update":
        return this.#update(statement);
      case "delete": {
        const table = this.#table(statement.table);
        const remaining = table.filter((row) => !this.#meets(row, HEAD, statement.where));
        this.#replace(statement.table, remaining);
        return table.length - remaining.length;
      }
    }
  }

  #update({ table: name, column, value, where }: Extract<Statement, { kind: "update" }>): number {
    const position = COLUMNS.indexOf(column);
    let changed = 0;
    const rows = this.#table(name).map((row) => {
      if (!this.#meets(row, HEAD, where)) return row;
      changed++;
      const copy = [...row];
      let cell = term(value, row, HEAD);
      // In the columns n and k, a bound value that is a number becomes a number.
      if (value.kind === "bound" && position !== 1 && NUMBER.test(value.text)) cell = Number(value.text);
      checkFit(position, cell);
      copy[position] = cell;
      return copy;
    });
    this.#replace(name, rows);
    return changed;
  }

  #table(name: string): Row[] {
    return this.tables[name] as Row[];
  }

  #replace(name: string, rows: Row[]): void {
    const keys = rows.flatMap(([k]) => (k === null ? [] : [k]));
    if (name === "u" && keys.some((key, i) => keys.indexOf(key) !== i)) throw new Refused("not unique");
    this.tables[name] = rows;
  }

  #select({ distinct, fields, table, join, where, group, order, limit }: Select): Row[] {
    let head: readonly Named[] = HEAD;
    let rows = this.#table(table);
    if (join !== null) {
      head = ["a", "b"].flatMap((of) => COLUMNS.map((name) => ({ of, name })));
      rows = this.#join(rows, this.#table(join.table), join, head);
    }
    if (where !== null) rows = once(rows.filter((row) => this.#meets(row, head, where)));
    if (group !== null) rows = groups(rows, group);
    else {
      if (order !== null) rows = ordered(rows, head, order);
      if (fields !== null) rows = rows.map((row) => fields.map((field) => term(field, row, head)));
    }
    if (distinct) rows = once(rows);
    return limit === null ? rows : rows.slice(limit[0], limit[1]);
  }

  #join(left: Row[], right: Row[], { kind, on }: NonNullable<Select["join"]>, head: readonly Named[]): Row[] {
    const nothing = COLUMNS.map(() => null);
    const pairs = left.flatMap((one, i) =>
      right.flatMap((other, j) => (this.#meets([...one, ...other], head, on) ? [{ i, j }] : [])),
    );
    const rows = pairs.map(({ i, j }): Row => [...(left[i] as Row), ...(right[j] as Row)]);
    if (kind === "left" || kind === "full")
      for (const [i, one] of left.entries())
        if (!pairs.some((pair) => pair.i === i)) rows.push([...one, ...nothing]);
    if (kind === "right" || kind === "full")
      for (const [j, other] of right.entries())
        if (!pairs.some((pair) => pair.j === j)) rows.push([...nothing, ...other]);
    return once(rows);
  }

  #meets(row: Row, head: readonly Named[], condition: Condition | null): boolean {
    if (condition === null) return true;
    const { tests, words } = condition;
    let holds = check(tests[0] as Test, row, head);
    for (const [i, word] of words.entries())
      if (holds === (word === "and")) holds = check(tests[i + 1] as Test, row, head);
    return holds;
  }
}

const NUMBER = /^ *[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)? *$/i;

const HEAD: readonly Named[] = COLUMNS.map((name) => ({ of: null, name }));

function groups(rows: readonly Row[], { by, calls }: NonNullable<Select["group"]>): Row[] {
  const places = by.map((name) => COLUMNS.indexOf(name));
  const keys =
    by.length === 0 ? [[]] : once(rows.map((row) => places.map((position) => row[position] as Value)));
  return keys.map((key) => {
    const members = rows.filter((row) =>
      same(
        places.map((position) => row[position] as Value),
        key,
      ),
    );
    const results = calls.map(({ name, of }): Value => {
      const values = members
        .map((row) => row[COLUMNS.indexOf(of)] as Value)
        .filter((value) => value !== null);
      if (name === "count") return values.length;
      if (name === "min" || name === "max") {
        const sorted = values.toSorted(ascending);
        return (name === "min" ? sorted[0] : sorted.at(-1)) ?? null;
      }
      if (values.some((value) => typeof value !== "number")) throw new Refused("no number");
      const sum = (values as number[]).reduce((total, value) => total + value, 0);
      return name === "sum" ? sum : values.length === 0 ? 0 : sum / values.length;
    });
    return [...key, ...results];
  });
}

function ordered(
  rows: readonly Row[],
  head: readonly Named[],
  { by, falling }: NonNullable<Select["order"]>,
): Row[] {
  const keyed = rows.map((row) => ({ row, key: term(by, row, head) }));
  return keyed
    .toSorted((a, b) => (falling ? ascending(b.key, a.key) : ascending(a.key, b.key)))
    .map(({ row }) => row);
}

const rank = (value: Value) => (value === null ? 0 : typeof value === "string" ? 2 : 1);
const bytes = (text: string) => Buffer.from(text).toString("latin1");

function ascending(one: Value, other: Value): number {
  if (rank(one) !== rank(other)) return rank(one) - rank(other);
  if (typeof one === "string" && typeof other === "string")
    return bytes(one) < bytes(other) ? -1 : one === other ? 0 : 1;
  return Number(one) - Number(other);
}

function check(test: Test, row: Row, head: readonly Named[]): boolean {
  if (test.kind === "not") return !check(test.test, row, head);
  if (test.kind === "null") return (term(test.term, row, head) === null) !== test.not;
  const left = term(test.left, row, head);
  const right = term(test.right, row, head);
  if (left === null || right === null) return false;
  const [one, other] =
    typeof left === "string" && typeof right === "string"
      ? [bytes(left), bytes(right)]
      : [number(left), number(right)];
  if (test.sign === "=") return one === other;
  if (test.sign === "!=") return one !== other;
  if (test.sign === "<") return one < other;
  if (test.sign === "<=") return one <= other;
  return test.sign === ">" ? one > other : one >= other;
}

function number(value: Value): number {
  if (typeof value !== "string") return Number(value);
  return NUMBER.test(value) ? Number(value) : Number(value === "true");
}

/** Returns a value in arithmetic: the digits with which a text begins, or the number of a bound text. */
function amountOf(operand: Term, row: Row, head: readonly Named[]): number {
  const value = term(operand, row, head);
  if (typeof value !== "string") return Number(value);
  if (operand.kind === "bound" && NUMBER.test(value)) return Number(value);
  return Number(/^ *-?\d+(\.\d+)?/.exec(value)?.[0] ?? value === "true");
}

function term(operand: Term, row: Row, head: readonly Named[]): Value {
  if (operand.kind === "value") return operand.value;
  if (operand.kind === "bound") return operand.text;
  if (operand.kind === "column")
    return row[head.findIndex(({ of, name }) => name === operand.name && of === operand.of)] as Value;
  const one = amountOf(operand.left, row, head);
  const other = amountOf(operand.right, row, head);
  if (operand.sign === "+") return one + other;
  if (operand.sign === "-") return one - other;
  if (operand.sign === "*") return one * other;
  if (other === 0) throw new Refused("division by zero");
  return one / other;
}

/** Checks types: k accepts numbers and texts, s texts of at most 4 characters, n numbers. */
function checkFit(position: number, value: Value): void {
  if (value === null) return;
  const isText = typeof value === "string";
  const fits = position === 0 || (position === 1 ? isText && value.length <= 4 : !isText);
  if (!fits || typeof value === "boolean") throw new Refused("does not fit");
}

const same = (one: Row, other: Row) => JSON.stringify(one) === JSON.stringify(other);
const once = (rows: readonly Row[]): Row[] => {
  const seen = new Set<string>();
  return rows.filter((row) => !seen.has(JSON.stringify(row)) && seen.add(JSON.stringify(row)));
};
