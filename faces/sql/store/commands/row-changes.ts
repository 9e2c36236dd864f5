/** INSERT, UPDATE and DELETE: everything is checked before the first row changes. */
import type { CommandFailure } from "../../../../daemon/store/arguments/command-errors.js";
import type { Typed } from "../../../../daemon/store/keyspace/mutators.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { finish } from "../../../../protocol/steps.js";
import { domainWords, scalarText } from "../grammar/expression-text.js";
import { namesInChange } from "../grammar/query-names.js";
import type { Delete, Expression, Insert, Update } from "../grammar/syntax-tree.js";
import { pushRows, removeRows, setRows } from "../keyspace/table-mutators.js";
import { type Cell, cellKey, type Row, type Scalar } from "../values/cell.js";
import { boundCell, fits } from "../values/domain.js";
import type { HashIndex } from "../values/hash-index.js";
import type { NumberedRows, Table } from "../values/table.js";
import type { TableColumn } from "../values/table-column.js";
import { combinedCell, type TableIndex } from "../values/table-index.js";
import { findSources, tableNamed } from "./catalogue.js";
import { compiled, countCalculated, rowScope } from "./compiled-expressions.js";
import { checkColumns, checkSize, countMade, type Evaluation, failure, spend } from "./evaluation-context.js";
import { answered, answeredQuery } from "./execute-query.js";
import { columnsOf } from "./relation.js";
import type { RelationColumn, RelationRow } from "./relation-row.js";
import { matching } from "./select-rows.js";
import { type Execute, type RowQueries, type SplitCondition, Subqueries } from "./subqueries.js";

/** @returns the number of rows added @throws CommandFailure */
export function insert(statement: Insert, evaluation: Evaluation): number {
  const { table: name, source } = statement;
  const entry = tableNamed(evaluation, name);
  const { columns } = entry.value;
  checkColumns(evaluation, statement.columns.length);
  const positions =
    statement.columns.length === 0
      ? [...columns.keys()]
      : statement.columns.map((column) => positionNamed(columns, column, evaluation, "unknownField"));
  const hasAllColumns = statement.columns.length === 0;
  const checkWidth = (width: number): void => {
    if (width === positions.length) return;
    const [actual, expected] = [String(width), String(positions.length)];
    throw hasAllColumns
      ? failure(evaluation, "otherWidth", actual, name, expected)
      : failure(evaluation, "otherCount", expected, actual);
  };
  const added: Row[] = [];
  const add = (values: readonly Scalar[], isBound: (i: number) => boolean): void => {
    checkWidth(values.length);
    checkSize(evaluation, added.length + 1, columns.length);
    const row = columns.map(({ preset }): Cell => preset ?? null);
    for (const [i, position] of positions.entries())
      row[position] = cellOf(values[i] as Scalar, isBound(i), columns, position, evaluation);
    added.push(row);
  };

  if ("rows" in source)
    for (const values of beforeChange(evaluation, () => insertedValues(statement, source.rows, evaluation)))
      add(
        values.map((value) => compiled(value, NO_COLUMNS(evaluation), evaluation)([])),
        (i) => values[i]?.kind === "parameter",
      );
  else {
    const { columns: resultColumns, rows } = answered(source.query, evaluation);
    checkWidth(resultColumns.length);
    countMade(evaluation, rows.length);
    for (const row of rows) add(row, () => false);
  }

  if (statement.onConflict !== undefined) return insertAround(entry, added, statement.onConflict, evaluation);
  checkRequired(entry.value, added, evaluation);
  checkUnique(entry.value, added, new Set(), evaluation);
  pushRows(evaluation.data, entry, added);
  return added.length;
}

/**
 * Adds rows one after the other: a row that has a unique value of an earlier one replaces it, or is omitted.
 * @returns the number of rows added, also of those that a later one replaces
 */
