/** The context in which a statement is executed. */

import type { CommandFailure } from "../../../../daemon/store/arguments/command-errors.js";
import type { EffortBudget } from "../../../../daemon/store/keyspace/effort-budget.js";
import type { Data } from "../../../../daemon/store/keyspace/mutators.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { type MessageName, sqlFailure } from "../grammar/error-messages.js";
import type { Call, Language, SqlForm } from "../grammar/syntax-tree.js";
import type { Scalar } from "../values/cell.js";
import type { OuterRow } from "./outer-rows.js";
import type { Sources } from "./sources.js";

export interface Evaluation {
  readonly data: Data;
  /** The counter of this statement: that of `data` is another one while the steps of a query run. */
  readonly effort: EffortBudget;
  /** The database's name; empty if no database is chosen. */
  readonly database: ByteString;
  readonly language: Language;
  /** The form that determines the semantics of expressions and queries. */
  readonly form: SqlForm;
  /** The tables and views that the statement reads. */
  readonly sources: Sources;
  /** The values of the `?` in the statement, in order. */
  readonly parameters: readonly ByteString[];
  /** The cost of the statement so far. */
  readonly work: EvaluationCost;
  /** Date of the unit; expired keys count as absent. */
  readonly at: number;
  /** The row of the query around the query that is executed, if it is in an expression. */
  readonly outer?: OuterRow | undefined;
}

/**
 * Maximum number of rows that a statement may check, including SOURCE_WORK for each source. Checking that many rows
 * takes a few seconds, during which all clients wait.
 */
export const WORK_MAX = 20_000_000;
/**
 * Number of rows that each source counts as, in addition to its own rows. This limits the number of sources, which
 * views can multiply: a view may name many sources, which may be views themselves.
 */
export const SOURCE_WORK = 10_000;

/** Number of rows that each source of a query counts as when the query is executed for a further row. */
const REPEATED_SOURCE_WORK = 100;
/** Number of rows that each execution of a query for a row counts as, in addition to those of its sources. */
const EXECUTION_WORK = 100;
/** Number of characters of such a query that count as one row: the query is planned for each row. */
const CHARS_PER_ROW = 4;

/** Cost in steps of each row that is checked. */
const STEPS_PER_ROW = 4;
/** Cost in steps of each row that is sorted or found by its values. */
const STEPS_PER_KEYED_ROW = 24;
/** Cost in steps of each row that is added, changed or removed, in addition to the cost of changing the table. */
const STEPS_PER_MADE_ROW = 14;

export interface EvaluationCost {
  /** Number of rows checked. */
  rows: number;
  /** Number of backtracking steps of `like`. */
  likeSteps: number;
}

/** Counts rows that are about to be checked. @throws CommandFailure if there are too many */
export function spend(evaluation: Evaluation, rows: number): void {
  evaluation.work.rows += rows;
  countScanned(evaluation, rows);
  if (evaluation.work.rows > WORK_MAX) throw failure(evaluation, "tooMuchWork", String(WORK_MAX));
}

/** Counts a source that is about to be read. @param isRepeated whether the query is executed for a further row */
export function spendSource(evaluation: Evaluation, isRepeated: boolean): void {
  spend(evaluation, isRepeated ? REPEATED_SOURCE_WORK : SOURCE_WORK);
}

/** Counts the execution of a query for a row. @param chars length of the query */
export function spendExecution(evaluation: Evaluation, chars: number): void {
  spend(evaluation, EXECUTION_WORK + Math.ceil(chars / CHARS_PER_ROW));
}

/**
 * Counts rows only towards the unit's budget: the statement's own limit must not change for recorded statements.
 * @throws BudgetExceeded
 */
export function countScanned({ effort }: Evaluation, rows: number): void {
  effort.countSteps(rows * STEPS_PER_ROW);
}

/**
 * Counts rows that are about to be sorted, grouped, compared with each other or looked up, in addition to reading them.
 * @throws BudgetExceeded
 */
export function countRows({ effort }: Evaluation, rows: number): void {
  effort.countSteps(rows * STEPS_PER_KEYED_ROW);
}

/** Counts rows that are about to be created from other rows, or removed. @throws BudgetExceeded */
export function countMade({ effort }: Evaluation, rows: number): void {
  effort.countSteps(rows * STEPS_PER_MADE_ROW);
}

/**
 * Maximum number of columns of a table or a query. Without a limit, joins of joins could have any number of columns.
 */
export const COLUMNS_MAX = 1000;
/** Maximum number of cells in all rows that are created in one step. */
const CELLS_MAX = 32_000_000;

/** Approximate memory of a row of a query, in addition to its cells. */
export const ROW_BYTES = 40;
/** Approximate memory of a cell of a row. Texts are shared with the tables. */
const CELL_BYTES = 12;
/** Approximate memory of a row in a map or a set, or of a row with the keys by which it is sorted. */
export const KEY_BYTES = 100;

/** Reserves the memory of rows that the query is about to create. @throws WorkingMemoryExceeded, BudgetExceeded */
export function holdRows({ effort }: Evaluation, rows: number, columns: number): void {
  effort.reserveMemory(rows * (ROW_BYTES + columns * CELL_BYTES));
}

/** Reserves the memory of the texts that expressions have calculated for a row. */
export function holdTexts({ effort }: Evaluation, row: readonly (Scalar | undefined)[]): void {
  for (const value of row) if (typeof value === "string") effort.reserveMemory(value.length);
}

/** @throws CommandFailure if there are too many */
export function checkColumns(evaluation: Evaluation, columns: number): void {
  if (columns > COLUMNS_MAX) throw failure(evaluation, "tooWide", String(COLUMNS_MAX));
}

/** @throws CommandFailure if the new rows would take too much memory */
export function checkSize(evaluation: Evaluation, rows: number, columns: number): void {
  if (rows * columns <= CELLS_MAX) return;
  throw failure(evaluation, "tooMany", String(Math.floor(CELLS_MAX / columns)));
}

export function failure(
  { language }: Evaluation,
  name: MessageName,
  ...about: readonly ByteString[]
): CommandFailure {
  return sqlFailure(language, name, ...about);
}

/** Returns the error for a call of an aggregate function where only functions of one row are allowed. */
export function notByRow(evaluation: Evaluation, call: Call): CommandFailure {
  return failure(
    evaluation,
    comparesArguments(evaluation, call) ? "severalArguments" : "notByRow",
    call.name,
  );
}

/** Whether an English statement calls min or max with several arguments, as SQLite allows. */
export function comparesArguments({ language }: Evaluation, { name, arguments: operands }: Call): boolean {
  const isExtreme = ["min", "max"].includes(name.toLowerCase());
  return language === "english" && isExtreme && (operands?.length ?? 0) > 1;
}
