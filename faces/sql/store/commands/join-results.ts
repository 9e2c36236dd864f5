/** The result of a join from its pairs of rows, and the join by all columns that both sides have. */
import { STEP_ITEMS } from "../../../../protocol/steps.js";
import type { Expression, JoinKind } from "../grammar/syntax-tree.js";
import type { Cell, Scalar } from "../values/cell.js";
import { cellKey, rowKey } from "../values/cell.js";
import {
  checkColumns,
  checkSize,
  type Evaluation,
  failure,
  holdRows,
  KEY_BYTES,
  spend,
} from "./evaluation-context.js";
import { type Relation, sharedColumns, withoutDuplicates } from "./relation.js";
import type { RelationColumn, RelationRow } from "./relation-row.js";

/** Maximum number of pairs of rows that a join creates: more pairs would exhaust the memory. */
export const PAIRS_MAX = 1_000_000;

/**
 * Returns the result of a join from its rows. In the original form, equal rows appear in the result once, unless the
 * join has no condition.
 */
export function* ofJoin(
  { left, right }: { readonly left: Relation; readonly right: Relation },
  { kind, on }: { readonly kind: JoinKind; readonly on: Expression | null },
  rows: readonly RelationRow[],
  evaluation: Evaluation,
): Generator<void, Relation> {
  const isSet = left.isSet && right.isSet;
  const keepsAll = isSet || evaluation.form === "standard" || (kind === "inner" && on === null);
  return {
    name: nameOf(left, right, kind, on),
    columns: [...left.columns, ...right.columns],
    rows: keepsAll ? rows : yield* withoutDuplicates(rows, evaluation),
    table: null,
    isSet: isSet || !keepsAll,
  };
}

/**
 * Maximum length of each part of the name of a relation. Some joins repeat the names of their sides, so without a limit
 * the name of a nested join would exceed the maximum length of a string.
 */
const NAME_CHARS_MAX = 4096;

/** Returns the name of the rows of two sources that a comma separates. */
export const nameOfJoin = (left: string, right: string): string =>
  `${left.slice(0, NAME_CHARS_MAX)}_produit_${right.slice(0, NAME_CHARS_MAX)}`;

function nameOf(left: Relation, right: Relation, kind: JoinKind, on: Expression | null) {
  const [one, other] = [left.name.slice(0, NAME_CHARS_MAX), right.name.slice(0, NAME_CHARS_MAX)];
  if (kind === "left") return `${one}_left_join_${other}`;
  if (kind === "right") return `${one}_right_join_${other}`;
  if (kind === "full") return `${one}_left_join_${other}_Union_${one}_right_join_${other}`;
  return `${nameOfJoin(one, other)}${on === null ? "" : "_selection"}`;
}

/**
 * Joins by all columns that both sides have. The result contains each of these columns once. In the original form, null
 * equals null in such a column.
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
  checkColumns(evaluation, left.columns.length + right.columns.length);
  spend(evaluation, left.rows.length + right.rows.length);
  const names = new Set(left.columns.map(({ name }) => name));
  const added = [...right.columns.keys()].filter(
    (position) => !names.has(right.columns[position]?.name ?? ""),
  );
  evaluation.effort.hold(right.rows.length * KEY_BYTES);
  const byKey = new Map<string, RelationRow[]>();
  const hasNull = (row: RelationRow, positions: readonly number[]) =>
    evaluation.form === "standard" && positions.some((position) => row[position] === null);
  const others = shared.map(({ other }) => other);
  for (const [i, row] of right.rows.entries()) {
    if (i % STEP_ITEMS === STEP_ITEMS - 1) yield;
    if (hasNull(row, others)) continue;
    const key = shared.map(({ other }) => cellKey(row[other] as Cell)).join("");
    const alike = byKey.get(key);
    if (alike === undefined) byKey.set(key, [row]);
    else alike.push(row);
  }
  const rows: RelationRow[] = [];
  for (const [i, row] of left.rows.entries()) {
    if (i % STEP_ITEMS === STEP_ITEMS - 1) yield;
    const key = rowKey(shared.map(({ position }) => row[position] as Scalar));
    for (const partner of byKey.get(key) ?? []) {
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
