/**
 * Finds the rows that meet a condition. In a table, an index finds them if the condition requires a column to have a
 * certain value, in a part that may be checked early.
 */
import { finish, STEP_ITEMS, sortedInSteps } from "../../../../protocol/steps.js";
import { type Binary, type Expression, type Form, operandsOf } from "../grammar/syntax-tree.js";
import type { Row, Scalar } from "../values/cell.js";
import type { NumberedRows, Table } from "../values/table.js";
import { condition, constantOf, countCalculated, rowScope, rowsAStep } from "./compiled-expressions.js";
import { countScanned, type Evaluation, spend } from "./evaluation-context.js";
import { isText, positionOf, type Relation, withoutDuplicates } from "./relation.js";
import type { RelationColumn, RelationRow } from "./relation-row.js";

/** Minimum number of rows of a table for an index to be used; in a smaller table all rows are checked. */
export const INDEXED_ROWS_MIN = 16;

/** Selects the rows that meet a condition. In the original form, equal rows appear in the result once. */
export function* selected(
  relation: Relation,
  where: Expression,
  evaluation: Evaluation,
): Generator<void, Relation> {
  const { columns, table } = relation;
  const holds = condition(where, rowScope(columns, evaluation), evaluation);
  const required =
    table === null || table.size < INDEXED_ROWS_MIN
      ? null
      : indexedValuesOf(columns, where, evaluation, table);
  const candidates =
    table === null || required === null
      ? relation.rows
      : (yield* numbersOf(required, (value) => table.equal(required.position, value))).map((number) =>
          table.row(number),
        );
  if (required !== null) countScanned(evaluation, required.count - 1);
  spend(evaluation, candidates.length);
  countCalculated(evaluation, candidates.length, [where]);
  const rows = yield* filtered(candidates, holds, rowsAStep([where]), evaluation);
  return yield* ofSelection(relation, rows, evaluation);
}

/** Returns a relation with only the rows that meet a condition. */
export function* ofSelection(
  { name, columns, isSet }: Relation,
  rows: readonly RelationRow[],
  evaluation: Evaluation,
): Generator<void, Relation> {
  const keepsAll = isSet || evaluation.form === "standard";
  return {
    name: `${name}_selection`,
    columns,
    rows: keepsAll ? rows : yield* withoutDuplicates(rows, evaluation),
    table: null,
    isSet: isSet || !keepsAll,
  };
}

/** @param step maximum number of rows that are checked in one step */
export function* filtered<R extends RelationRow>(
  rows: readonly R[],
  holds: (row: R) => boolean,
  step: number,
  { effort }: Evaluation,
): Generator<void, readonly R[]> {
  const matches: R[] = [];
  let checked = 0;
  for (const row of rows) {
    if (holds(row)) matches.push(row);
    if (++checked % step === 0 || effort.endsSlice()) yield;
  }

  return matches;
}

/** Returns the rows of a table to change, with their numbers; without a condition, all rows. */
export function matching(
  table: Table,
  columns: readonly RelationColumn[],
  where: Expression | null,
  evaluation: Evaluation,
): NumberedRows {
  const numbers: number[] = [];
  const rows: Row[] = [];
  const holds = where === null ? () => true : condition(where, rowScope(columns, evaluation), evaluation);
  const required =
    where === null || table.size < INDEXED_ROWS_MIN
      ? null
      : indexedValuesOf(columns, where, evaluation, table);
  countScanned(evaluation, required === null ? table.size : required.count - 1);
  const candidates =
    required === null
      ? table.numbered()
      : finish(numbersOf(required, (value) => equalIn(table, required.position, value))).map(
          (number) => [number, table.row(number)] as const,
        );
  const count = required === null ? table.size : (candidates as readonly unknown[]).length;
  if (where !== null) countCalculated(evaluation, count, [where]);
  for (const [number, row] of candidates) {
    if (!holds(row)) continue;
    countScanned(evaluation, 1);
    numbers.push(number);
    rows.push(row);
  }

  return { numbers, rows };
}

/** A value that a condition requires a column to have. */
export interface RequiredValue {
  readonly position: number;
  readonly value: Scalar;
}

/** A column and the values of which it must equal one. */
interface Choice {
  readonly position: number;
  readonly values: Iterable<Scalar>;
  /** Number of values. */
  readonly count: number;
}

interface Indexed {
  readonly size: number;
  isUnique(position: number): boolean;
}

/**
 * Returns the numbers of the rows whose column has one of the values, ascending.
 * @param equal finds the rows with one value
 */
function* numbersOf(
  { values, count }: Choice,
  equal: (value: Scalar) => Generator<void, readonly number[]>,
): Generator<void, readonly number[]> {
  const numbers = new Set<number>();
  let tried = 0;
  for (const value of values) {
    const found = yield* equal(value);
    if (count === 1) return found;
    for (const number of found) numbers.add(number);
    if (++tried % STEP_ITEMS === 0) yield;
  }

  return yield* sortedInSteps([...numbers], (a, b) => a - b);
}