function insertAround(
  entry: Typed<Table>,
  rows: readonly Row[],
  onConflict: "replace" | "ignore",
  evaluation: Evaluation,
): number {
  const { value: table } = entry;
  const rules = uniqueRules(table).map((rule) => ({ ...rule, seen: new Map<string, number>() }));
  const removed = new Set<number>();
  const added: { readonly row: Row; readonly keys: readonly (string | null)[]; isReplaced: boolean }[] = [];
  for (const written of rows) {
    const row = onConflict === "replace" ? withDefaults(table, written) : written;
    const cells = rules.map(({ columns }) => combinedCell(row, columns));
    const keys = cells.map((cell) => (cell === null ? null : cellKey(cell)));
    const earlier = rules.flatMap(({ seen }, i) => seen.get(keys[i] ?? "") ?? []);
    const old = rules.flatMap(({ rows: known }, i) => known.same(cells[i] ?? null) ?? []);
    const isOmitted = earlier.length > 0 || old.length > 0 || isIncomplete(table, row);
    if (onConflict === "ignore" && isOmitted) continue;

    for (const number of old) removed.add(number);
    for (const at of earlier) {
      const replaced = added[at] as (typeof added)[number];
      replaced.isReplaced = true;
      for (const [i, { seen }] of rules.entries()) seen.delete(replaced.keys[i] ?? "");
    }
    for (const [i, key] of keys.entries()) if (key !== null) rules[i]?.seen.set(key, added.length);
    added.push({ row, keys, isReplaced: false });
  }

  const kept = added.flatMap(({ row, isReplaced }) => (isReplaced ? [] : [row]));
  // Each row has to be valid, also one that a later row replaces.
  checkRequired(
    table,
    added.map(({ row }) => row),
    evaluation,
  );
  checkUnique(table, kept, removed, evaluation);
  removeRows(
    evaluation.data,
    entry,
    [...removed].sort((a, b) => a - b),
  );
  pushRows(evaluation.data, entry, kept);
  return added.length;
}

/** Returns a row whose `not null` columns have their defaults instead of null, as a replacing row has in SQLite. */
const withDefaults = ({ columns }: Table, row: Row): Row =>
  row.map((cell, i) =>
    cell === null && columns[i]?.isRequired === true ? (columns[i]?.preset ?? null) : cell,
  );

/** Whether a column that rejects null has no value. */
const isIncomplete = ({ columns }: Table, row: Row): boolean =>
  columns.some(
    ({ isRequired, uniqueness }, i) => row[i] === null && (isRequired === true || uniqueness === "primary"),
  );

/** @returns the number of rows that meet the condition @throws CommandFailure */
export function update(statement: Update, evaluation: Evaluation): number {
  const entry = tableNamed(evaluation, statement.table);
  const table = entry.value;
  checkColumns(evaluation, statement.changes.length);
  const { changed, matched } = beforeChange(evaluation, () => changedRows(statement, table, evaluation));
  checkRequired(table, changed.rows, evaluation);
  checkUnique(table, changed.rows, new Set(changed.numbers), evaluation);
  setRows(evaluation.data, entry, changed);
  return matched;
}

/** Returns the rows that an update changes, and the number of rows that meet its condition. */
function changedRows(
  statement: Update,
  table: Table,
  evaluation: Evaluation,
): { readonly changed: NumberedRows; readonly matched: number } {
  const { table: name } = statement;
  const positions = statement.changes.map(({ column }) =>
    positionNamed(table.columns, column, evaluation, "unknownFieldOf", name),
  );
  const prepared = new PreparedChange(statement, columnsOf(table.columns, name), evaluation);
  const scope = rowScope(prepared.columns, evaluation);
  const changes = prepared.values.map((value, i) => ({
    position: positions[i] as number,
    value: compiled(value, scope, evaluation),
    isBound: isBound(value),
  }));
  const { matches, rows: sources } = prepared.rowsOf(table);
  countMade(evaluation, matches.rows.length);
  countCalculated(evaluation, matches.rows.length, prepared.values);
  const numbers: number[] = [];
  const rows: Row[] = [];
  for (const [i, old] of matches.rows.entries()) {
    const row = [...old];
    for (const { position, value, isBound } of changes)
      row[position] = cellOf(value(sources[i] ?? old), isBound, table.columns, position, evaluation);
    if (row.every((cell, position) => cell === old[position])) continue;
    numbers.push(matches.numbers[i] as number);
    rows.push(row);
  }

  return { changed: { numbers, rows }, matched: matches.numbers.length };
}

const NO_COLUMNS = (evaluation: Evaluation) => rowScope([], evaluation);
const isBound = ({ kind }: Expression) => kind === "parameter";

/** @returns the number of rows removed @throws CommandFailure */
export function remove(statement: Delete, evaluation: Evaluation): number {
  const entry = tableNamed(evaluation, statement.table);
  const { matches } = beforeChange(evaluation, () => {
    const columns = columnsOf(entry.value.columns, statement.table);
    return new PreparedChange(statement, columns, evaluation).rowsOf(entry.value);
  });
  countMade(evaluation, matches.rows.length);
  removeRows(evaluation.data, entry, matches.numbers);
  return matches.numbers.length;
}

