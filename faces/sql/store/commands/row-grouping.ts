/**
 * Groups rows and computes the aggregates of each group: count, sum, avg, min, max and, in the standard form, total and
 * group_concat. Nulls are ignored.
 */
import { BYTES_PER_STEP } from "../../../../daemon/store/keyspace/effort-budget.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { STEP_ITEMS } from "../../../../protocol/steps.js";
import { type AggregateName, aggregateNamed, SCALAR_FUNCTIONS } from "../grammar/functions.js";
import {
  type Call,
  type Column,
  type Expression,
  type Field,
  type Form,
  operandsOf,
  type Select,
} from "../grammar/syntax-tree.js";
import { cellKey, rowKey, type Scalar } from "../values/cell.js";
import type { ValueSet } from "../values/value-set.js";
import { type Compiled, sortOrder, textFor } from "./comparisons.js";
import { compiled, countCalculated, rowScope, rowsAStep, type Scope } from "./compiled-expressions.js";
import {
  comparesArguments,
  countRows,
  type Evaluation,
  failure,
  holdRows,
  KEY_BYTES,
  spend,
} from "./evaluation-context.js";
import { fold, isNamed, isText, positionOf, type Relation } from "./relation.js";
import type { RelationColumn, RelationRow } from "./relation-row.js";

/** Whether a select has groups: it names expressions to group by, or uses aggregates. */
export function isGrouped({ groupBy, fields, having, orderBy }: Select, form: Form): boolean {
  if (groupBy !== null && groupBy.length > 0) return true;
  const expressions = [
    ...(fields ?? []).flatMap(({ value }) => (value.kind === "all" ? [] : [value])),
    ...orderBy.map(({ by }) => by),
  ];
  return having !== null || expressions.some((each) => hasAggregate(each, form));
}

function hasAggregate(expression: Expression, form: Form): boolean {
  // The arguments of a scalar function may contain an aggregate; those of an unknown function are not searched.
  if (expression.kind === "call" && aggregateNamed(expression.name, form) !== undefined) return true;
  if (expression.kind === "call" && !SCALAR_FUNCTIONS.has(expression.name.toLowerCase())) return false;
  return operandsOf(expression).some((each) => hasAggregate(each, form));
}

interface Aggregate {
  readonly name: AggregateName;
  readonly call: Call;
  /** The aggregated expression; null means `*`. */
  readonly value: Compiled | null;
  /** The separator of group_concat before a row's value; null for a comma, and for all other aggregates. */
  readonly separator: Compiled | null;
  readonly isDistinct: boolean;
}

/** The rows of groups: the grouping expressions, followed by the aggregates. */
export interface Groups {
  readonly scope: Scope;
  /** Computes the rows. Must be called after all expressions of the select have been compiled in the scope. */
  rows(): Generator<void, readonly RelationRow[]>;
}

/**
 * Returns the expressions to group by. In the standard form, an integer refers to a field, and so does an alias that is
 * not the name of a column.
 * @throws CommandFailure if the field is an aggregate
 */
function groupKeys(
  groupBy: readonly Expression[],
  { fields, columns }: { readonly fields: readonly Field[]; readonly columns: readonly RelationColumn[] },
  evaluation: Evaluation,
): readonly Expression[] {
  if (evaluation.form === "original") return groupBy;
  return groupBy.map((key) => {
    const isName = key.kind === "column" && key.origin === null && !isNamed(key.name, columns);
    const field = isName
      ? fieldNamed(key.name, fields, evaluation)
      : fieldNumbered(key, fields, "group by", evaluation);
    if (hasAggregate(field ?? key, evaluation.form)) throw failure(evaluation, "groupedAggregate");
    return field ?? key;
  });
}

/** Returns the expression of the field with this alias; in the standard form, the case does not matter. */
export function fieldNamed(
  name: ByteString,
  fields: readonly Field[],
  { form }: Evaluation,
): Expression | undefined {
  const exact = fields.find(({ alias }) => alias === name);
  if (exact !== undefined || form === "original") return exact?.value;
  const folded = fold(name);
  return fields.find(({ alias }) => alias !== null && fold(alias) === folded)?.value;
}

