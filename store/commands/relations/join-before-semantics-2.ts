/**
 * Joins two relations for writing statements before CLUSTER SEMANTICS 2: every condition is evaluated where it is
 * written, and limits count the pairs that are checked. If the condition requires a column of each side to be equal,
 * the pairs are found by a hash of the right side's column. All other statements use join-by-plan.ts, with the same
 * result.
 */
import { finish, STEP_ITEMS } from "../../../protocol/steps.js";
import type { Expression, JoinKind } from "../../sql/syntax-tree.js";
import type { Cell, Scalar } from "../../values/relations/cell.js";
import { cellKey, rowKey } from "../../values/relations/cell.js";
import { HashIndex } from "../../values/relations/hash-index.js";
import { condition, rowScope } from "./compiled-expressions.js";
import { leadingEqualities } from "./equalities.js";
import { checkColumns, checkSize, type Evaluation, failure, spend } from "./evaluation-context.js";
import {
  isText,
  positionOf,
  type Relation,
  type RelationColumn,
  type RelationRow,
  sharedColumns,
  withoutDuplicates,
} from "./relation.js";

/**
 * Maximum number of pairs of rows that a join creates, or that a join without a plan checks. More pairs would exhaust
 * the memory.
 */
export const PAIRS_MAX = 1_000_000;
/** @throws CommandFailure */
export function joined(
  left: Relation,
  right: Relation,
  { kind, on }: { readonly kind: JoinKind; readonly on: Expression | null },
  evaluation: Evaluation,
): Relation {
  const columns = [...left.columns, ...right.columns];
  const { pairs: rows, isMatchedLeft, isMatchedRight } = pairsOf(left, right, on, evaluation);
  const unmatched = kind === "inner" ? 0 : isMatchedLeft.length + isMatchedRight.length;
  checkSize(evaluation, rows.length + unmatched, columns.length);
  const nothing = (width: number): RelationRow => Array<null>(width).fill(null);
  if (kind === "left" || kind === "full")
    for (const [i, row] of left.rows.entries())
      if (isMatchedLeft[i] === 0) rows.push([...row, ...nothing(right.columns.length)]);
  if (kind === "right" || kind === "full")
    for (const [i, row] of right.rows.entries())
      if (isMatchedRight[i] === 0) rows.push([...nothing(left.columns.length), ...row]);
  return finish(ofJoin({ left, right }, { kind, on }, rows, evaluation));
}

/**
 * Returns the result of a join from its rows. In the recorded form, equal rows appear in the result once, unless the
 * join has no condition.
 */
export function* ofJoin(
  { left, right }: { readonly left: Relation; readonly right: Relation },
  { kind, on }: { readonly kind: JoinKind; readonly on: Expression | null },
  rows: readonly RelationRow[],
  { form }: Evaluation,
): Generator<void, Relation> {
  const isSet = left.isSet && right.isSet;
  const keepsAll = isSet || form === "standard" || (kind === "inner" && on === null);
  return {
    name: nameOf(left, right, kind, on),
    columns: [...left.columns, ...right.columns],
    rows: keepsAll ? rows : yield* withoutDuplicates(rows),
    table: null,
    isSet: isSet || !keepsAll,
  };
}

/**
 * Maximum length of each part of the name of a relation. Some joins repeat the names of their sides, so without a limit
 * the name of a nested join would exceed the maximum length of a string.
 */
const NAME_CHARS_MAX = 4096;

function nameOf(left: Relation, right: Relation, kind: JoinKind, on: Expression | null) {
  const [one, other] = [left.name.slice(0, NAME_CHARS_MAX), right.name.slice(0, NAME_CHARS_MAX)];
  if (kind === "left") return `${one}_left_join_${other}`;
  if (kind === "right") return `${one}_right_join_${other}`;
  if (kind === "full") return `${one}_left_join_${other}_Union_${one}_right_join_${other}`;
  return `${one}_produit_${other}${on === null ? "" : "_selection"}`;
}

interface Pairs {
  readonly pairs: RelationRow[];
  /** An array with 1 at the index of each row that has a partner, and 0 elsewhere. */
  readonly isMatchedLeft: Uint8Array;
  readonly isMatchedRight: Uint8Array;
}

function pairsOf(left: Relation, right: Relation, on: Expression | null, evaluation: Evaluation): Pairs {
  const columns = [...left.columns, ...right.columns];
  checkColumns(evaluation, columns.length);
  const holdsAll = on === null ? null : condition(on, rowScope(columns, evaluation), evaluation);
  const candidateRows = on === null ? null : candidatesBy(on, left, right, evaluation);
  const candidates = candidateRows?.of ?? null;
  const holds = candidateRows?.isAll === true ? null : holdsAll;
  const [each, all] = [left.rows, right.rows];
  const everywhere = candidates === null ? [...all.keys()] : [];
  spend(evaluation, each.length + all.length);
  const pairs: RelationRow[] = [];
  const [isMatchedLeft, isMatchedRight] = [new Uint8Array(each.length), new Uint8Array(all.length)];
  let checkedPairs = candidates === null ? each.length * all.length : 0;
  if (checkedPairs > PAIRS_MAX) throw failure(evaluation, "tooMany", String(PAIRS_MAX));
  for (const [i, row] of each.entries()) {
    const positions = candidates === null ? everywhere : candidates(row);
    spend(evaluation, positions.length);
    if (candidates !== null) checkedPairs += positions.length;
    if (checkedPairs > PAIRS_MAX) throw failure(evaluation, "tooMany", String(PAIRS_MAX));
    for (const position of positions) {
      const pair = [...row, ...(all[position] as RelationRow)];
      if (holds !== null && !holds(pair)) continue;
      pairs.push(pair);
      checkSize(evaluation, pairs.length, columns.length);
      isMatchedLeft[i] = 1;
      isMatchedRight[position] = 1;
    }
  }
  return { pairs, isMatchedLeft, isMatchedRight };
}

interface Candidates {
  /** Returns the indexes of rows on the right that may match a row on the left. */
  of(row: RelationRow): readonly number[];
  /** Whether these rows certainly match, because the condition has no other part. */
  readonly isAll: boolean;
}

/** @returns null if the condition does not require two columns to be equal */
function candidatesBy(
  on: Expression,
  left: Relation,
  right: Relation,
  evaluation: Evaluation,
): Candidates | null {
  const columns: readonly RelationColumn[] = [...left.columns, ...right.columns];
  const width = left.columns.length;
  for (const equality of leadingEqualities(on, "recorded")) {
    if (equality.left.kind !== "column" || equality.right.kind !== "column") continue;
    if (isText(equality.left, columns) || isText(equality.right, columns)) continue;
    const positions = [equality.left, equality.right].map((column) =>
      positionOf(column, columns, evaluation),
    );
    const [one, other] = positions.sort((a, b) => a - b) as [number, number];
    if (one >= width || other < width) continue;
    const index = new HashIndex();
    for (const [position, row] of right.rows.entries()) {
      const value = row[other - width] as Scalar;
      index.add(position, typeof value === "boolean" ? Number(value) : value);
    }
    const isExact = evaluation.form === "recorded";
    return { of: (row) => index.equal(row[one] as Scalar), isAll: isExact && equality === on };
  }
  return null;
}

/**
 * Joins by all columns that both sides have. The result contains each of these columns once. In the recorded form, null
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
