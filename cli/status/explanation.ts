/** `dbsync status --explain`: what the columns of all its tables mean. */
import { painted } from "../../net/terminal/colours.js";
import { wrapped } from "../../net/terminal/table.js";
import type { Column } from "../shared/column.js";
import { DAEMON_COLUMNS, FIGURE_COLUMNS, ORDER_COLUMNS } from "./daemon-report.js";
import { MEMBER_COLUMNS, timelineColumns } from "./timeline-report.js";

const TABLES: readonly (readonly [title: string, columns: readonly Column<never>[]])[] = [
  ["Of each daemon", DAEMON_COLUMNS],
  ["With an administrator's key", FIGURE_COLUMNS],
  ["Of daemons with --order, with an administrator's key", ORDER_COLUMNS],
  ["Of daemons with --data or --peer, with an administrator's key", timelineColumns(0, true)],
  ["What they say of their members", MEMBER_COLUMNS],
];

/** @param columns  how wide lines may be */
export function explanation(columns: number): string {
  return TABLES.map(([title, named]) => `${painted(title, "head")}\n${columnLines(named, columns)}`).join(
    "\n",
  );
}

/** A line for each column. */
export function columnLines(named: readonly Column<never>[], columns: number): string {
  const width = Math.max(...named.map(({ head }) => head.length));
  return named
    .flatMap(({ head, about }) => wrapped(`${head.padEnd(width)}  ${about}`, columns))
    .map((line) => `${line}\n`)
    .join("");
}
