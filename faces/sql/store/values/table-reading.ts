/**
 * The rows of a table as they were when a statement began to read them. The statement may continue in a later turn of
 * the event loop, after another statement has changed the table.
 */

import { firstIndexFrom } from "../../../../daemon/store/values/tables/binary-search.js";
import { STEP_ITEMS } from "../../../../protocol/steps.js";
import type { Row } from "./cell.js";
import { HashIndex } from "./hash-index.js";

interface State {
  /** The rows by slot; null means a hole. */
  readonly rows: readonly (Row | null)[];
  /** Numbers of the rows and holes, or null if they equal the slots. */
  readonly numbers: readonly number[] | null;
  readonly size: number;
  readonly columns: readonly { readonly uniqueness: "none" | "unique" | "primary" }[];
}

/** The current indexes of a table. */
interface Indexed {
  knownIndex(column: number): HashIndex | undefined;
  adopt(column: number, index: HashIndex): void;
  release(reading: TableReading): void;
}

export class TableReading {
  readonly size: number;
  readonly #state: State;
  /** The table that is read, or null if it has changed since the reading began. */
  #table: Indexed | null;
  /** Indexes of the rows as they were, built after the table changed. */
  readonly #indexes = new Map<number, HashIndex>();

  constructor(table: Indexed, state: State) {
    this.size = state.size;
    this.#state = state;
    this.#table = table;
  }

  /** Detaches the reading, because the table is about to change. */
  part(): void {
    this.#table = null;
  }

  /** Whether the table is unchanged since the reading began. */
  get isCurrent(): boolean {
    return this.#table !== null;
  }

  release(): void {
    this.#table?.release(this);
  }

  /** All rows, in order; the caller must not change them. */
  get rows(): readonly Row[] {
    const { rows, size } = this.#state;
    return rows.length === size ? (rows as readonly Row[]) : rows.filter((row) => row !== null);
  }

  /** Whether all values of a column are different. */
  isUnique(column: number): boolean {
    return this.#state.columns[column]?.uniqueness !== "none";
  }

  /** The numbers of all rows, ascending. */
  get numbers(): readonly number[] {
    const { rows, numbers } = this.#state;
    const found: number[] = [];
    for (const [slot, row] of rows.entries())
      if (row !== null) found.push(numbers === null ? slot : (numbers[slot] as number));
    return found;
  }

  /** Yields all rows with their numbers, in order. */
  *numbered(): Generator<readonly [number: number, row: Row]> {
    const { rows, numbers } = this.#state;
    for (const [slot, row] of rows.entries())
      if (row !== null) yield [numbers === null ? slot : (numbers[slot] as number), row];
  }

  /** Returns the row with the given number, which an index has found. */
  row(number: number): Row {
    const { rows, numbers } = this.#state;
    return rows[numbers === null ? number : firstIndexFrom(numbers, number)] as Row;
  }

  /** Returns the index of a column and builds it if necessary; the table adopts it if it has not changed meanwhile. */
  *index(column: number): Generator<void, HashIndex> {
    const known = this.#known(column);
    if (known !== undefined) return known;

    const { rows, numbers } = this.#state;
    const index = new HashIndex();
    for (let slot = 0; slot < rows.length; slot++) {
      const row = rows[slot] as Row | null;
      if (row !== null) index.add(numbers === null ? slot : (numbers[slot] as number), row[column]);
      if (slot % STEP_ITEMS === STEP_ITEMS - 1) yield;
    }

    if (this.#table === null) this.#indexes.set(column, index);
    else this.#table.adopt(column, index);
    return index;
  }

  /** Returns the numbers of the rows whose cell equals a value, ascending, from the index of the column. */
  *equal(column: number, value: Parameters<HashIndex["equal"]>[0]): Generator<void, readonly number[]> {
    let index = this.#known(column) ?? (yield* this.index(column));
    yield* index.prepareFor(value);
    // If the table has changed during a step, its index contains the new rows, so an index of the old rows is needed.
    if (index !== this.#known(column)) {
      index = yield* this.index(column);
      yield* index.prepareFor(value);
    }
    const found = index.equal(value);
    // The result belongs to the table's index, which later changes modify.
    return found.length > 1 && this.#table !== null ? found.slice() : found;
  }

  #known(column: number): HashIndex | undefined {
    return this.#table === null ? this.#indexes.get(column) : this.#table.knownIndex(column);
  }
}
