/**
 * Replaces the queries in the expressions of a select by their values, before the select is executed: such a query is
 * executed once. It cannot name columns of the select around it.
 */
import { STEP_ITEMS } from "../../../protocol/steps.js";
import { standardText } from "../../sql/expression-text.js";
import type { Case, Expression, Query, Select, Subquery } from "../../sql/syntax-tree.js";
import type { Scalar } from "../../values/relations/cell.js";
import { ValueSet } from "../../values/relations/value-set.js";
import { countRows, countScanned, type Evaluation, failure, KEY_BYTES } from "./evaluation-context.js";
import type { Relation, RelationRow } from "./relation.js";

/** Executes a query. */
type Execute = (query: Query) => Generator<void, Relation>;

type Replaced = Generator<void, Expression>;

/** Returns the select with values in place of queries. A field keeps the name that it has with the query. */
export function* withoutSubqueries(
  select: Select,
  execute: Execute,
  evaluation: Evaluation,
): Generator<void, Select> {
  const replacement = new Replacement(execute, evaluation);
  const fields = [];
  for (const field of select.fields ?? []) {
    if (field.value.kind === "all") fields.push({ value: field.value, alias: null });
    else {
      const value = yield* replacement.of(field.value);
      const alias = value === field.value ? field.alias : (field.alias ?? standardText(field.value));
      fields.push({ value, alias });
    }
  }
  const joins = [];
  for (const join of select.joins) joins.push({ ...join, on: yield* replacement.ofAny(join.on) });
  const orderBy = [];
  for (const key of select.orderBy) orderBy.push({ ...key, by: yield* replacement.of(key.by) });
  return {
    ...select,
    fields: select.fields === null ? null : fields,
    joins,
    where: yield* replacement.ofAny(select.where),
    groupBy: select.groupBy === null ? null : yield* replacement.ofAll(select.groupBy),
    having: yield* replacement.ofAny(select.having),
    orderBy,
  };
}

class Replacement {
  readonly #execute: Execute;
  readonly #evaluation: Evaluation;
  /** The values of the queries that were executed. The same query may be a field and a key of the order. */
  readonly #values = new Map<Query, Scalar>();
  /** The sets of values of the queries that were executed, one for all queries with the same values. */
  readonly #sets = new Map<Query, ValueSet>();

  constructor(execute: Execute, evaluation: Evaluation) {
    this.#execute = execute;
    this.#evaluation = evaluation;
  }

  *ofAny(expression: Expression | null): Generator<void, Expression | null> {
    return expression === null ? null : yield* this.of(expression);
  }

  *ofAll(expressions: readonly Expression[]): Generator<void, readonly Expression[]> {
    const replaced: Expression[] = [];
    for (const each of expressions) replaced.push(yield* this.of(each));
    return replaced.every((each, at) => each === expressions[at]) ? expressions : replaced;
  }

  *of(expression: Expression): Replaced {
    switch (expression.kind) {
      case "literal":
      case "parameter":
      case "column":
        return expression;
      case "query":
        return yield* this.#value(expression);
      case "in-query": {
        const { source, isNegated } = expression;
        const operand = yield* this.of(expression.operand);
        return { kind: "in-set", operand, set: yield* this.#set(source), isNegated };
      }
      case "binary": {
        const [left, right] = [yield* this.of(expression.left), yield* this.of(expression.right)];
        return left === expression.left && right === expression.right
          ? expression
          : { ...expression, left, right };
      }
      case "case":
        return yield* this.#case(expression);
      case "call": {
        const operands = expression.arguments === null ? null : yield* this.ofAll(expression.arguments);
        return operands === expression.arguments ? expression : { ...expression, arguments: operands };
      }
      case "between": {
        const [operand, from, to] = [
          yield* this.of(expression.operand),
          yield* this.of(expression.from),
          yield* this.of(expression.to),
        ];
        return { ...expression, operand, from, to };
      }
      case "like":
        return {
          ...expression,
          operand: yield* this.of(expression.operand),
          pattern: yield* this.of(expression.pattern),
        };
      case "in-set":
        return expression;
      case "in":
        return {
          ...expression,
          operand: yield* this.of(expression.operand),
          list: yield* this.ofAll(expression.list),
        };
      default: {
        const operand = yield* this.of(expression.operand);
        return operand === expression.operand ? expression : { ...expression, operand };
      }
    }
  }

  *#case({ operand, branches, otherwise }: Case): Replaced {
    const replaced: Case["branches"][number][] = [];
    for (const { when, result } of branches)
      replaced.push({ when: yield* this.of(when), result: yield* this.of(result) });
    return {
      kind: "case",
      operand: yield* this.ofAny(operand),
      branches: replaced,
      otherwise: yield* this.ofAny(otherwise),
    };
  }

  *#value({ query }: Subquery): Replaced {
    const known = this.#values.get(query);
    const value = known === undefined ? yield* this.#executedValue(query) : known;
    this.#values.set(query, value);
    return { kind: "literal", value: cellOf(value), isCalculated: true };
  }

  *#executedValue(query: Query): Generator<void, Scalar> {
    const rows = yield* this.#column(query);
    if (rows.length > 1) throw failure(this.#evaluation, "subqueryRows", String(rows.length));
    return rows[0]?.[0] ?? null;
  }

  *#set({ query }: Subquery): Generator<void, ValueSet> {
    const known = this.#sets.get(query);
    if (known !== undefined) return known;
    const { effort } = this.#evaluation;
    const rows = yield* this.#column(query);
    countRows(this.#evaluation, rows.length);
    let built = new ValueSet();
    for (const [i, [value = null]] of rows.entries()) {
      const { size } = built;
      built.add(value);
      if (built.size > size) effort.hold(KEY_BYTES);
      if (i % STEP_ITEMS === STEP_ITEMS - 1) yield;
    }
    for (const other of new Set(this.#sets.values())) {
      countScanned(this.#evaluation, Math.min(built.size, other.size));
      if (!(yield* built.isSame(other))) continue;
      built = other;
      break;
    }
    this.#sets.set(query, built);
    return built;
  }

  /** Executes a query. Returns its rows, each with one value. */
  *#column(query: Query): Generator<void, readonly RelationRow[]> {
    const { columns, rows } = yield* this.#execute(query);
    if (columns.length !== 1) throw failure(this.#evaluation, "subqueryWidth", String(columns.length));
    return rows;
  }
}

/** Returns a value as a literal has it: a condition that holds is 1. */
const cellOf = (value: Scalar) => (typeof value === "boolean" ? Number(value) : value);
