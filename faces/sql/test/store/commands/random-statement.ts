/** Random statements on two tables, as data and as text in the words of either language. */
import type { SeededRandom } from "../../../../../test/support/seeded-random.js";

export type Value = number | string | boolean | null;

export type Term =
  | { readonly kind: "value"; readonly value: Exclude<Value, boolean> }
  /** The parameter `?`. */
  | { readonly kind: "bound"; readonly text: string }
  | { readonly kind: "column"; readonly of: string | null; readonly name: string }
  | { readonly kind: "sum"; readonly sign: string; readonly left: Term; readonly right: Term };

export type Test =
  | { readonly kind: "compare"; readonly sign: string; readonly left: Term; readonly right: Term }
  | { readonly kind: "null"; readonly term: Term; readonly not: boolean }
  | { readonly kind: "not"; readonly test: Test };

/** Tests joined by AND and OR, evaluated by the rules of the language. */
export interface Condition {
  readonly tests: readonly Test[];
  readonly words: readonly ("and" | "or")[];
}

export interface Select {
  readonly distinct: boolean;
  readonly fields: readonly Term[] | null;
  readonly table: string;
  readonly join: {
    readonly kind: "inner" | "left" | "right" | "full";
    readonly table: string;
    readonly on: Condition;
  } | null;
  readonly where: Condition | null;
  readonly group: {
    readonly by: readonly string[];
    readonly calls: readonly { name: string; of: string }[];
  } | null;
  readonly order: { readonly by: Term; readonly falling: boolean } | null;
  readonly limit: readonly [from: number, to: number] | null;
}

export type Statement =
  | { readonly kind: "select"; readonly select: Select }
  | {
      readonly kind: "set";
      readonly operator: "union" | "except" | "intersect";
      readonly left: Select;
      readonly right: Select;
    }
  | {
      readonly kind: "insert";
      readonly table: string;
      readonly rows: readonly (readonly Exclude<Value, boolean>[])[];
    }
  | {
      readonly kind: "update";
      readonly table: string;
      readonly column: string;
      readonly value: Term;
      readonly where: Condition | null;
    }
  | { readonly kind: "delete"; readonly table: string; readonly where: Condition | null };

export const COLUMNS = ["k", "s", "n"];

const NUMBERS = [0, 1, 2, 3, 4, 5, 10, -1, 1.5];
const TEXTS = ["a", "b", "c", "1", "2", "10", "true", "", "é", "it's", "1e0", " 2", "+3 ", "04", "-1.", "x1"];

export function randomStatement(random: SeededRandom): Statement {
  const kind = random.below(20);
  const table = random.oneOf(["t", "u"]);

  if (kind < 6) {
    const rows = Array.from({ length: random.between(1, 3) }, () => [
      random.chance(0.7) ? random.oneOf(NUMBERS) : randomValue(random),
      random.chance(0.9) ? random.oneOf([...TEXTS, null]) : randomValue(random),
      random.chance(0.9) ? random.oneOf([...NUMBERS, null]) : randomValue(random),
    ]);
    return { kind: "insert", table, rows };
  }

  if (kind < 8) {
    const column = random.oneOf(COLUMNS);
    return {
      kind: "update",
      table,
      column,
      value: randomTerm(random, null, 2),
      where: where(random, null, 0.9),
    };
  }

  if (kind < 9) return { kind: "delete", table, where: where(random, null, 0.97) };
  if (kind < 11) {
    const operator = random.oneOf(["union", "except", "intersect"] as const);
    return { kind: "set", operator, left: narrow(random), right: narrow(random) };
  }
  return { kind: "select", select: randomSelect(random) };
}

/** Returns a select of one column. */
function narrow(random: SeededRandom): Select {
  const fields = [randomTerm(random, null, 1)];
  return {
    ...randomSelect(random),
    fields,
    join: null,
    group: null,
    order: null,
    where: where(random, null, 0.5),
  };
}

