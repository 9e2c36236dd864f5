/** Sorts rows as `order by` requires. */
import { sortedInSteps } from "../../../../protocol/steps.js";
import type { Expression, Field, SelectField, Tail } from "../grammar/syntax-tree.js";
import type { Scalar } from "../values/cell.js";
import { type Compiled, sortOrder } from "./comparisons.js";
import { compiled, countCalculated, rowScope, rowsAStep, type Scope } from "./compiled-expressions.js";
import {
  checkColumns,
  countRows,
  type Evaluation,
  holdRows,
  KEY_BYTES,
  spend,
} from "./evaluation-context.js";
import { columnsOfOrigin } from "./relation.js";
import type { RelationColumn, RelationRow } from "./relation-row.js";
import { fieldNamed, fieldNumbered } from "./row-grouping.js";

export const ALL_FIELDS: readonly SelectField[] = [{ value: { kind: "all", origin: null }, alias: null }];

/**
 * Returns the fields, in which `*` and `t.*` are replaced by a field for each column. Several columns may have the same
 * name, so the scope identifies each of these columns by its index.
 * @throws CommandFailure if there are too many fields
 */
export function allFields(
  selected: readonly SelectField[] | null,
  columns: readonly RelationColumn[],
  evaluation: Evaluation,
): { readonly fields: readonly Field[]; readonly scope: Scope } {
  const fields: Field[] = [];
  const positions = new Map<Expression, number>();
  for (const { value, alias } of selected ?? ALL_FIELDS) {
    if (value.kind !== "all") {
      fields.push({ value, alias });
      continue;
    }
    const indexes = columnsOfOrigin(value.origin, columns, evaluation);
    checkColumns(evaluation, fields.length + indexes.length);
    for (const position of indexes) {
      const column = { kind: "column", ...(columns[position] as RelationColumn) } as const;
      fields.push({ value: column, alias: null });
      positions.set(column, position);
    }
  }

  const known = (expression: Expression): Compiled | undefined => {
    const position = positions.get(expression);
    return position === undefined ? undefined : (row) => row[position] as Scalar;
  };
  const scope: Scope = { ...rowScope(columns, evaluation), known };
  return { fields, scope };
}

interface Keys {
  readonly orderBy: Tail["orderBy"];
  readonly fields: readonly Field[];
}

export function* sorted(
  rows: readonly RelationRow[],
  keys: Keys,
  scope: Scope,
  evaluation: Evaluation,
): Generator<void, readonly RelationRow[]> {
  return yield* sortedBy(rows, sortKeys(keys, scope, evaluation), evaluation);
}

interface SortKey {
  readonly value: Compiled;
  readonly expression: Expression;
  readonly sign: 1 | -1;
}

export const sortKeys = (
  { orderBy, fields }: Keys,
  scope: Scope,
  evaluation: Evaluation,
): readonly SortKey[] =>
  orderBy.map(({ by, isFalling }) => {
    const expression = sortExpression(by, fields, evaluation);
    return { value: compiled(expression, scope, evaluation), expression, sign: isFalling ? -1 : 1 };
  });

/** Number of rows that each row to sort counts as. */
const SORTED_ROWS = 2;

export function* sortedBy(
  rows: readonly RelationRow[],
  keys: readonly SortKey[],
  evaluation: Evaluation,
): Generator<void, readonly RelationRow[]> {
  spend(evaluation, rows.length);
  countRows(evaluation, SORTED_ROWS * rows.length);
  evaluation.effort.hold(rows.length * KEY_BYTES);
  holdRows(evaluation, rows.length, keys.length);
  const keyed: { readonly row: RelationRow; readonly by: RelationRow }[] = [];
  const expressions = keys.map(({ expression }) => expression);
  countCalculated(evaluation, rows.length, expressions);

  const step = rowsAStep(expressions);
  for (const row of rows) {
    const by = keys.map(({ value }) => value(row));
    if (keyed.push({ row, by }) % step === 0 || evaluation.effort.endsSlice()) yield;
  }

  const all = yield* sortedInSteps(keyed, (a, b) => {
    for (const [i, { sign }] of keys.entries()) {
      const order = sortOrder(a.by[i] ?? null, b.by[i] ?? null);
      if (order !== 0) return sign * order;
    }
    return 0;
  });
  return all.map(({ row }) => row);
}

/** Returns the field with this alias, or in the standard form with this number; otherwise the expression itself. */
function sortExpression(by: Expression, fields: readonly Field[], evaluation: Evaluation): Expression {
  if (evaluation.form === "standard") {
    const field = fieldNumbered(by, fields, "order by", evaluation);
    if (field !== undefined) return field;
  }
  if (by.kind !== "column" || by.origin !== null) return by;
  return fieldNamed(by.name, fields, evaluation) ?? by;
}