// biome-ignore lint/correctness/useYield: writes find their rows in one step
function* equalIn(table: Table, position: number, value: Scalar): Generator<void, readonly number[]> {
  return table.index(position).equal(value);
}

/**
 * Returns the values by which an index should find the rows, or null if no condition requires such values. A single
 * required value is preferred to a list. Of several single values, the first one is returned or, in the standard form,
 * the first one of a unique column, if there is one. Without a single value, returns the first list with fewer values
 * than the table has rows.
 */
function indexedValuesOf(
  columns: readonly RelationColumn[],
  where: Expression,
  evaluation: Evaluation,
  table: Indexed,
): Choice | null {
  const { parts } = conditionPartsOf(where, evaluation.form);
  const required = requiredValueOf(columns, parts, evaluation, table);
  if (required !== null) return { position: required.position, values: [required.value], count: 1 };

  for (const part of parts) {
    if ((part.kind !== "in" && part.kind !== "in-set") || part.isNegated) continue;
    const { operand } = part;
    if (operand.kind !== "column" || isText(operand, columns)) continue;
    const count = part.kind === "in" ? part.list.length : part.set.size;
    if (count === 0 || count >= table.size) continue;
    const values = part.kind === "in" ? constantsOf(part.list, evaluation) : part.set.values();
    if (values !== null) return { position: positionOf(operand, columns, evaluation), values, count };
  }

  return null;
}

/** Returns the values of a list, or null if one of them must be calculated. */
function constantsOf(list: readonly Expression[], evaluation: Evaluation): readonly Scalar[] | null {
  const values = list.map((each) => constantOf(each, evaluation));
  return values.every((value) => value !== undefined) ? values : null;
}

function requiredValueOf(
  columns: readonly RelationColumn[],
  parts: readonly Expression[],
  evaluation: Evaluation,
  table: Indexed,
): RequiredValue | null {
  let first: RequiredValue | null = null;
  for (const { left, right } of parts.filter(isEquality)) {
    for (const [one, other] of [
      [left, right],
      [right, left],
    ] as const) {
      const value: Scalar | undefined = constantOf(other, evaluation);
      if (one.kind !== "column" || value === undefined || isText(one, columns)) continue;
      const required = { position: positionOf(one, columns, evaluation), value };
      if (evaluation.form === "original" || table.isUnique(required.position)) return required;
      first ??= required;
    }
  }

  return first;
}

/** The parts of a condition, all of which must hold. */
interface ConditionParts {
  /** The parts that may be checked early. */
  readonly parts: readonly Expression[];
  /**
   * The parts that may be checked early and, in the original form, the first part that can fail, which follows them.
   */
  readonly leading: readonly Expression[];
  /** Whether no part of the condition can fail. */
  readonly isSafe: boolean;
}

/**
 * Splits a condition into the parts that AND combines, and finds those that may be checked early, for example by an
 * index. In the original form, only the parts before the first one that can fail may be checked early, so that a
 * statement fails exactly when it would fail if the condition were checked as written. In the standard form, all parts
 * may be checked early, because a failure of a part counts only if no other part rejects the row.
 */
export function conditionPartsOf(condition: Expression, form: Form): ConditionParts {
  const all = conjuncts(condition, form);
  const end = all.findIndex((part) => !isSafe(part));
  if (end < 0 || form === "standard") return { parts: all, leading: all, isSafe: end < 0 };
  return { parts: all.slice(0, end), leading: all.slice(0, end + 1), isSafe: false };
}

type Equality = Binary & { readonly operator: "=" };

export const isEquality = (part: Expression): part is Equality =>
  part.kind === "binary" && part.operator === "=";

/** Returns the parts that must all hold, in the order in which they are checked. */
function conjuncts(condition: Expression, form: Form): readonly Expression[] {
  const parts: Expression[] = [];
  const pending = [condition];
  for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
    // In the original form, the right side of an AND remains one part, even if it is an AND in parentheses.
    const isSplit = form === "standard" || pending.length === 0;
    if (isSplit && part.kind === "binary" && part.operator === "and") pending.push(part.left, part.right);
    else parts.push(part);
  }
  return parts.reverse();
}

/** Whether a part cannot fail. Arithmetic, for example, can fail, and so can the conversion of a text to a number. */
export function isSafe(part: Expression): boolean {
  switch (part.kind) {
    case "literal":
    case "parameter":
    case "column":
      return true;
    case "call":
    case "like":
      return false;
    case "negative":
      return part.operand.kind === "literal" && typeof part.operand.value === "number";
    case "cast":
      return part.type === "text" && isSafe(part.operand);
    case "binary":
      return !["+", "-", "*", "/"].includes(part.operator) && isSafe(part.left) && isSafe(part.right);
    default:
      return operandsOf(part).every(isSafe);
  }
}
