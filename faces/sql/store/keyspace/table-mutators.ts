/** The mutators of tables: part of the interface in mutators.ts, with the same rules. */

import type { Entry } from "../../../../daemon/store/keyspace/keyspace.js";
import type { MutatedUnit } from "../../../../daemon/store/keyspace/mutated-unit.js";
import type { Row } from "../values/cell.js";
import type { NumberedRows, Table } from "../values/table.js";

/** The key of a table. */
type TableEntry = Omit<Entry, "value"> & { readonly value: Table };

/** Cost in steps of a row without its cells. */
const ROW_STEPS = 4;
/** Cost in steps of each cell of a row. */
const CELL_STEPS = 2;

export class TableMutators {
  readonly #host: MutatedUnit;

  constructor(host: MutatedUnit) {
    this.#host = host;
  }

  /** Appends rows. */
  push(entry: TableEntry, rows: readonly Row[]): void {
    if (rows.length === 0) return;
    this.#produce(entry, rows);
    this.#host.record({ mutator: "tablePush", table: entry.value, count: rows.length });
    for (const row of rows) entry.value.push(row);
    this.#host.touch(entry);
  }

  /** Replaces existing rows. */
  set(entry: TableEntry, changed: NumberedRows): void {
    if (changed.numbers.length === 0) return;
    this.#produce(entry, changed.rows);
    this.#host.record({ mutator: "tableSet", table: entry.value, old: entry.value.set(changed) });
    this.#host.touch(entry);
  }

  /**
   * Removes existing rows. The key remains even if the table becomes empty.
   * @param numbers  the numbers of the rows, ascending
   */
  remove(entry: TableEntry, numbers: readonly number[]): void {
    if (numbers.length === 0) return;
    this.#host.produce(ROW_STEPS * numbers.length, 0);
    this.#host.record({ mutator: "tableRemove", table: entry.value, removed: entry.value.remove(numbers) });
    this.#host.touch(entry);
  }

  #produce({ value: { columns } }: TableEntry, rows: readonly Row[]): void {
    for (const row of rows)
      this.#host.produce(
        ROW_STEPS + CELL_STEPS * columns.length,
        row.reduce<number>((bytes, cell) => (typeof cell === "string" ? bytes + cell.length : bytes), 0),
      );
  }
}
