/** Relations: rows under columns, which every operator accepts and returns. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { STEP_ITEMS } from "../../../../protocol/steps.js";
import { sqlFailure } from "../grammar/error-messages.js";
import type { Column, JoinKind } from "../grammar/syntax-tree.js";
import { adviceForName } from "../grammar/unsupported-features.js";
import type { Scalar } from "../values/cell.js";
import type { TableColumn } from "../values/table-column.js";
import type { TableReading } from "../values/table-reading.js";
import { type Evaluation, KEY_BYTES } from "./evaluation-context.js";
import type { RelationColumn, RelationRow } from "./relation-row.js";

/** The origin of columns that contain the values of queries for each row; `*` does not select them. */
export const CALCULATED = "\0";

export interface Relation {
  /** Describes how the relation was computed, for example `t_selection_projection`. */
  readonly name: ByteString;
  readonly columns: readonly RelationColumn[];
  readonly rows: readonly RelationRow[];
  /** The table, if the relation contains all its rows, or null if the rows were selected or computed. */
  readonly table: TableReading | null;
  /** Whether it is certain that no two rows are equal. */
  readonly isSet: boolean;
}

/** Returns the rows of a table, which are read when they are first requested. */
export function tableRelation(
  name: ByteString,
  origin: ByteString,
  { reading: table, columns }: { readonly reading: TableReading; readonly columns: readonly TableColumn[] },
): Relation {
  return {
    name,
    columns: columnsOf(columns, origin),
    get rows() {
      return table.rows;
    },
    table,
    isSet: columns.some(({ uniqueness }) => uniqueness === "primary"),
  };
}

/**
 * The columns of each table with the origin (table name or alias) for which they were created last. They are cached
 * because clients repeat statements.
 */
const knownColumns = new WeakMap<readonly TableColumn[], readonly RelationColumn[]>();

export function columnsOf(columns: readonly TableColumn[], origin: ByteString): readonly RelationColumn[] {
  const cached = knownColumns.get(columns);
  if (cached !== undefined && cached[0]?.origin === origin) return cached;
  const relationColumns = columns.map(({ name }) => ({ name, origin }));
  knownColumns.set(columns, relationColumns);
  return relationColumns;
}

/** Removes duplicate rows; the first of equal rows remains. */
export function* withoutDuplicates(
  rows: readonly RelationRow[],
  { effort }: Evaluation,
): Generator<void, readonly RelationRow[]> {
  if (rows.length < 2) return rows;
  const distinctRows = new DistinctRows();
  const result: RelationRow[] = [];
  for (const [i, row] of rows.entries()) {
    if (distinctRows.add(row)) {
      effort.hold(KEY_BYTES);
      result.push(row);
    }
    if (i % STEP_ITEMS === STEP_ITEMS - 1) yield;
  }

  return result;
}

/**
 * Returns the index of a column. In the original form, an origin that no column has is ignored if only one column has
 * the name. In the standard form, if no column has exactly this name, upper and lower case are not distinguished.
 * @throws CommandFailure
 */
export function positionOf(
  column: Column,
  columns: readonly RelationColumn[],
  evaluation: Evaluation,
): number {
  const position = indexOfColumn(column, columns, evaluation);
  if (position !== undefined) return position;
  const { origin, name } = column;
  const advice = evaluation.form === "standard" && origin === null ? adviceForName(name) : undefined;
  if (advice !== undefined) throw sqlFailure(evaluation.language, "notSupported", name, advice);
  throw sqlFailure(evaluation.language, "unknownColumn", origin === null ? name : `${origin}.${name}`);
}

/**
 * Returns the index of a column, or undefined if there is no such column.
 * @throws CommandFailure if several columns have the name
 */
export function indexOfColumn(
  column: Column,
  columns: readonly RelationColumn[],
  evaluation: Evaluation,
): number | undefined {
  const position = exactPositionOf(column, columns, evaluation);
  if (position !== undefined || evaluation.form === "original") return position;

  const folded = columns.map((each) => ({
    name: fold(each.name),
    origin: each.origin && fold(each.origin),
    otherOrigins: each.otherOrigins?.map(fold) ?? [],
  }));
  const { origin, name } = column;
  return exactPositionOf({ ...column, name: fold(name), origin: origin && fold(origin) }, folded, evaluation);
}

/**
 * Returns the indexes of the columns of `t.*` or, if `origin` is null, of `*`.
 * @throws CommandFailure if no table has that name
 */
