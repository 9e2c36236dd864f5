/** `dbsync status --explain`: describes the columns of all tables. */
import { painted } from "../../../daemon/net/terminal/terminal-text.js";
import { wrapped } from "../../../daemon/net/terminal/text-table.js";
import type { Column } from "../shared/report-column.js";
import { DAEMON_COLUMNS, FIGURE_COLUMNS, ORDER_COLUMNS } from "./daemon-report.js";
import { MEMBER_COLUMNS, timelineColumns } from "./timeline-report.js";

const TABLES: readonly (readonly [title: string, columns: readonly Column<never>[]])[] = [
  ["For each daemon", DAEMON_COLUMNS],
  ["For each daemon, with an administrator's key", FIGURE_COLUMNS],
  ["For daemons with --order, with an administrator's key", ORDER_COLUMNS],
  ["For daemons with --data or --peer, with an administrator's key", timelineColumns(0, true)],
  ["For the members of such daemons, as each daemon reports them", MEMBER_COLUMNS],
];

/** Returns the description. @param columns  the maximum width of lines */
export function explanation(columns: number): string {
  return TABLES.map(
    ([title, described]) => `${painted(title, "head")}\n${columnLines(described, columns)}`,
  ).join("\n");
}

/** Formats a line for each column of a table. */
export function columnLines(described: readonly Column<never>[], columns: number): string {
  const width = Math.max(...described.map(({ head }) => head.length));
  return described
    .flatMap(({ head, about }) => wrapped(`${head.padEnd(width)}  ${about}`, columns))
    .map((line) => `${line}\n`)
    .join("");
}