/**
 * Returns the expression of the field that an integer refers to, or undefined if the expression is not an integer.
 * @throws CommandFailure
 */
export function fieldNumbered(
  key: Expression,
  fields: readonly Field[],
  clause: string,
  evaluation: Evaluation,
): Expression | undefined {
  if (key.kind !== "literal" || key.isCalculated === true) return undefined;
  if (typeof key.value !== "number" || !Number.isInteger(key.value)) return undefined;

  const field = fields[key.value - 1];
  if (field === undefined)
    throw failure(evaluation, "noSuchField", clause, String(key.value), String(fields.length));
  return field.value;
}

/** @param fields the fields of the select */
export function groupsOf(
  relation: Relation,
  { groupBy }: Select,
  fields: readonly Field[],
  evaluation: Evaluation,
): Groups {
  const { columns } = relation;
  const groupExpressions = groupKeys(groupBy ?? [], { fields, columns }, evaluation);
  const keys = groupExpressions.map((key) => compiled(key, rowScope(columns, evaluation), evaluation));
  const positions = groupExpressions.map((key) =>
    key.kind === "column" ? positionOf(key, columns, evaluation) : null,
  );
  const numbers = new ExpressionNumbers(evaluation.parameters, (column) =>
    isText(column, columns) ? column.name : positionOf(column, columns, evaluation),
  );
  const slots = new Map<number, number>();
  for (const [slot, key] of groupExpressions.entries()) {
    const number = key.kind === "column" ? null : numbers.of(key);
    if (number !== null && !slots.has(number)) slots.set(number, slot);
  }

  const aggregates: Aggregate[] = [];
  const scope: Scope = {
    known: (expression) => {
      const slot = slots.size === 0 ? undefined : slots.get(numbers.of(expression));
      return slot === undefined ? undefined : (row) => row[slot] as Scalar;
    },
    column: (column) => {
      if (isText(column, columns)) return () => column.name;
      const position = positions.indexOf(positionOf(column, columns, evaluation));
      if (position < 0) throw failure(evaluation, "notGrouped", column.origin ?? "null", column.name);
      return (row) => row[position] as Scalar;
    },
    call: (call): Compiled => {
      const slot = keys.length + aggregates.length;
      aggregates.push(aggregateOf(call, columns, evaluation));
      return (row) => row[slot] as Scalar;
    },
  };

  const rows = () => {
    const expressions = [...groupExpressions, ...aggregates.map(({ call }) => call)];
    countCalculated(evaluation, relation.rows.length, expressions);
    const step = rowsAStep(expressions);
    return groupRows(relation.rows, { keys, aggregates, step }, evaluation);
  };

  return { scope, rows };
}

function aggregateOf(call: Call, columns: readonly RelationColumn[], evaluation: Evaluation): Aggregate {
  const { name, arguments: operands, isDistinct = false } = call;
  const aggregateName = aggregateNamed(name, evaluation.form);
  if (aggregateName === undefined) throw failure(evaluation, "unknownFunction", name);
  if (operands === null && aggregateName === "count")
    return { name: aggregateName, call, value: null, separator: null, isDistinct };
  if (comparesArguments(evaluation, call)) throw failure(evaluation, "severalArguments", name);

  const [argument, separator] = operands ?? [];
  const maySeparate = aggregateName === "group_concat" && !isDistinct;
  const count = operands?.length ?? 0;
  if (argument === undefined || count > (maySeparate ? 2 : 1))
    throw failure(evaluation, aggregateName === "group_concat" ? "textsArguments" : "oneArgument", name);
  if (argument.kind !== "column" && evaluation.form === "original")
    throw failure(evaluation, "columnArgument", name);

  const compile = (each: Expression) => compiled(each, rowScope(columns, evaluation), evaluation);
  return {
    name: aggregateName,
    call,
    value: compile(argument),
    separator: separator === undefined ? null : compile(separator),
    isDistinct,
  };
}

interface Grouping {
  readonly keys: readonly Compiled[];
  readonly aggregates: readonly Aggregate[];
  /** Number of rows in one step. */
  readonly step: number;
}

