/**
 * A table: columns, and rows in the order of insertion, which is part of the state. Each row has its own number,
 * ascending. A removed row leaves a hole; when there are many holes, they are closed. Numbers, holes and the contents
 * of indexes are not part of the state.
 */

import type { DigestMix } from "../../../../daemon/store/values/digest-mix.js";
import { REFERENCE, sampledBytes, stringBytes } from "../../../../daemon/store/values/memory-estimate.js";
import {
  type CopyEffort,
  ITEMS_PER_STEP,
  type ObjectValue,
  type ValueKind,
  type ValueReader,
  type ValueWriter,
} from "../../../../daemon/store/values/object-value.js";
import { firstIndexFrom } from "../../../../daemon/store/values/tables/binary-search.js";
import { DamagedSnapshot } from "../../../../daemon/timeline/snapshots/snapshot-stream.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Steps } from "../../../../protocol/steps.js";
import { type Row, readCell, writeCell } from "./cell.js";
import { HashIndex } from "./hash-index.js";
import { columnTexts, readColumn, type TableColumn, writeColumn } from "./table-column.js";
import { combinedCell, indexTexts, readIndex, type TableIndex, writeIndex } from "./table-index.js";
import { TableReading } from "./table-reading.js";

/** Rows with their numbers, ascending. */
export interface NumberedRows {
  readonly numbers: readonly number[];
  readonly rows: readonly Row[];
}

/** Bytes of a row without its cells: the array, the header of its elements, its slot. */
export const ROW_BYTES = 5 * REFERENCE;
/** Holes are closed when there are more than this, and more holes than rows. */
const HOLES_MAX = 64;
/**
 * If one step changes more rows than this, and a large part of the table, the indexes are discarded and later rebuilt:
 * updating the indexes row by row would cost more.
 */
const CHANGES_MAX = 64;
const LARGE_PART = 0.25;

/** Matches the key of a table: each of its two names has at least one character, and no separator. */
const TABLE_KEY = /^sql:[^:]+:[^:]+$/;

export class Table implements ObjectValue {
  readonly columns: readonly TableColumn[];
  /** Rows by slot; null means a hole. */
  #rows: (Row | null)[] = [];
  /** Numbers of the rows and holes, or null if they equal the slots. */
  #numbers: number[] | null = null;
  #holes = 0;
  /** Indexes by the position of their column. */
  readonly #indexes = new Map<number, HashIndex>();
  /** The indexes that statements have created; part of the state. */
  #created: readonly TableIndex[] = [];
  /** Rows by the values of several columns, for created unique indexes; built on first use. */
  readonly #combined = new Map<TableIndex, HashIndex>();
  /**
   * Statements that read the current rows. Before the rows change, the table copies them, so that these statements
   * still read the old rows.
   */
  readonly #readings = new Set<TableReading>();

  constructor(columns: readonly TableColumn[] = []) {
    this.columns = columns;
  }

  get size(): number {
    return this.#rows.length - this.#holes;
  }

  fits(key: ByteString): boolean {
    return !key.startsWith("sql:") || TABLE_KEY.test(key);
  }

  get type(): "table" {
    return "table";
  }

  get allElements(): number {
    return this.size;
  }

  /** Whether all values of a column are different. */
  isUnique(column: number): boolean {
    return this.columns[column]?.uniqueness !== "none";
  }

  /** All rows, in order; the caller must neither change nor store them. */
  get rows(): readonly Row[] {
    return this.#holes === 0 ? (this.#rows as Row[]) : this.#rows.filter((row) => row !== null);
  }

