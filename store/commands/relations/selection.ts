/** Rows that meet a condition; of a table by an index where the condition demands a value of a column. */
import type { Expression } from "../../sql/tree.js";
import type { Row, Scalar } from "../../values/relations/cell.js";
import type { NumberedRows, Table } from "../../values/relations/table.js";
import { condition, constantOf, countCalculated, rowScope, rowsAStep } from "./compiled.js";
import { leadingEqualities } from "./equalities.js";
import { type Evaluation, lookAt, spend } from "./evaluation.js";
import {
  isText,
  placeOf,
  type Relation,
  type RelationColumn,
  type RelationRow,
  withoutDuplicates,
} from "./relation.js";

/** A table of fewer rows is looked through. */
export const INDEXED_ROWS_MIN = 16;

/** In the recorded form equal rows are in the result once. */
export function* selected(
  relation: Relation,
  where: Expression,
  evaluation: Evaluation,
): Generator<void, Relation> {
  const { columns, table } = relation;
  const holds = condition(where, rowScope(columns, evaluation), evaluation);
  const demand =
    table === null || table.size < INDEXED_ROWS_MIN
      ? null
      : demanded(columns, where, evaluation, (place) => table.isUnique(place));
  const candidates =
    table === null || demand === null
      ? relation.rows
      : (yield* table.equal(demand.place, demand.value)).map((number) => table.row(number));
  spend(evaluation, candidates.length);
  countCalculated(evaluation, candidates.length, [where]);
  const rows = yield* filtered(candidates, holds, rowsAStep([where]));
  return yield* ofSelection(relation, rows, evaluation);
}

/** What is left of a relation by its condition. */
export function* ofSelection(
  { name, columns, isSet }: Relation,
  rows: readonly RelationRow[],
  { form }: Evaluation,
): Generator<void, Relation> {
  const keepsAll = isSet || form === "standard";
  return {
    name: `${name}_selection`,
    columns,
    rows: keepsAll ? rows : yield* withoutDuplicates(rows),
    table: null,
    isSet: isSet || !keepsAll,
  };
}

/** @param step  rows that are checked in one step */
export function* filtered<R extends RelationRow>(
  rows: readonly R[],
  holds: (row: R) => boolean,
  step: number,
): Generator<void, readonly R[]> {
  if (rows.length <= step) return rows.filter(holds);
  const found: R[] = [];
  for (let from = 0; from < rows.length; from += step) {
    const end = Math.min(rows.length, from + step);
    for (let i = from; i < end; i++) if (holds(rows[i] as R)) found.push(rows[i] as R);
    yield;
  }
  return found;
}

/** The rows of a table that are to be changed, with their numbers; without a condition all. */
export function matching(
  table: Table,
  columns: readonly RelationColumn[],
  where: Expression | null,
  evaluation: Evaluation,
): NumberedRows {
  const numbers: number[] = [];
  const rows: Row[] = [];
  const holds = where === null ? () => true : condition(where, rowScope(columns, evaluation), evaluation);
  const demand =
    where === null || table.size < INDEXED_ROWS_MIN
      ? null
      : demanded(columns, where, evaluation, (place) => table.columns[place]?.uniqueness !== "none");
  lookAt(evaluation, demand === null ? table.size : 0);
  const candidates =
    demand === null
      ? table.numbered()
      : table
          .index(demand.place)
          .equal(demand.value)
          .map((number) => [number, table.row(number)] as const);
  const count = demand === null ? table.size : (candidates as readonly unknown[]).length;
  if (where !== null) countCalculated(evaluation, count, [where]);
  for (const [number, row] of candidates) {
    if (!holds(row)) continue;
    lookAt(evaluation, 1);
    numbers.push(number);
    rows.push(row);
  }
  return { numbers, rows };
}

/** A value that a condition demands of a column. */
export interface Demand {
  readonly place: number;
  readonly value: Scalar;
}

/** Returns the first demand, in the standard form the first one of a column without equal values if there is one; null: there is none. */
function demanded(
  columns: readonly RelationColumn[],
  where: Expression,
  evaluation: Evaluation,
  isUnique: (place: number) => boolean,
): Demand | null {
  let first: Demand | null = null;
  for (const { left, right } of leadingEqualities(where, evaluation.form)) {
    for (const [one, other] of [
      [left, right],
      [right, left],
    ] as const) {
      const value: Scalar | undefined = constantOf(other, evaluation);
      if (one.kind !== "column" || value === undefined || isText(one, columns)) continue;
      const demand = { place: placeOf(one, columns, evaluation), value };
      if (evaluation.form === "recorded" || isUnique(demand.place)) return demand;
      first ??= demand;
    }
  }
  return first;
}
