/** What queries are made of: rows under columns, which every operator takes and gives. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { sqlFailure } from "../../sql/messages.js";
import type { Column, Language } from "../../sql/tree.js";
import type { Scalar } from "../../values/relations/cell.js";
import type { Table } from "../../values/relations/table.js";
import { DistinctRows } from "./distinct-rows.js";

export interface RelationColumn {
  readonly name: ByteString;
  /** The table, the view or the name given to it that the column is from; null: an expression, or nobody has asked. */
  readonly origin: ByteString | null;
}

export type RelationRow = readonly Scalar[];

export interface Relation {
  /** Tells how it came about: `t_selection_projection`. */
  readonly name: ByteString;
  readonly columns: readonly RelationColumn[];
  readonly rows: readonly RelationRow[];
  /** Whose rows these are, all of them; null: they have been chosen or made. */
  readonly table: Table | null;
  /** Whether no two rows are equal, for certain. */
  readonly isSet: boolean;
}

/** The rows of a table as they are; found when they are asked for. */
export function tableRelation(name: ByteString, origin: ByteString, table: Table): Relation {
  return {
    name,
    columns: columnsOf(table, origin),
    get rows() {
      return table.rows;
    },
    table,
    isSet: table.columns.some(({ uniqueness }) => uniqueness === "primary"),
  };
}

/** Of tables by the origin that was asked for last: the same is, again and again. */
const knownColumns = new WeakMap<Table["columns"], readonly RelationColumn[]>();

function columnsOf({ columns }: Table, origin: ByteString): readonly RelationColumn[] {
  const known = knownColumns.get(columns);
  if (known !== undefined && known[0]?.origin === origin) return known;
  const made = columns.map(({ name }) => ({ name, origin }));
  knownColumns.set(columns, made);
  return made;
}

/** Equal rows once, at the first one's place. */
export function withoutDuplicates(rows: readonly RelationRow[]): readonly RelationRow[] {
  if (rows.length < 2) return rows;
  const seen = new DistinctRows();
  return rows.filter((row) => seen.add(row));
}

/**
 * The place of the column that is meant. An origin that nobody has is ignored where the name says enough.
 * @throws CommandFailure
 */
export function placeOf(
  { origin, name }: Column,
  columns: readonly RelationColumn[],
  language: Language,
): number {
  let [count, place, exactCount, exactPlace] = [0, -1, 0, -1];
  for (let at = columns.length - 1; at >= 0; at--) {
    const column = columns[at] as RelationColumn;
    if (column.name !== name) continue;
    count++;
    place = at;
    if (column.origin !== origin) continue;
    exactCount++;
    exactPlace = at;
  }
  if (origin !== null && exactCount > 0) {
    if (exactCount > 1) throw sqlFailure(language, "ambiguousOrigin", name, origin);
    return exactPlace;
  }
  if (count === 1) return place;
  if (count === 0) throw sqlFailure(language, "unknownColumn", origin === null ? name : `${origin}.${name}`);
  throw sqlFailure(language, "ambiguousColumn", name, String(count));
}