  /** Yields all rows with their numbers, in order. @param from the lowest number to return */
  *numbered(from = 0): Generator<readonly [number: number, row: Row]> {
    for (let slot = this.#slotOf(from); slot < this.#rows.length; slot++) {
      const row = this.#rows[slot] as Row | null;
      if (row !== null) yield [this.#numberAt(slot), row];
    }
  }

  /** Returns the rows as they are now; later changes do not affect them. The reader must release them. */
  reading(): TableReading {
    const state = { rows: this.#rows, numbers: this.#numbers, size: this.size, columns: this.columns };
    const reading = new TableReading(this, state);
    this.#readings.add(reading);
    return reading;
  }

  get isRead(): boolean {
    return this.#readings.size > 0;
  }

  release(reading: TableReading): void {
    this.#readings.delete(reading);
  }

  /** Returns the index of a column if it has been built. */
  knownIndex(column: number): HashIndex | undefined {
    return this.#indexes.get(column);
  }

  /** Adopts an index of the current rows. */
  adopt(column: number, index: HashIndex): void {
    if (!this.#indexes.has(column)) this.#indexes.set(column, index);
  }

  /** Returns the row with the given number, which an index has found. */
  row(number: number): Row {
    return this.#rows[this.#slotOf(number)] as Row;
  }

  /** Returns the index of a column and builds it if necessary. */
  index(column: number): HashIndex {
    let index = this.#indexes.get(column);
    if (index === undefined) {
      index = new HashIndex();
      for (const [number, row] of this.numbered()) index.add(number, row[column]);
      this.#indexes.set(column, index);
    }
    return index;
  }

  /** The indexes that statements have created. */
  get createdIndexes(): readonly TableIndex[] {
    return this.#created;
  }

  /** Replaces the created indexes. @returns the old ones */
  setCreatedIndexes(created: readonly TableIndex[]): readonly TableIndex[] {
    const old = this.#created;
    this.#created = created;
    for (const index of this.#combined.keys()) if (!created.includes(index)) this.#combined.delete(index);
    return old;
  }

  /** Returns the rows by the values of a created index, and finds them if necessary. */
  rowsByIndex(created: TableIndex): HashIndex {
    const [column, second] = created.columns;
    if (second === undefined) return this.index(column as number);
    let index = this.#combined.get(created);
    if (index === undefined) {
      index = new HashIndex();
      for (const [number, row] of this.numbered()) index.add(number, combinedCell(row, created.columns));
      this.#combined.set(created, index);
    }
    return index;
  }

  /** The number of the row that was pushed last, or -1 if the table is empty. */
  get lastNumber(): number {
    return this.#rows.length === 0 ? -1 : this.#numberAt(this.#rows.length - 1);
  }

  /** Appends a row. Inverse: `pop`. */
  push(row: Row): void {
    this.#partReadings();
    const number = this.lastNumber + 1;
    this.#numbers?.push(number);
    this.#rows.push(row);
    this.#index(number, row);
  }

  /** Removes the given number of rows that were pushed last. */
  pop(count: number): void {
    this.#partReadings();
    for (let remaining = count; remaining > 0; remaining--) {
      const slot = this.#rows.length - 1;
      this.#unindex(this.#numberAt(slot), this.#rows.pop() as Row);
      this.#numbers?.pop();
    }
  }

  /** Replaces rows. @returns the old rows */
  set({ numbers, rows }: NumberedRows): NumberedRows {
    this.#beforeChanges(numbers.length);
    const old = numbers.map((number, i) => {
      const slot = this.#slotOf(number);
      const before = this.#rows[slot] as Row;
      this.#unindex(number, before);
      this.#rows[slot] = rows[i] as Row;
      return before;
    });

    // All old rows have been removed from the indexes first, since two rows may have exchanged their values.
    for (const [i, number] of numbers.entries()) this.#index(number, rows[i] as Row);
    return { numbers, rows: old };
  }

  /** Removes existing rows. Inverse: `restore`. @param numbers the numbers of the rows, ascending */
  remove(numbers: readonly number[]): NumberedRows {
    this.#beforeChanges(numbers.length);
    const rows = numbers.map((number) => {
      const slot = this.#slotOf(number);
      const row = this.#rows[slot] as Row;
      this.#unindex(number, row);
      this.#rows[slot] = null;
      return row;
    });
    this.#holes += numbers.length;
    if (this.#holes > Math.max(HOLES_MAX, this.size)) this.#closeHoles();
    return { numbers, rows };
  }

  restore({ numbers, rows }: NumberedRows): void {
    this.#beforeChanges(numbers.length);
    if (numbers.every((number) => this.#isHole(number))) {
      for (const [i, number] of numbers.entries()) this.#rows[this.#slotOf(number)] = rows[i] as Row;
      this.#holes -= numbers.length;
    } else this.#merge(numbers, rows);
    for (const [i, number] of numbers.entries()) this.#index(number, rows[i] as Row);
  }

  clone(): Table {
    const copy = new Table(this.columns);
    copy.#rows = [...this.rows];
    copy.#created = this.#created;
    return copy;
  }

  countCopy(effort: CopyEffort): void {
    effort.produce(this.size);
  }

  canonical(): readonly unknown[] {
    const indexes = this.#created.map(indexTexts);
    return [this.columns.map(columnTexts), this.rows, ...(indexes.length === 0 ? [] : [indexes])];
  }

  addTo(digest: DigestMix): void {
    const { columns, rows } = this;
    for (const column of columns) for (const text of columnTexts(column)) digest.text(text);
    for (const index of this.#created) for (const text of indexTexts(index)) digest.text(text);
    for (let i = digest.from; i < digest.to; i++) digest.part(JSON.stringify(rows[i]));
  }

  estimatedBytes(samples: number): number {
    return sampledBytes(this.size, samples, (count) => this.#bytesOfFirst(count));
  }

  get form(): "table" {
    return "table";
  }

  *write(writer: ValueWriter): Generator<undefined> {
    writer.number(this.columns.length);
    for (const column of this.columns) writeColumn(writer, column);
    writer.number(this.#created.length);
    for (const index of this.#created) writeIndex(writer, index);
    for (const row of this.rows) {
      for (const cell of row) {
        writeCell(writer, cell);
        // A row with many long texts could exceed the buffer.
        if (writer.isFull) yield;
      }
    }
  }

  #bytesOfFirst(count: number): number {
    let bytes = 0;
    for (const [, row] of this.numbered()) {
      if (count-- === 0) break;
      bytes += ROW_BYTES + row.length * 2 * REFERENCE;
      for (const cell of row) if (typeof cell === "string") bytes += stringBytes(cell);
    }
    return bytes;
  }

  #beforeChanges(count: number): void {
    this.#partReadings();
    if (count > CHANGES_MAX && count > this.size * LARGE_PART) {
      this.#indexes.clear();
      this.#combined.clear();
    }
  }

  #partReadings(): void {
    if (this.#readings.size === 0) return;
    for (const reading of this.#readings) reading.part();
    this.#readings.clear();
    this.#rows = this.#rows.slice();
    if (this.#numbers !== null) this.#numbers = this.#numbers.slice();
  }

  #index(number: number, row: Row): void {
    for (const [column, index] of this.#indexes) index.add(number, row[column]);
    for (const [{ columns }, index] of this.#combined) index.add(number, combinedCell(row, columns));
  }

  #unindex(number: number, row: Row): void {
    for (const [column, index] of this.#indexes) index.remove(number, row[column]);
    for (const [{ columns }, index] of this.#combined) index.remove(number, combinedCell(row, columns));
  }

  #numberAt(slot: number): number {
    return this.#numbers === null ? slot : (this.#numbers[slot] as number);
  }

  #slotOf(number: number): number {
    return this.#numbers === null ? number : firstIndexFrom(this.#numbers, number);
  }

  #isHole(number: number): boolean {
    const slot = this.#slotOf(number);
    return slot < this.#rows.length && this.#numberAt(slot) === number && this.#rows[slot] === null;
  }

  /**
   * Removes the holes, except for a hole at the end. Without this hole, a new row would receive the number of the
   * removed row, but an undo may restore the removed row.
   */
  #closeHoles(): void {
    const last = this.#rows.length - 1;
    const isKept = (_: unknown, slot: number) => this.#rows[slot] !== null || slot === last;
    this.#numbers = (this.#numbers ?? [...this.#rows.keys()]).filter(isKept);
    this.#rows = this.#rows.filter(isKept);
    this.#holes = this.#rows.at(-1) === null ? 1 : 0;
  }

  /** Inserts rows whose holes have been closed. */
  #merge(added: readonly number[], rows: readonly Row[]): void {
    const all = new Map<number, Row | null>();
    for (const [slot, row] of this.#rows.entries()) all.set(this.#numberAt(slot), row);
    for (const [i, number] of added.entries()) all.set(number, rows[i] as Row);
    this.#numbers = [...all.keys()].sort((a, b) => a - b);
    this.#rows = this.#numbers.map((number) => all.get(number) as Row | null);
    this.#holes = this.#rows.reduce((holes, row) => holes + Number(row === null), 0);
  }
}

export const TABLE_KIND: ValueKind = { forms: ["table"], read: readTable };

/** @param size  the number of rows */
function* readTable(reader: ValueReader, size: number): Steps<Table> {
  const columns: TableColumn[] = [];
  for (let remaining = reader.number(); remaining > 0; remaining--) columns.push(readColumn(reader));
  const created: TableIndex[] = [];
  for (let remaining = reader.number(); remaining > 0; remaining--)
    created.push(readIndex(reader, columns.length));

  // Reading a row without columns consumes no bytes, so a damaged number of rows could fill the memory.
  if (columns.length === 0 && size > 0) throw new DamagedSnapshot("a table without columns has rows");

  const table = new Table(columns);
  table.setCreatedIndexes(created);
  for (let count = 1; count <= size; count++) {
    table.push(columns.map(() => readCell(reader)));
    if (count % ITEMS_PER_STEP === 0) yield;
  }

  return table;
}
