/** Rows that meet a condition; of a table by an index where the condition demands a value of a column. */
import { STEP_ITEMS } from "../../../protocol/steps.js";
import type { Expression } from "../../sql/tree.js";
import type { Row, Scalar } from "../../values/relations/cell.js";
import type { NumberedRows, Table } from "../../values/relations/table.js";
import { condition, constantOf, countCalculated, rowScope } from "./compiled.js";
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
    table === null || table.size < INDEXED_ROWS_MIN ? null : demanded(columns, where, evaluation);
  const candidates =
    table === null || demand === null
      ? relation.rows
      : (yield* table.equal(demand.place, demand.value)).map((number) => table.row(number));
  spend(evaluation, candidates.length);
  countCalculated(evaluation, candidates.length, [where]);
  return yield* ofSelection(relation, yield* filtered(candidates, holds), evaluation);
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

export function* filtered<R extends RelationRow>(
  rows: readonly R[],
  holds: (row: R) => boolean,
): Generator<void, readonly R[]> {
  if (rows.length <= STEP_ITEMS) return rows.filter(holds);
  const found: R[] = [];
  for (let from = 0; from < rows.length; from += STEP_ITEMS) {
    const end = Math.min(rows.length, from + STEP_ITEMS);
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
    where === null || table.size < INDEXED_ROWS_MIN ? null : demanded(columns, where, evaluation);
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

/** null: it demands no value of a column. */
function demanded(
  columns: readonly RelationColumn[],
  where: Expression,
  evaluation: Evaluation,
): Demand | null {
  for (const { left, right } of leadingEqualities(where)) {
    for (const [one, other] of [
      [left, right],
      [right, left],
    ] as const) {
      const value: Scalar | undefined = constantOf(other, evaluation);
      if (one.kind !== "column" || value === undefined || isText(one, columns)) continue;
      return { place: placeOf(one, columns, evaluation), value };
    }
  }
  return null;
}
