/**
 * The rows of a table as they were when a statement began to read them: the statement may continue in later turns of the event loop, after
 * another statement changed the table.
 */
import { STEP_ITEMS } from "../../../protocol/steps.js";
import { firstIndexFrom } from "../tables/first-index.js";
import type { Row } from "./cell.js";
import { HashIndex } from "./hash-index.js";

interface State {
  /** null: a hole. */
  readonly rows: readonly (Row | null)[];
  /** null: they are the slots. */
  readonly numbers: readonly number[] | null;
  readonly size: number;
  readonly columns: readonly { readonly uniqueness: "none" | "unique" | "primary" }[];
}

/** The indexes of a table as it is now. */
interface Indexed {
  knownIndex(column: number): HashIndex | undefined;
  adopt(column: number, index: HashIndex): void;
  release(reading: TableReading): void;
}

export class TableReading {
  readonly size: number;
  readonly #state: State;
  /** null: the table has changed since. */
  #table: Indexed | null;
  /** Indexes of the rows as they were, once the table has changed. */
  readonly #indexes = new Map<number, HashIndex>();

  constructor(table: Indexed, state: State) {
    this.size = state.size;
    this.#state = state;
    this.#table = table;
  }

  /** The table is about to change. */
  part(): void {
    this.#table = null;
  }

  /** Whether the table has not changed since. */
  get isCurrent(): boolean {
    return this.#table !== null;
  }

  release(): void {
    this.#table?.release(this);
  }

  /** All rows, in order. Not to be changed. */
  get rows(): readonly Row[] {
    const { rows, size } = this.#state;
    return rows.length === size ? (rows as readonly Row[]) : rows.filter((row) => row !== null);
  }

  /** Whether a column has no equal values. */
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

  /** All rows, in order, with their numbers. */
  *numbered(): Generator<readonly [number: number, row: Row]> {
    const { rows, numbers } = this.#state;
    for (const [slot, row] of rows.entries())
      if (row !== null) yield [numbers === null ? slot : (numbers[slot] as number), row];
  }

  /** The row of a number that an index reports. */
  row(number: number): Row {
    const { rows, numbers } = this.#state;
    return rows[numbers === null ? number : firstIndexFrom(numbers, number)] as Row;
  }

  /** The index of a column, which is made if there is none; the table keeps it if it has not changed meanwhile. */
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

  /** Numbers of the rows whose cell equals a value, rising, of an index that `index` has made. */
  *equal(column: number, value: Parameters<HashIndex["equal"]>[0]): Generator<void, readonly number[]> {
    let index = this.#known(column) ?? (yield* this.index(column));
    yield* index.prepareFor(value);
    // If the table changes in a step, its index does, too.
    if (index !== this.#known(column)) {
      index = yield* this.index(column);
      yield* index.prepareFor(value);
    }
    const found = index.equal(value);
    // The table's index changes with it.
    return found.length > 1 && this.#table !== null ? found.slice() : found;
  }

  #known(column: number): HashIndex | undefined {
    return this.#table === null ? this.#indexes.get(column) : this.#table.knownIndex(column);
  }
}
