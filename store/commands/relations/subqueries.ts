/**
 * Replaces the queries in the expressions of a select by their values, before the select is executed: such a query is
 * executed once. It cannot name columns of the select around it.
 */
import { standardText } from "../../sql/expression-text.js";
import type { Case, Expression, Query, Select, Subquery } from "../../sql/syntax-tree.js";
import type { Scalar } from "../../values/relations/cell.js";
import { countRows, type Evaluation, failure, KEY_BYTES } from "./evaluation-context.js";
import type { Relation } from "./relation.js";

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
  readonly #known = new Map<Query, readonly Scalar[]>();

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
        const values = yield* this.#values(source);
        const list = values.map((value) => ({ kind: "literal", value: cellOf(value) }) as const);
        return { kind: "in", operand, list, isNegated };
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

  *#value(query: Subquery): Replaced {
    const values = yield* this.#values(query);
    if (values.length > 1) throw failure(this.#evaluation, "subqueryRows", String(values.length));
    return { kind: "literal", value: cellOf(values[0] ?? null), isCalculated: true };
  }

  *#values({ query }: Subquery): Generator<void, readonly Scalar[]> {
    const known = this.#known.get(query);
    if (known !== undefined) return known;
    const { columns, rows } = yield* this.#execute(query);
    if (columns.length !== 1) throw failure(this.#evaluation, "subqueryWidth", String(columns.length));
    countRows(this.#evaluation, rows.length);
    this.#evaluation.effort.hold(rows.length * KEY_BYTES);
    const values = rows.map(([value = null]) => value);
    this.#known.set(query, values);
    return values;
  }
}

/** Returns a value as a literal has it: a condition that holds is 1. */
const cellOf = (value: Scalar) => (typeof value === "boolean" ? Number(value) : value);
