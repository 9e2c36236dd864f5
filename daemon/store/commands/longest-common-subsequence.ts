/**
 * LCS. The behaviour is that of Redis 7; test/conformance checks it. The ranges are found without the table of partial
 * results that Redis fills.
 *
 * Row r, column c of that table contains the length of the longest common subsequence of the first r bytes of one
 * string and the first c bytes of the other. Only the row before each block of rows is stored. On the way back through
 * the table, the rows of one block at a time are calculated again, and only one bit is stored for each cell: whether
 * the way goes to the row before. So the ranges are exactly those that Redis finds, although several subsequences may
 * have the same length, and the memory is proportional to the length of one string times the root of the other's.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { replyOfSteps } from "../../../protocol/lazy-replies.js";
import { array, bulk, integer, map, type Reply } from "../../../protocol/reply.js";
import { custom, syntaxError } from "../arguments/command-errors.js";
import { indexArgument } from "../arguments/number-arguments.js";
import type { EffortBudget } from "../keyspace/effort-budget.js";
import type { Data } from "../keyspace/mutators.js";
import type { Unit } from "../keyspace/unit.js";

/** Redis's limit for its table of partial results. It limits the time here, because this daemon stores no table. */
const TABLE_BYTES_MAX = 512 * 1024 * 1024;

interface Options {
  readonly output: "string" | "length" | "ranges";
  readonly minLength: number;
  readonly withLength: boolean;
}

/** Approximate memory of a range and its reply. */
const RANGE_BYTES = 500;
/** Number of table cells that count as one step. */
const CELLS_PER_STEP = 8;

