/** Formats tables for people: columns are as wide as their contents, with two spaces between them. */
import { painted, shown, type Tone } from "./terminal-text.js";

/** The minimum width of a cell that is shortened to fit lines into a terminal. */
const CELL_CHARS_MIN = 12;
/** The width for a pipe, or for a terminal that does not report its width. */
const COLUMNS_USUAL = 80;
const GAP = "  ";

/**
 * Formats a table.
 * @param cells   the rows; the last cell of each is not padded
 * @param toneOf  returns the tone of a row by its index
 */
export function formatTable(
  cells: readonly (readonly string[])[],
  toneOf: (row: number) => Tone = () => "plain",
): string {
  return tableLines(cells)
    .map((text, row) => `${painted(text, toneOf(row))}\n`)
    .join("");
}

/**
 * Like `formatTable`, with the first row as the head.
 * @param toneOf  returns the tone of a row below the head by its index, starting at 0
 */
export function formatHeadedTable(
  cells: readonly (readonly string[])[],
  toneOf: (row: number) => Tone = () => "plain",
): string {
  return formatTable(cells, (row) => (row === 0 ? "head" : toneOf(row - 1)));
}

/** Returns the rows as lines, without line endings and colours. */
export function tableLines(cells: readonly (readonly string[])[]): string[] {
  const rows = cells.map((row) => row.map(shown));
  const widths = widthsOf(rows);
  return rows.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join(GAP)
      .trimEnd(),
  );
}

/**
 * Returns the rows with the widest cells shortened until all lines fit. Different addresses remain different.
 * @param keepsAddresses  whether addresses remain whole, so that people can copy them, even if lines do not fit then
 */
export function fitted(
  cells: readonly (readonly string[])[],
  columns: number,
  keepsAddresses = false,
): string[][] {
  const rows = cells.map((row) => row.map((cell) => withoutScheme(shown(cell))));
  const widths = widthsOf(rows);

  let excess = widths.reduce((sum, width) => sum + width + GAP.length, -GAP.length) - columns;
  const isWhole = widths.map(
    (_, column) => keepsAddresses && rows.some((row) => ADDRESS.test(row[column] ?? "")),
  );
  for (; excess > 0; excess--) {
    const widest = Math.max(0, ...widths.filter((_, column) => !isWhole[column]));
    if (widest <= CELL_CHARS_MIN) break;
    widths[widths.findIndex((width, column) => width === widest && !isWhole[column])] = widest - 1;
  }
  const addresses = widths.map((width, column) =>
    clippedAddresses(
      rows.map((row) => row[column] ?? "").filter((cell) => ADDRESS.test(cell)),
      width,
    ),
  );
  return rows.map((row) =>
    row.map((cell, column) => addresses[column]?.get(cell) ?? clip(cell, widths[column] ?? 0)),
  );
}

const ADDRESS = /^\S+:\d+$/;

/** Returns an address without its scheme, such as `dbsyncs://`, and any other text unchanged. */
export const withoutScheme = (text: string): string => text.replace(/^[a-z][a-z0-9]*:\/\/(?=\S+$)/, "");

/** Shortens addresses in the middle. If two would become equal, shortens the parts that all addresses share instead. */
export function clippedAddresses(addresses: readonly string[], chars: number): ReadonlyMap<string, string> {
  const all = [...new Set(addresses)];
  const middle = new Map(all.map((address) => [address, clipMiddle(address, chars)]));
  if (new Set(middle.values()).size === all.length) return middle;

  const [first = ""] = all;
  const common = (from: (text: string, count: number) => string): number => {
    let count = 0;
    while (count < first.length && all.every((one) => from(one, count + 1) === from(first, count + 1)))
      count++;
    return count;
  };
  const start = common((text, count) => text.slice(0, count));
  const end = common((text, count) => text.slice(Math.max(0, text.length - count)));

  return new Map(
    all.map((address) => {
      const distinct = address.slice(start > 1 ? start : 0, address.length - end);
      const remaining = chars - distinct.length - 2;
      const tail = remaining > 0 ? address.slice(address.length - Math.min(remaining, end)) : "";
      const text = `${start > 1 ? "…" : ""}${distinct}${end > tail.length ? "…" : ""}${tail}`;
      return [address, clipMiddle(text, chars)];
    }),
  );
}

function clipMiddle(text: string, chars: number): string {
  if (text.length <= chars) return text;
  const head = Math.max(0, Math.floor((chars - 1) / 2));
  const tail = Math.max(0, chars - 1 - head);
  return `${text.slice(0, head)}…${text.slice(text.length - tail)}`;
}

/** Returns the maximum width of lines that should not be broken. */
export function terminalColumns(stream: NodeJS.WriteStream = process.stdout): number {
  return (stream.isTTY ? stream.columns : 0) || COLUMNS_USUAL;
}

/** Shortens a text at its end. */
export function clip(text: string, chars: number): string {
  return text.length <= chars ? text : `${text.slice(0, Math.max(0, chars - 1))}…`;
}

/** Breaks a text at spaces, and indents all lines but the first. */
export function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (longer.length <= columns || line.trim() === "") line = longer;
    else {
      lines.push(line);
      line = `      ${word}`;
    }
  }
  return [...lines, line];
}

function widthsOf(rows: readonly (readonly string[])[]): number[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  return widths;
}