/** Finds a column for a statement that changes rows; the case of its name does not matter. */
export function positionNamed(
  columns: readonly TableColumn[],
  columnName: ByteString,
  evaluation: Evaluation,
  message: "unknownField" | "unknownFieldOf",
  table: ByteString = "",
): number {
  const exact = columns.findIndex(({ name }) => name === columnName);
  if (exact >= 0) return exact;

  const position = columns.findIndex(({ name }) => name.toLowerCase() === columnName.toLowerCase());
  if (position < 0) throw failure(evaluation, message, columnName, table);
  return position;
}

/**
 * Returns the cell that a column stores for a value.
 * @param isBound whether the value was bound to a `?` and is therefore a text
 */
function cellOf(
  value: Scalar,
  isBound: boolean,
  columns: readonly TableColumn[],
  position: number,
  evaluation: Evaluation,
): Cell {
  const { domain, name } = columns[position] as TableColumn;
  const plain = typeof value === "number" ? value + 0 : value;
  const cell = isBound && typeof plain === "string" ? boundCell(domain, plain) : plain;
  if (cell !== undefined && typeof cell !== "boolean" && fits(domain, cell)) return cell;
  throw failure(evaluation, "misfit", domainWords(domain), String(position), scalarText(value), name);
}

/** @throws CommandFailure if a column that rejects null has no value */
function checkRequired({ columns }: Table, rows: readonly Row[], evaluation: Evaluation): void {
  for (const [position, { isRequired, uniqueness, name }] of columns.entries()) {
    if (isRequired !== true && uniqueness !== "primary") continue;
    if (rows.some((row) => row[position] === null))
      throw failure(evaluation, isRequired === true ? "required" : "missing", name);
  }
}

/** Columns in which no two rows have the same values. */
interface UniqueRule {
  readonly columns: readonly number[];
  /** The names of the columns, for errors. */
  readonly names: ByteString;
  readonly rows: HashIndex;
}

function uniqueRules(table: Table): readonly UniqueRule[] {
  const ofColumns = table.columns.flatMap(({ uniqueness, name }, position) =>
    uniqueness === "none"
      ? []
      : [
          {
            columns: [position],
            names: name,
            rows: table.index(position),
          },
        ],
  );
  const ofIndexes = table.createdIndexes
    .filter(({ isUnique }) => isUnique)
    .map((index) => ({
      columns: index.columns,
      names: namesOfIndex(table, index),
      rows: table.rowsByIndex(index),
    }));
  return [...ofColumns, ...ofIndexes];
}

const namesOfIndex = (table: Table, { columns }: TableIndex): ByteString =>
  columns.map((column) => table.columns[column]?.name).join(", ");

/**
 * Checks that rows may be added to a table without repeating a unique value.
 * @param replaced numbers of the rows that the new rows replace
 */
function checkUnique(
  table: Table,
  rows: readonly Row[],
  replaced: ReadonlySet<number>,
  evaluation: Evaluation,
): void {
  for (const { columns, names, rows: known } of uniqueRules(table)) {
    const seen = new Set<string>();
    for (const row of rows) {
      const cell = combinedCell(row, columns);
      if (cell === null) continue;
      const key = cellKey(cell);
      const other = known.same(cell);
      if (seen.has(key) || (other !== undefined && !replaced.has(other)))
        throw notUnique(row, columns, names, evaluation);
      seen.add(key);
    }
  }
}

/** @throws CommandFailure if two rows of a table have the same values in the columns of a unique index */
export function checkIndexed(table: Table, index: TableIndex, evaluation: Evaluation): void {
  spend(evaluation, table.size);
  const seen = new Set<string>();
  for (const row of table.rows) {
    const cell = combinedCell(row, index.columns);
    if (cell === null) continue;
    const key = cellKey(cell);
    if (seen.has(key)) throw notUnique(row, index.columns, namesOfIndex(table, index), evaluation);
    seen.add(key);
  }
}

function notUnique(
  row: Row,
  columns: readonly number[],
  names: ByteString,
  evaluation: Evaluation,
): CommandFailure {
  const values = columns.map((column) => scalarText(row[column] as Cell)).join(", ");
  return failure(evaluation, "notUnique", values, names);
}

/**
 * Runs the part of a change that reads rows, and releases them before the change is applied. All queries in its
 * expressions read the rows as they are before the change.
 */
function beforeChange<Read>({ sources }: Evaluation, read: () => Read): Read {
  try {
    return read();
  } finally {
    sources.release();
  }
}

/** The rows that a change selects, and the rows of which it calculates values. */
interface SelectedRows {
  readonly matches: NumberedRows;
  /** The rows in the order of `matches`, with the columns of the prepared change. */
  readonly rows: readonly RelationRow[];
}

/** A change without queries in its expressions. */
class PreparedChange {
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
function insertedValues(
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
