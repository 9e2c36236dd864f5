/** Executes the queries in the expressions of a change. All of them read the rows as they are before the change. */
import { finish } from "../../../../protocol/steps.js";
import { namesInChange } from "../grammar/query-names.js";
import type { Delete, Expression, Insert, Update } from "../grammar/syntax-tree.js";
import type { NumberedRows, Table } from "../values/table.js";
import type { Evaluation } from "./evaluation-context.js";
import { answeredQuery } from "./execute-query.js";
import { findSources } from "./find-sources.js";
import type { RelationColumn, RelationRow } from "./relation-row.js";
import { matching } from "./select-rows.js";
import { type Execute, type RowQueries, type SplitCondition, Subqueries } from "./subqueries.js";

/** Runs the part of a change that reads rows, and releases them before the change is applied. */
export function beforeChange<Read>({ sources }: Evaluation, read: () => Read): Read {
  try {
    return read();
  } finally {
    sources.release();
  }
}

/** The rows that a change selects, and the rows of which it calculates values. */
export interface SelectedRows {
  readonly matches: NumberedRows;
  /** The rows in the order of `matches`, with the columns of the prepared change. */
  readonly rows: readonly RelationRow[];
}

/** A change without queries in its expressions. */
export class PreparedChange {
  /** The columns of the rows of which the values are calculated. */
  readonly columns: readonly RelationColumn[];
  /** The new values. */
  readonly values: readonly Expression[];
  readonly #tableColumns: readonly RelationColumn[];
  readonly #where: SplitCondition;
  readonly #inCondition: RowQueries | null;
  readonly #inValues: RowQueries | null;
  readonly #evaluation: Evaluation;

  /** @param columns the columns of the table */
  constructor(change: Update | Delete, columns: readonly RelationColumn[], evaluation: Evaluation) {
    const values = change.kind === "update" ? change.changes.map(({ value }) => value) : [];
    this.#tableColumns = columns;
    this.#evaluation = evaluation;
    const queries = queriesOf(change, columns, evaluation);
    this.#inCondition = queries?.inCondition ?? null;
    this.#inValues = queries?.inFields ?? null;
    this.#where =
      queries === null ? { early: change.where, late: null } : finish(queries.condition(change.where));
    this.values =
      queries === null ? values : values.map((value) => finish(queries.replaced(value, queries.inFields)));
    this.columns = queries?.inFields.columns ?? columns;
  }

  /** Returns the rows that meet the condition. */
  rowsOf(table: Table): SelectedRows {
    const { early, late } = this.#where;
    let matches = matching(table, this.#tableColumns, early, this.#evaluation);
    if (late !== null && this.#inCondition !== null) {
      const { numbers, rows } = matches;
      const indexes = finish(this.#inCondition.matching(rows, late));
      matches = {
        numbers: indexes.map((at) => numbers[at] as number),
        rows: indexes.map((at) => rows[at] ?? []),
      };
    }
    const needsValues = this.#inValues !== null && !this.#inValues.isEmpty;
    return { matches, rows: needsValues ? finish(this.#inValues.extended(matches.rows)) : matches.rows };
  }
}

/** Replaces the queries in the rows of an insert. */
export function insertedValues(
  insert: Insert,
  rows: readonly (readonly Expression[])[],
  evaluation: Evaluation,
): readonly (readonly Expression[])[] {
  const queries = queriesOf(insert, [], evaluation);
  if (queries === null) return rows;
  return rows.map((values) => values.map((value) => finish(queries.replaced(value, queries.inFields))));
}

/** Returns the queries of a change, or null if its expressions contain none. */
function queriesOf(
  change: Insert | Update | Delete,
  columns: readonly RelationColumn[],
  evaluation: Evaluation,
): Subqueries | null {
  if (change.hasSubqueries !== true) return null;
  findSources(namesInChange(change), evaluation);
  const execute: Execute = (query, within) => answeredQuery(query, within, 0);
  return new Subqueries(columns, execute, evaluation);
}
