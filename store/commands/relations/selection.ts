/** Rows that meet a condition, equal ones once; of a table by an index where the condition demands a value of a column. */
import type { Expression } from "../../sql/tree.js";
import type { Row, Scalar } from "../../values/relations/cell.js";
import type { NumberedRows, Table } from "../../values/relations/table.js";
import { compiled, constantOf, rowScope } from "./compiled.js";
import { leadingEqualities } from "./equalities.js";
import { type Evaluation, spend } from "./evaluation.js";
import { placeOf, type Relation, type RelationColumn, withoutDuplicates } from "./relation.js";
import { isTrue } from "./scalars.js";

/** A table of fewer rows is looked through. */
const INDEXED_ROWS_MIN = 16;

export function selected(relation: Relation, condition: Expression, evaluation: Evaluation): Relation {
  const { name, columns, table, isSet } = relation;
  const holds = compiled(condition, rowScope(columns, evaluation), evaluation);
  const numbers = table === null ? null : demanded(table, columns, condition, evaluation);
  const candidates =
    table === null || numbers === null ? relation.rows : numbers.map((number) => table.row(number));
  spend(evaluation, candidates.length);
  const rows = candidates.filter((row) => isTrue(holds(row)));
  return {
    name: `${name}_selection`,
    columns,
    rows: isSet ? rows : withoutDuplicates(rows),
    table: null,
    isSet: true,
  };
}

/** The rows of a table that meet a condition, with their numbers; without one all. */
export function matching(
  table: Table,
  columns: readonly RelationColumn[],
  condition: Expression | null,
  evaluation: Evaluation,
): NumberedRows {
  const numbers: number[] = [];
  const rows: Row[] = [];
  const holds =
    condition === null ? () => true : compiled(condition, rowScope(columns, evaluation), evaluation);
  const found = condition === null ? null : demanded(table, columns, condition, evaluation);
  const candidates =
    found === null ? table.numbered() : found.map((number) => [number, table.row(number)] as const);
  for (const [number, row] of candidates) {
    if (!isTrue(holds(row))) continue;
    numbers.push(number);
    rows.push(row);
  }
  return { numbers, rows };
}

/** Numbers of the rows that a condition leaves at most, by an index; null: it demands no value of a column. */
function demanded(
  table: Table,
  columns: readonly RelationColumn[],
  condition: Expression,
  evaluation: Evaluation,
): readonly number[] | null {
  if (table.size < INDEXED_ROWS_MIN) return null;
  for (const { left, right } of leadingEqualities(condition)) {
    for (const [one, other] of [
      [left, right],
      [right, left],
    ] as const) {
      const value: Scalar | undefined = constantOf(other, evaluation);
      if (one.kind === "column" && value !== undefined)
        return table.index(placeOf(one, columns, evaluation.language)).equal(value);
    }
  }
  return null;
}
