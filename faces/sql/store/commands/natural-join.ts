import { STEP_ITEMS } from "../../../../protocol/steps.js";
import { cellKey, type Scalar } from "../values/cell.js";
import { numberOfText } from "../values/number-text.js";
import { standardOrder } from "./comparisons.js";
import { checkSize, type Evaluation, failure, holdRows, KEY_BYTES, spend } from "./evaluation-context.js";
import { PAIRS_MAX } from "./join-result.js";
import { type Relation, sharedColumns } from "./relation.js";
import type { RelationColumn, RelationRow } from "./relation-row.js";

/**
 * Returns a string that is the same for values that are equal in a standard statement, and for some other values: a
 * text that represents a number has the key of the number.
 */
function equalityKey(value: Scalar): string {
  if (value === null) return cellKey(value);
  return cellKey(typeof value === "string" ? (numberOfText(value) ?? value) : Number(value));
}

/**
 * Joins by all columns that both sides have. The result contains each of these columns once. In the original form, null
 * equals null in such a column, and values of different types are never equal.
 */
export function* naturallyJoined(
  left: Relation,
  right: Relation,
  evaluation: Evaluation,
): Generator<void, Relation> {
  const shared = left.columns.flatMap(({ name }, position) => {
    const other = right.columns.findIndex((column) => column.name === name);
    return other < 0 ? [] : [{ position, other }];
  });
  spend(evaluation, left.rows.length + right.rows.length);
  const names = new Set(left.columns.map(({ name }) => name));
  const added = [...right.columns.keys()].filter(
    (position) => !names.has(right.columns[position]?.name ?? ""),
  );
  evaluation.effort.reserveMemory(right.rows.length * KEY_BYTES);
  const byKey = new Map<string, RelationRow[]>();
  const isStandard = evaluation.form === "standard";
  const keyOf = isStandard ? equalityKey : cellKey;
  const hasNull = (row: RelationRow, positions: readonly number[]) =>
    isStandard && positions.some((position) => row[position] === null);

  const isEqual = (row: RelationRow, partner: RelationRow) =>
    shared.every(
      ({ position, other }) =>
        standardOrder(row[position] as Scalar, partner[other] as Scalar, evaluation) === 0,
    );

  const others = shared.map(({ other }) => other);
  for (const [i, row] of right.rows.entries()) {
    if (i % STEP_ITEMS === STEP_ITEMS - 1) yield;
    if (hasNull(row, others)) continue;
    const key = shared.map(({ other }) => keyOf(row[other] as Scalar)).join("");
    const alike = byKey.get(key);
    if (alike === undefined) byKey.set(key, [row]);
    else alike.push(row);
  }

  const rows: RelationRow[] = [];
  let rejected = 0;
  for (const [i, row] of left.rows.entries()) {
    if (i % STEP_ITEMS === STEP_ITEMS - 1) yield;
    const key = shared.map(({ position }) => keyOf(row[position] as Scalar)).join("");
    for (const partner of byKey.get(key) ?? []) {
      // A text that represents a number has the number's key, so rows with the same key may differ.
      if (isStandard && !isEqual(row, partner)) {
        if (++rejected % STEP_ITEMS === 0) {
          spend(evaluation, STEP_ITEMS);
          yield;
        }
        continue;
      }
      if (rows.length % STEP_ITEMS === STEP_ITEMS - 1) yield;
      if (rows.length >= PAIRS_MAX) throw failure(evaluation, "tooMany", String(PAIRS_MAX));
      rows.push([...row, ...added.map((position) => partner[position] as Scalar)]);
      checkSize(evaluation, rows.length, left.columns.length + added.length);
      holdRows(evaluation, 1, left.columns.length + added.length);
    }
  }

  return {
    name: `${left.name}_natural_join_${right.name}`,
    columns: [
      ...sharedColumns(left.columns, right.columns),
      ...added.map((position) => right.columns[position] as RelationColumn),
    ],
    rows,
    table: null,
    isSet: left.isSet && right.isSet,
  };
}
