/** Tables for people: columns as wide as their contents, two spaces between. */
import { painted, type Tone } from "./colours.js";
import { shown } from "./shown-text.js";

/** Characters that at least remain of a cell that is cut, so that lines are no wider than a terminal. */
const CELL_CHARS_MIN = 12;
/** The width of a pipe, or of a terminal that does not report its own. */
const COLUMNS_USUAL = 80;
const GAP = "  ";

/**
 * @param given   the last cell of a row is not filled up
 * @param toneOf  of a row; the first is 0
 */
export function formatTable(
  given: readonly (readonly string[])[],
  toneOf: (row: number) => Tone = () => "plain",
): string {
  return tableLines(given)
    .map((text, row) => `${painted(text, toneOf(row))}\n`)
    .join("");
}

/** Like `formatTable`, with the first row as the head. @param toneOf  of a row below it; the first is 0 */
export function formatHeadedTable(
  given: readonly (readonly string[])[],
  toneOf: (row: number) => Tone = () => "plain",
): string {
  return formatTable(given, (row) => (row === 0 ? "head" : toneOf(row - 1)));
}

/** The rows as lines, without an end and without colours. */
export function tableLines(given: readonly (readonly string[])[]): string[] {
  const rows = given.map((row) => row.map(shown));
  const widths = widthsOf(rows);
  return rows.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join(GAP)
      .trimEnd(),
  );
}

/** Returns the rows with their widest cells cut until no line is too long; addresses stay different from each other. */
export function fitted(given: readonly (readonly string[])[], columns: number): string[][] {
  const rows = given.map((row) => row.map((cell) => withoutScheme(shown(cell))));
  const widths = widthsOf(rows);
  let excess = widths.reduce((sum, width) => sum + width + GAP.length, -GAP.length) - columns;
  for (; excess > 0; excess--) {
    const widest = Math.max(...widths);
    if (widest <= CELL_CHARS_MIN) break;
    widths[widths.indexOf(widest)] = widest - 1;
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

/** Returns an address without `dbsyncs://` and the like; any other text as it is. */
export const withoutScheme = (text: string): string => text.replace(/^[a-z][a-z0-9]*:\/\/(?=\S+$)/, "");

/** Returns the addresses, each cut in its middle; where that makes two alike, within what they have in common. */
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
      const own = address.slice(start > 1 ? start : 0, address.length - end);
      const left = chars - own.length - 2;
      const tail = left > 0 ? address.slice(address.length - Math.min(left, end)) : "";
      const text = `${start > 1 ? "…" : ""}${own}${end > tail.length ? "…" : ""}${tail}`;
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

/** How wide lines may be that nothing breaks. */
export function terminalColumns(stream: NodeJS.WriteStream = process.stdout): number {
  return (stream.isTTY ? stream.columns : 0) || COLUMNS_USUAL;
}

/** Cuts the end. */
export function clip(text: string, chars: number): string {
  return text.length <= chars ? text : `${text.slice(0, Math.max(0, chars - 1))}…`;
}

/** Breaks at spaces, with an indent for further lines. */
export function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  let rest = "";
  for (const word of text.split(" ")) {
    const longer = rest === "" ? word : `${rest} ${word}`;
    if (longer.length <= columns || rest.trim() === "") rest = longer;
    else {
      lines.push(rest);
      rest = `      ${word}`;
    }
  }
  return [...lines, rest];
}

function widthsOf(rows: readonly (readonly string[])[]): number[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  return widths;
}