export function longestCommonSubsequence(
  data: Data,
  argv: readonly ByteString[],
  { takesSteps }: Unit,
): Reply {
  const a = data.get(argv[1]!)?.value ?? "";
  const b = data.get(argv[2]!)?.value ?? "";
  if (typeof a !== "string" || typeof b !== "string") {
    throw custom("ERR The specified keys must contain string values");
  }

  const options = readOptions(argv);
  if ((a.length + 1) * (b.length + 1) * 4 > TABLE_BYTES_MAX) {
    throw custom("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
  }
  data.effort.work(((a.length + 1) * (b.length + 1)) / CELLS_PER_STEP);
  return replyOfSteps(reply(a, b, options, data.effort), takesSteps);
}

function* reply(
  a: ByteString,
  b: ByteString,
  options: Options,
  effort: EffortBudget,
): Generator<void, Reply> {
  if (options.output === "length") return integer(yield* commonLength(a, b, effort));
  const ranges = yield* commonRanges(a, b, effort);
  effort.hold(ranges.length * RANGE_BYTES);
  if (options.output === "string") {
    return bulk(
      ranges
        .map(({ aStart, aEnd }) => a.slice(aStart, aEnd + 1))
        .reverse()
        .join(""),
    );
  }

  const matches = ranges.filter((range) => lengthOf(range) >= options.minLength);
  return map([
    bulk("matches"),
    array(matches.map((range) => rangeReply(range, options.withLength))),
    bulk("len"),
    integer(ranges.reduce((sum, range) => sum + lengthOf(range), 0)),
  ]);
}

function readOptions(argv: readonly ByteString[]): Options {
  let ranges = false;
  let length = false;
  let withLength = false;
  let minLength = 0;
  for (let i = 3; i < argv.length; i++) {
    const option = argv[i]!.toUpperCase();
    if (option === "IDX") ranges = true;
    else if (option === "LEN") length = true;
    else if (option === "WITHMATCHLEN") withLength = true;
    else if (option === "MINMATCHLEN" && i + 1 < argv.length) minLength = indexArgument(argv[++i]!);
    else throw syntaxError();
  }
  if (ranges && length) throw custom("ERR If you want both the length and indexes, please just use IDX.");

  return { output: ranges ? "ranges" : length ? "length" : "string", minLength, withLength };
}

const lengthOf = ({ aStart, aEnd }: CommonRange): number => aEnd - aStart + 1;

function rangeReply(range: CommonRange, withLength: boolean): Reply {
  const { aStart, aEnd, bStart, bEnd } = range;
  const reply = [array([integer(aStart), integer(aEnd)]), array([integer(bStart), integer(bEnd)])];
  if (withLength) reply.push(integer(lengthOf(range)));
  return array(reply);
}

/** A range that both strings have in common; both ends are inclusive. */
interface CommonRange {
  aStart: number;
  aEnd: number;
  bStart: number;
  bEnd: number;
}

/**
 * Number of cells that one step calculates, or of cells that one step visits on the way back. Between steps, other
 * commands may run.
 */
const STEP_CELLS = 65_536;
/** Number of bits of a block that are always stored, so that the table of short strings is calculated only once. */
const BLOCK_BITS_MIN = 8 * 65_536;
/** Number of bytes of a stored row for each column. A length is at most the shorter string's, which fits in 16 bits. */
const CELL_BYTES = Uint16Array.BYTES_PER_ELEMENT;

/** The longer string has the rows of the table, and the shorter string has its columns. */
interface Table {
  readonly rows: ByteString;
  readonly columns: Uint8Array;
  /** Whether the rows are those of b, unlike in Redis's table. */
  readonly isTransposed: boolean;
}

function tableOf(a: ByteString, b: ByteString): Table {
  const isTransposed = a.length < b.length;
  const [rows, columns] = isTransposed ? [b, a] : [a, b];
  return { rows, columns: Buffer.from(columns, "latin1"), isTransposed };
}

/** Returns the number of rows of a block, for which the stored rows take as much memory as the bits of a block. */
const rowsOfBlock = (rows: number, columns: number): number =>
  Math.max(1, Math.ceil(Math.sqrt(8 * CELL_BYTES * rows)), Math.floor(BLOCK_BITS_MIN / (columns + 1)));

/**
 * Returns the length of the longest common subsequence.
 * @param effort  counts the memory for the table
 */
export function* commonLength(a: ByteString, b: ByteString, effort: EffortBudget): Generator<void, number> {
  effort.hold((1 + CELL_BYTES) * Math.min(a.length, b.length));
  const { rows, columns } = tableOf(a, b);
  const row = new Uint16Array(columns.length + 1);
  let cells = 0;
  for (let r = 0; r < rows.length; r++) {
    nextRow(row, rows.charCodeAt(r), columns);
    cells += columns.length + 1;
    if (cells < STEP_CELLS) continue;
    cells = 0;
    yield;
  }

  return row[columns.length]!;
}

/**
 * Returns the ranges of the common subsequence that Redis finds, the last one first.
 * @param effort  counts the memory for the table
 */
export function* commonRanges(
  a: ByteString,
  b: ByteString,
  effort: EffortBudget,
): Generator<void, CommonRange[]> {
  effort.hold(tableBytes(a, b));
  const table = tableOf(a, b);
  const { rows, columns } = table;
  const ranges = new Ranges(table.isTransposed);
  const blockRows = rowsOfBlock(rows.length, columns.length);
  const stored = yield* storedRows(table, blockRows);
  const way = new Uint8Array(Math.min(blockRows, rows.length) * wayStride(columns.length));
  const cell = { row: rows.length, column: columns.length };
  for (let block = stored.length - 1; block >= 0 && cell.column > 0; block--) {
    const first = block * blockRows;
    const before = stored[block]!;
    yield* findWay(table, { first, before, cell }, way);
    yield* walkBack(table, { first, cell, way }, ranges);
  }

  return ranges.found;
}

/** Returns the bytes of the stored rows, the bits of a block and the columns. */
function tableBytes(a: ByteString, b: ByteString): number {
  const [rows, columns] = [Math.max(a.length, b.length), Math.min(a.length, b.length)];
  const blockRows = rowsOfBlock(rows, columns);
  const stored = Math.ceil(rows / blockRows) + 1;
  return (1 + stored * CELL_BYTES) * (columns + 1) + Math.min(blockRows, rows) * wayStride(columns);
}

const wayStride = (columns: number): number => (columns >> 3) + 1;

/** Calculates the next row of the table in place. */
function nextRow(row: Uint16Array, byte: number, columns: Uint8Array): void {
  let diagonal = 0;
  let left = 0;
  for (let c = 1; c <= columns.length; c++) {
    const above = row[c]!;
    left = byte === columns[c - 1] ? diagonal + 1 : Math.max(above, left);
    row[c] = left;
    diagonal = above;
  }
}

/** Returns the row before each block. */
function* storedRows({ rows, columns }: Table, blockRows: number): Generator<void, Uint16Array[]> {
  const row = new Uint16Array(columns.length + 1);
  const stored = [row.slice()];
  let cells = 0;
  const last = Math.floor((rows.length - 1) / blockRows) * blockRows;
  for (let r = 0; r < last; r++) {
    nextRow(row, rows.charCodeAt(r), columns);
    if ((r + 1) % blockRows === 0) stored.push(row.slice());
    cells += columns.length + 1;
    if (cells < STEP_CELLS) continue;
    cells = 0;
    yield;
  }

  return stored;
}

interface Cell {
  row: number;
  column: number;
}

/** Calculates the rows of a block up to a cell, and stores for each cell whether the way goes to the row before. */
function* findWay(
  { rows, columns, isTransposed }: Table,
  { first, before, cell }: { readonly first: number; readonly before: Uint16Array; readonly cell: Cell },
  way: Uint8Array,
): Generator<void, void> {
  const stride = wayStride(columns.length);
  let cells = 0;
  for (let r = first; r < cell.row; r++) {
    const byte = rows.charCodeAt(r);
    fillWay(before, byte, columns.subarray(0, cell.column), {
      way,
      from: (r - first) * stride,
      isTransposed,
    });
    cells += cell.column;
    if (cells < STEP_CELLS) continue;
    cells = 0;
    yield;
  }
}

/** Calculates the next row in place, as `nextRow` does, and its bits. */
function fillWay(
  row: Uint16Array,
  byte: number,
  columns: Uint8Array,
  {
    way,
    from,
    isTransposed,
  }: { readonly way: Uint8Array; readonly from: number; readonly isTransposed: boolean },
): void {
  let diagonal = 0;
  let left = 0;
  let bits = 0;
  for (let c = 1; c <= columns.length; c++) {
    const above = row[c]!;
    // If both are equal, Redis shortens b.
    if (above > left || (isTransposed && above === left)) bits |= 1 << (c & 7);
    if ((c & 7) === 7) {
      way[from + (c >> 3)] = bits;
      bits = 0;
    }
    left = byte === columns[c - 1] ? diagonal + 1 : Math.max(above, left);
    row[c] = left;
    diagonal = above;
  }
  if ((columns.length & 7) !== 7) way[from + (columns.length >> 3)] = bits;
}

/** Moves the cell back through a block, and adds the ranges on its way. */
function* walkBack(
  { rows, columns }: Table,
  { first, cell, way }: { readonly first: number; readonly cell: Cell; readonly way: Uint8Array },
  ranges: Ranges,
): Generator<void, void> {
  const stride = wayStride(columns.length);
  let { row, column } = cell;
  let moves = 0;
  while (row > first && column > 0) {
    if (++moves % STEP_CELLS === 0) yield;
    if (rows.charCodeAt(row - 1) === columns[column - 1]) ranges.add(--row, --column);
    else {
      ranges.end();
      const bits = way[(row - 1 - first) * stride + (column >> 3)]!;
      if ((bits >> (column & 7)) & 1) row--;
      else column--;
    }
  }

  cell.row = row;
  cell.column = column;
}

/** The ranges to which adjacent matches are joined, from the last match to the first. */
class Ranges {
  readonly found: CommonRange[] = [];
  readonly #isTransposed: boolean;
  #open: CommonRange | null = null;

  constructor(isTransposed: boolean) {
    this.#isTransposed = isTransposed;
  }

  add(row: number, column: number): void {
    const a = this.#isTransposed ? column : row;
    const b = this.#isTransposed ? row : column;
    if (this.#open === null) {
      this.#open = { aStart: a, aEnd: a, bStart: b, bEnd: b };
      this.found.push(this.#open);
    }
    this.#open.aStart = a;
    this.#open.bStart = b;
  }

  end(): void {
    this.#open = null;
  }
}