export function columnsOfOrigin(
  origin: ByteString | null,
  columns: readonly RelationColumn[],
  { language }: Evaluation,
): readonly number[] {
  if (origin === null) return [...columns.keys()].filter((at) => columns[at]?.origin !== CALCULATED);
  for (const alike of [(name: ByteString) => name, fold]) {
    const indexes = [...columns.keys()].filter((position) => {
      const { origin: ownOrigin, otherOrigins = [] } = columns[position] as RelationColumn;
      return [ownOrigin, ...otherOrigins].some((each) => each !== null && alike(each) === alike(origin));
    });
    if (indexes.length > 0) return indexes;
  }
  throw sqlFailure(language, "noSuchOrigin", origin);
}

/** Returns the columns of a join, and the indexes of those that the right side adds. */
export function joinedColumns(
  left: readonly RelationColumn[],
  right: readonly RelationColumn[],
  kind: JoinKind,
): { readonly columns: readonly RelationColumn[]; readonly added: readonly number[] } {
  const names = new Set(kind === "natural" ? left.map(({ name }) => name) : []);
  const added = [...right.keys()].filter((position) => !names.has((right[position] as RelationColumn).name));
  const before = kind === "natural" ? sharedColumns(left, right) : left;
  return { columns: [...before, ...added.map((position) => right[position] as RelationColumn)], added };
}

/** Returns the columns of a natural join's left side: the shared ones also have the right side's origin. */
export function sharedColumns(
  left: readonly RelationColumn[],
  right: readonly RelationColumn[],
): readonly RelationColumn[] {
  return left.map((column) => {
    const other = right.find(({ name }) => name === column.name);
    if (other === undefined || other.origin === null) return column;
    return { ...column, otherOrigins: [...(column.otherOrigins ?? []), other.origin] };
  });
}

/** Returns a name in lower case. Only ASCII letters are converted, because names are bytes. */
export const fold = (name: ByteString) => name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());

/** Whether a name in double quotes is a text, because no such column exists. */
export function isText({ isQuoted, name }: Column, columns: readonly RelationColumn[]): boolean {
  return isQuoted === true && !isNamed(name, columns);
}

/** Whether a column has this name, in whatever case. */
export function isNamed(name: ByteString, columns: readonly RelationColumn[]): boolean {
  const foldedName = fold(name);
  return columns.some((column) => fold(column.name) === foldedName);
}

/** @returns undefined if there is no such column */
function exactPositionOf(
  { origin, name }: Column,
  columns: readonly RelationColumn[],
  { language, form }: Evaluation,
): number | undefined {
  let [count, position, exactCount, exactPosition] = [0, -1, 0, -1];
  for (let at = columns.length - 1; at >= 0; at--) {
    const column = columns[at] as RelationColumn;
    if (column.name !== name) continue;
    const isShared = form === "standard" && origin !== null && column.otherOrigins?.includes(origin) === true;
    const isExact = column.origin === origin || isShared;
    if (!isExact && form === "standard" && origin !== null && column.origin !== null) continue;
    count++;
    position = at;
    if (!isExact) continue;
    exactCount++;
    exactPosition = at;
  }

  if (origin !== null && exactCount > 0) {
    if (exactCount > 1) throw sqlFailure(language, "ambiguousOrigin", name, origin);
    return exactPosition;
  }
  if (count > 1) throw sqlFailure(language, "ambiguousColumn", name, String(count));

  return count === 1 ? position : undefined;
}

type Row = readonly Scalar[];
/** The only row with the values that lead to the node, or a map from the next value to the node for that value. */
type Node = Row | Map<Scalar, Node>;

/**
 * A set of rows as a tree of maps: the first level contains the values of the first column, the next level those of the
 * second, and so on. A row is stored at the first level at which its values distinguish it from all other rows, because
 * building a key from all values would take longer than most joins.
 */
export class DistinctRows {
  #rows = new Map<Scalar, Node>();
  #hasEmpty = false;

  /** @param row must have as many columns as the earlier ones @returns whether no equal row was added before */
  add(row: Row): boolean {
    if (row.length === 0) {
      const isNew = !this.#hasEmpty;
      this.#hasEmpty = true;
      return isNew;
    }

    let rows = this.#rows;
    for (let column = 0; ; column++) {
      const value = row[column] as Scalar;
      const node = rows.get(value);
      if (node === undefined) {
        rows.set(value, row);
        return true;
      }
      if (node instanceof Map) {
        rows = node;
        continue;
      }
      if (isSameAfter(node, row, column)) return false;

      const next = new Map<Scalar, Node>([[node[column + 1] as Scalar, node]]);
      rows.set(value, next);
      rows = next;
    }
  }
}

function isSameAfter(one: Row, other: Row, column: number): boolean {
  for (let at = column + 1; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}
