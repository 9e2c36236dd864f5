/** Replaces the columns of enclosing queries that a query names by their values, before the query is planned. */
import { standardText } from "../grammar/expression-text.js";
import { AGGREGATES } from "../grammar/functions.js";
import {
  type Column,
  type Expression,
  type Field,
  operandsOf,
  type Select,
  type SelectField,
  withOperands,
} from "../grammar/syntax-tree.js";
import { type Evaluation, failure } from "./evaluation-context.js";
import { chainOf, NamesOuterRow } from "./outer-rows.js";
import { fold, indexOfColumn, positionOf } from "./relation.js";
import type { RelationColumn } from "./relation-row.js";

/**
 * Replaces the columns of enclosing queries that a select names by their values.
 * @param columns the columns of the select's own sources, which take precedence
 * @throws NamesOuterRow if a row is not known yet
 * @throws CommandFailure if there is no such column
 */
export function withOuterValues(
  select: Select,
  columns: readonly RelationColumn[],
  evaluation: Evaluation,
): Select {
  if (evaluation.outer === undefined) return select;
  const aliases = new Set((select.fields ?? []).map(({ alias }) => (alias === null ? null : fold(alias))));
  let unknown: NamesOuterRow | null = null;
  const valueIn = (column: Column): Expression => {
    if (indexOfColumn(column, columns, evaluation) !== undefined) return column;
    for (const outer of chainOf(evaluation.outer)) {
      const position = indexOfColumn(column, outer.columns, evaluation);
      if (position === undefined) continue;
      if (outer.row === null) unknown ??= new NamesOuterRow(outer, column);
      outer.reads++;
      outer.named.add(position);
      return { kind: "literal", value: outer.row?.[position] ?? null, isCalculated: true };
    }
    // The names of other queries are checked although the query may not be executed for any row.
    if (column.isQuoted !== true) positionOf(column, columns, evaluation);
    return column;
  };
  const inRow = (each: Expression): Expression => {
    if (each.kind === "column") return valueIn(each);
    checkAggregate(each, columns, evaluation);
    return withOperands(each, inRow);
  };
  const afterFields = (each: Expression): Expression => {
    if (each.kind === "column" && each.origin === null && aliases.has(fold(each.name))) return each;
    if (each.kind === "column") return valueIn(each);
    checkAggregate(each, columns, evaluation);
    return withOperands(each, afterFields);
  };
  const replaced = {
    ...select,
    fields:
      select.fields?.map(({ value, alias }): SelectField => {
        return value.kind === "all" ? { value, alias: null } : withValue({ value, alias }, inRow(value));
      }) ?? null,
    joins: select.joins.map((join) => ({ ...join, on: join.on && inRow(join.on) })),
    where: select.where && inRow(select.where),
    groupBy: select.groupBy?.map(afterFields) ?? null,
    having: select.having && afterFields(select.having),
    orderBy: select.orderBy.map((key) => ({ ...key, by: afterFields(key.by) })),
  };
  if (unknown !== null) throw unknown;
  return replaced;
}

/**
 * Refuses an aggregate of columns that only belong to enclosing queries. In standard SQL, it would be an aggregate of
 * such a query.
 * @throws CommandFailure
 */
function checkAggregate(call: Expression, columns: readonly RelationColumn[], evaluation: Evaluation): void {
  if (call.kind !== "call" || !AGGREGATES.has(call.name.toLowerCase())) return;
  const named = columnsIn(call).filter(({ isQuoted }) => isQuoted !== true);
  const isOuter = (column: Column) => indexOfColumn(column, columns, evaluation) === undefined;
  if (named.length > 0 && named.every(isOuter)) throw failure(evaluation, "outerAggregate", call.name);
}

const columnsIn = (expression: Expression): readonly Column[] =>
  expression.kind === "column" ? [expression] : operandsOf(expression).flatMap(columnsIn);

/** Returns a field with another value. It keeps the name that it has without an alias. */
export function withValue({ value: before, alias }: Field, value: Expression): Field {
  if (value === before) return { value, alias };
  return { value, alias: alias ?? (before.kind === "column" ? before.name : standardText(before)) };
}
