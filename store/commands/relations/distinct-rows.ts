/**
 * A set of rows, keyed by as many of their first columns as it takes to distinguish them: a key of all values would cost more than most
 * joins.
 */
import type { Scalar } from "../../values/relations/cell.js";

type Row = readonly Scalar[];
/** The only row that begins so, or those that do by their next value. */
type Node = Row | Map<Scalar, Node>;

export class DistinctRows {
  #rows = new Map<Scalar, Node>();
  #hasEmpty = false;

  /** @param row  has as many columns as the earlier ones @returns whether no equal one was added before */
  add(row: Row): boolean {
    if (row.length === 0) {
      const isNew = !this.#hasEmpty;
      this.#hasEmpty = true;
      return isNew;
    }
    let rows = this.#rows;
    for (let column = 0; ; column++) {
      const value = row[column] as Scalar;
      const found = rows.get(value);
      if (found === undefined) {
        rows.set(value, row);
        return true;
      }
      if (found instanceof Map) {
        rows = found;
        continue;
      }
      if (isSameBehind(found, row, column)) return false;
      const next = new Map<Scalar, Node>([[found[column + 1] as Scalar, found]]);
      rows.set(value, next);
      rows = next;
    }
  }
}

function isSameBehind(one: Row, other: Row, column: number): boolean {
  for (let at = column + 1; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}
