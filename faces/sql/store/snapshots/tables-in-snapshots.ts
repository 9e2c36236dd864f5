/** Tables in snapshots: columns with their domains, then rows. A number before each cell states the cell's type. */

import {
  DamagedSnapshot,
  type SnapshotReader,
  type SnapshotWriter,
} from "../../../../daemon/timeline/snapshots/snapshot-stream.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Steps } from "../../../../protocol/steps.js";
import type { Cell } from "../values/cell.js";
import { domainOfText, domainText } from "../values/domain.js";
import { Table } from "../values/table.js";
import { extrasOfText, extrasText, type TableColumn } from "../values/table-column.js";

/** Snapshots on disk contain indexes into this list: add new items only at the end. */
const UNIQUENESS = ["none", "unique", "primary"] as const;
/** Added to the number for a column's uniqueness if a text with the column's extras follows. */
const WITH_EXTRAS = 16;
const CELLS = ["null", "number", "text"] as const;

/** Writes a table. @param fullFrame  yields the bytes written so far as a frame, once they fill one */
export function* writeTable(
  writer: SnapshotWriter,
  { columns, rows }: Table,
  fullFrame: (writer: SnapshotWriter) => Generator<Buffer>,
): Generator<Buffer> {
  writer.number(columns.length);
  for (const column of columns) {
    const { name, domain, uniqueness } = column;
    const extras = extrasText(column);
    writer.bytes(name);
    writer.bytes(domainText(domain));
    writer.number(UNIQUENESS.indexOf(uniqueness) + (extras === "" ? 0 : WITH_EXTRAS));
    if (extras !== "") writer.bytes(extras);
  }
  for (const row of rows) {
    for (const cell of row) {
      writeCell(writer, cell);
      // A row with many long texts could exceed the buffer.
      if (writer.isFull) yield* fullFrame(writer);
    }
  }
}

function writeCell(writer: SnapshotWriter, cell: Cell): void {
  writer.number(CELLS.indexOf(cell === null ? "null" : typeof cell === "number" ? "number" : "text"));
  if (typeof cell === "number") writer.double(cell);
  else if (cell !== null) writer.bytes(cell);
}

/** Reads a table. @param rows  the number of rows @param rowsPerStep  the number of rows to read in one step */
export function* readTable(reader: SnapshotReader, rows: number, rowsPerStep: number): Steps<Table> {
  const columns: TableColumn[] = [];
  for (let remaining = reader.number(); remaining > 0; remaining--) columns.push(readColumn(reader));
  // Reading a row without columns consumes no bytes, so a damaged number of rows could fill the memory.
  if (columns.length === 0 && rows > 0) throw new DamagedSnapshot("a table without columns has rows");
  const table = new Table(columns);
  for (let count = 1; count <= rows; count++) {
    table.push(columns.map(() => readCell(reader)));
    if (count % rowsPerStep === 0) yield;
  }
  return table;
}

function readColumn(reader: SnapshotReader): TableColumn {
  const [name, text]: readonly ByteString[] = [reader.bytes(), reader.bytes()];
  const domain = domainOfText(text as ByteString);
  const number = reader.number();
  const extras = number < WITH_EXTRAS ? {} : extrasOfText(reader.bytes());
  const uniqueness = UNIQUENESS[number % WITH_EXTRAS];
  if (domain === undefined || uniqueness === undefined || extras === undefined || number >= 2 * WITH_EXTRAS)
    throw new DamagedSnapshot("a table has a column of an unknown kind");
  return { name: name as ByteString, domain, uniqueness, ...extras };
}

function readCell(reader: SnapshotReader): Cell {
  switch (CELLS[reader.number()]) {
    case "null":
      return null;
    case "number":
      return readNumber(reader);
    case "text":
      return reader.bytes();
    default:
      throw new DamagedSnapshot("a table has a cell of an unknown kind");
  }
}

function readNumber(reader: SnapshotReader): number {
  const number = reader.double();
  if (!Number.isFinite(number)) throw new DamagedSnapshot("a cell's number is not finite");
  return number;
}
