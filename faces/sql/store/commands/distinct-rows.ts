/**
 * A set of rows as a tree of maps: the first level contains the values of the first column, the next level those of the
 * second, and so on. A row is stored at the first level at which its values distinguish it from all other rows, because
 * building a key from all values would take longer than most joins.
 */
import type { Scalar } from "../values/cell.js";

type Row = readonly Scalar[];
/** The only row with the values that lead to the node, or a map from the next value to the node for that value. */
type Node = Row | Map<Scalar, Node>;

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