function* groupRows(
  rows: readonly RelationRow[],
  { keys, aggregates, step }: Grouping,
  evaluation: Evaluation,
): Generator<void, readonly RelationRow[]> {
  const groups = new Map<string, { readonly by: RelationRow; readonly totals: readonly Total[] }>();
  const groupOf = (by: RelationRow) => {
    const key = rowKey(by);
    const existing = groups.get(key);
    if (existing !== undefined) return existing;
    holdRows(evaluation, 2, by.length + TOTAL_CELLS * aggregates.length);
    evaluation.effort.hold(key.length + KEY_BYTES);
    const group = { by, totals: aggregates.map(newTotal) };
    groups.set(key, group);
    return group;
  };

  spend(evaluation, rows.length);
  countRows(evaluation, rows.length);

  // All rows form one group, even if there are no rows.
  if (keys.length === 0) groupOf([]);
  for (const [at, row] of rows.entries()) {
    const { totals } = groupOf(keys.map((key) => key(row)));
    for (const [i, aggregate] of aggregates.entries()) {
      const { value } = aggregate;
      addTo(totals[i] as Total, { aggregate, value: value === null ? true : value(row), row }, evaluation);
    }
    if (at % step === step - 1 || evaluation.effort.endsSlice()) yield;
  }

  const grouped: RelationRow[] = [];
  for (const { by, totals } of groups.values()) {
    grouped.push([...by, ...aggregates.map(({ name }, i) => resultOf(totals[i] as Total, name, evaluation))]);
    if (grouped.length % STEP_ITEMS === 0) yield;
  }

  return grouped;
}

/** Approximate memory of a total, in cells. */
const TOTAL_CELLS = 8;
/** Approximate memory of a text of group_concat and its separator, in addition to their bytes. */
const TEXT_BYTES = 16;

interface Total {
  count: number;
  sum: number;
  min: Scalar;
  max: Scalar;
  /** The texts of group_concat with their separators, and their bytes together; null for other aggregates. */
  readonly texts: ByteString[] | null;
  bytes: number;
  /** The values counted so far, or null if equal values count separately. */
  readonly seen: Set<string> | null;
}

const newTotal = ({ name, isDistinct }: Aggregate): Total => ({
  count: 0,
  sum: 0,
  min: null,
  max: null,
  texts: name === "group_concat" ? [] : null,
  bytes: 0,
  seen: isDistinct ? new Set() : null,
});

interface AddedValue {
  readonly aggregate: Aggregate;
  readonly value: Scalar | undefined;
  readonly row: RelationRow;
}

function addTo(total: Total, { aggregate, value, row }: AddedValue, evaluation: Evaluation): void {
  if (value === null || value === undefined) return;
  const { name } = aggregate;

  if (total.seen !== null) {
    const key = cellKey(value);
    if (total.seen.has(key)) return;
    evaluation.effort.hold(key.length + KEY_BYTES);
    total.seen.add(key);
  }

  total.count++;
  if (name === "group_concat") addText(total, textFor(value), separatorOf(aggregate, total, row), evaluation);
  if (name === "sum" || name === "avg" || name === "total") {
    if (typeof value !== "number" && (typeof value === "string" || evaluation.form === "original"))
      throw failure(evaluation, "notNumeric", name.toUpperCase());
    total.sum += Number(value);
    if (!Number.isFinite(total.sum)) throw failure(evaluation, "tooLarge");
  }

  if (total.min === null || sortOrder(value, total.min) < 0) total.min = value;
  if (total.max === null || sortOrder(value, total.max) > 0) total.max = value;
}

/** Maximum length of a text that group_concat makes, in bytes: it is made in one step. */
export const CONCATENATED_BYTES_MAX = 16 * 1024 * 1024;

/** Returns the text before a row's value, if it is not the first one. */
function separatorOf({ separator }: Aggregate, { count }: Total, row: RelationRow): ByteString {
  if (count === 1) return "";
  const value = separator === null ? "," : separator(row);
  return value === null ? "" : textFor(value);
}