function randomSelect(random: SeededRandom): Select {
  const kind = random.below(10);
  const table = random.oneOf(["t", "u"]);
  const limit = random.chance(0.2) ? ([random.below(3), random.below(8)] as const) : null;
  const plain = { distinct: random.chance(0.15), table, join: null, group: null, order: null, limit };

  if (kind < 2) {
    const by = random.shuffled(COLUMNS).slice(0, random.below(3));
    const calls = Array.from({ length: random.between(1, 3) }, () => ({
      name: random.oneOf(["count", "count", "min", "max", "sum", "avg"]),
      of: random.oneOf(["n", "n", "k", "s"]),
    }));
    return { ...plain, fields: null, where: where(random, null, 0.4), group: { by, calls } };
  }

  const names = kind < 5 ? ["a", "b"] : null;
  const term = (depth: number) => randomTerm(random, names, depth);
  const fields = random.chance(0.5) ? null : Array.from({ length: random.between(1, 3) }, () => term(2));
  const order = random.chance(0.3) ? { by: term(1), falling: random.chance(0.5) } : null;
  if (names === null) return { ...plain, fields, order, where: where(random, null, 0.7) };

  const on = random.chance(0.7)
    ? { tests: [equality(random), ...condition(random, names).tests], words: [] as ("and" | "or")[] }
    : condition(random, names);
  const words = on.tests.slice(1).map(() => random.oneOf(["and", "and", "or"] as const));
  const join = {
    kind: random.oneOf(["inner", "left", "right", "full"] as const),
    table: random.oneOf(["t", "u"]),
    on: { tests: on.tests, words },
  };
  return { ...plain, fields, order, join, where: where(random, names, 0.3) };
}

const equality = (random: SeededRandom): Test => ({
  kind: "compare",
  sign: "=",
  left: keyOf(random, "a"),
  right: keyOf(random, "b"),
});

/** Returns a column of a table, or an expression of its columns. */
function keyOf(random: SeededRandom, of: string): Term {
  const column = (): Term => ({ kind: "column", of, name: random.oneOf(COLUMNS) });
  if (random.chance(0.7)) return column();
  const right: Term = random.chance(0.5) ? column() : { kind: "value", value: random.oneOf(NUMBERS) };
  return { kind: "sum", sign: random.oneOf(["+", "-", "*", "/"]), left: column(), right };
}

function where(random: SeededRandom, names: readonly string[] | null, chance: number): Condition | null {
  return random.chance(chance) ? condition(random, names) : null;
}

function condition(random: SeededRandom, names: readonly string[] | null): Condition {
  const tests = Array.from({ length: random.between(1, 3) }, () => randomTest(random, names));
  return { tests, words: tests.slice(1).map(() => random.oneOf(["and", "and", "or"] as const)) };
}

function randomTest(random: SeededRandom, names: readonly string[] | null): Test {
  const kind = random.below(20);
  if (kind < 2) return { kind: "null", term: randomTerm(random, names, 0), not: random.chance(0.5) };
  if (kind < 4) return { kind: "not", test: randomTest(random, names) };
  const sign = kind < 14 ? "=" : random.oneOf(["!=", "<", "<=", ">", ">="]);
  const [left, right] = [randomTerm(random, names, 2), randomTerm(random, names, 1)];
  return { kind: "compare", sign, left, right };
}

function randomTerm(random: SeededRandom, names: readonly string[] | null, depth: number): Term {
  if (depth > 1 && random.chance(0.3)) {
    const sign = random.oneOf(["+", "-", "*", "/"]);
    return {
      kind: "sum",
      sign,
      left: randomTerm(random, names, depth - 1),
      right: randomTerm(random, names, depth - 1),
    };
  }
  if (random.chance(0.6))
    return { kind: "column", of: names === null ? null : random.oneOf(names), name: random.oneOf(COLUMNS) };
  if (random.chance(0.2)) return { kind: "bound", text: String(random.oneOf([...NUMBERS, ...TEXTS])) };
  return { kind: "value", value: randomValue(random) };
}

function randomValue(random: SeededRandom): Exclude<Value, boolean> {
  return random.chance(0.6) ? random.oneOf(NUMBERS) : random.oneOf([...TEXTS, null]);
}