/** @throws CommandFailure if the text of the group becomes too long */
function addText(total: Total, text: ByteString, separator: ByteString, evaluation: Evaluation): void {
  const bytes = text.length + separator.length;
  evaluation.effort.work(bytes / BYTES_PER_STEP);
  evaluation.effort.hold(bytes + TEXT_BYTES);
  total.bytes += bytes;
  if (total.bytes > CONCATENATED_BYTES_MAX)
    throw failure(evaluation, "longConcatenation", String(CONCATENATED_BYTES_MAX));
  total.texts?.push(separator, text);
}

/**
 * Returns the result of an aggregate. For a group without values a sum and an average are null in the standard form,
 * and 0 in the recorded one.
 */
function resultOf({ count, sum, min, max, texts }: Total, name: AggregateName, { form }: Evaluation): Scalar {
  if (count === 0 && form === "standard") return name === "count" || name === "total" ? 0 : null;
  switch (name) {
    case "count":
      return count;
    case "sum":
    case "total":
      return sum;
    case "avg":
      return count === 0 ? 0 : sum / count;
    case "min":
      return min;
    case "max":
      return max;
    case "group_concat":
      return texts?.join("") ?? null;
  }
}

/** The numbers of expressions: two expressions with the same number have the same value in every row. */
class ExpressionNumbers {
  readonly #parameters: readonly ByteString[];
  readonly #columnOf: (column: Column) => number | ByteString;
  readonly #known = new Map<Expression, number>();
  readonly #sets = new Map<ValueSet, number>();
  /** Numbers of expressions, by the kind of the expression and the numbers of its operands. */
  readonly #numbers = new Map<string, number>();

  /**
   * @param parameters the values of the `?` in the statement, in order
   * @param columnOf returns the index of the column, or the text that a name in double quotes represents
   */
  constructor(parameters: readonly ByteString[], columnOf: (column: Column) => number | ByteString) {
    this.#parameters = parameters;
    this.#columnOf = columnOf;
  }

  /** Returns an expression's number; visits each part only once, even if it occurs in several expressions. */
  of(expression: Expression): number {
    const known = this.#known.get(expression);
    if (known !== undefined) return known;
    const shape = JSON.stringify(this.#shapeOf(expression));
    const number = this.#numbers.get(shape) ?? this.#numbers.size;
    this.#numbers.set(shape, number);
    this.#known.set(expression, number);
    return number;
  }

  #ofAny(expression: Expression | null): number | null {
    return expression === null ? null : this.of(expression);
  }

  #shapeOf(expression: Expression): readonly unknown[] {
    switch (expression.kind) {
      case "literal":
        return ["value", expression.value];
      case "parameter":
        return ["value", this.#parameters[expression.number] ?? null];
      case "column":
        return ["column", this.#columnOf(expression)];
      case "binary":
        return [expression.operator, this.of(expression.left), this.of(expression.right)];
      case "not":
      case "negative":
        return [expression.kind, this.of(expression.operand)];
      case "is-null":
        return [expression.kind, expression.isNegated, this.of(expression.operand)];
      case "call": {
        const operands = expression.arguments?.map((each) => this.of(each)) ?? null;
        const name = expression.name.toLowerCase();
        return [expression.kind, name, expression.isDistinct === true, operands];
      }
      // Their values replace queries before expressions are numbered.
      case "query":
      case "in-query":
      case "exists":
        throw new Error("a query without its value");
      case "cast":
        return [expression.kind, expression.type, this.of(expression.operand)];
      case "case": {
        const { operand, branches, otherwise } = expression;
        const numbers = branches.map(({ when, result }) => [this.of(when), this.of(result)]);
        return [expression.kind, this.#ofAny(operand), numbers, this.#ofAny(otherwise)];
      }
      case "in-set": {
        const { isNegated, operand, set } = expression;
        const number = this.#sets.get(set) ?? this.#sets.size;
        this.#sets.set(set, number);
        return [expression.kind, isNegated, number, this.of(operand)];
      }
      case "in":
      case "between":
      case "like": {
        const operands = operandsOf(expression).map((each) => this.of(each));
        return [expression.kind, expression.isNegated, operands];
      }
    }
  }
}
