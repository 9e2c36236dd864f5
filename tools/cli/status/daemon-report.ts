/** Formats tables of daemons' reports. */
import type { Stage } from "../../../client/shared/errors.js";
import { fitted, formatHeadedTable } from "../../../daemon/net/terminal/text-table.js";
import {
  bytesCell,
  countCell,
  differenceCell,
  spanCell,
  tripText,
} from "../../../protocol/figures/amount-texts.js";
import { INFO_FIGURES } from "../../../protocol/figures/info-figures.js";
import { type Column, cellOf, rowsOf } from "../shared/report-column.js";
import type { DaemonFigures, OrderFigures } from "./daemon-figures.js";

/** Number of hexadecimal digits of an id in a sentence. */
const SHORT_DIGITS = 12;
/** Number of hexadecimal digits of an id in a table, so that the table fits a terminal. */
const COLUMN_DIGITS = 8;
/** The state of a daemon that answers but cannot reach its database. */
const NO_DATABASE = "no database";

/** The report of a daemon. Ids are hexadecimal, and times are in milliseconds. Unknown values are null. */
export interface ShownDaemon {
  readonly address: string;
  readonly ok: boolean;
  readonly versions: readonly number[];
  readonly daemon: string | null;
  readonly cluster: string | null;
  /**
   * Whether the daemon's cluster differs from the configured cluster, or from that of most daemons if none is
   * configured.
   */
  readonly clusterDiffers: boolean;
  readonly state: string | null;
  readonly clockDifference: number | null;
  readonly roundTrip: number | null;
  /** The stage at which the greeting failed, or null if it succeeded. */
  readonly stage: Stage | null;
  /** The figures that the daemon reports to administrators, or null if there are none. */
  readonly figures: DaemonFigures | null;
  /** Whether a database of the daemon does not answer. */
  readonly hasNoDatabase: boolean;
}

export const DAEMON_COLUMNS: readonly Column<ShownDaemon>[] = [
  { head: "ADDRESS", about: "address as in the list of servers", cell: ({ address }) => address },
  {
    head: "VERSIONS",
    about: "versions of dbsync's protocol that it speaks",
    cell: ({ versions }) => versions.join(" ") || "-",
  },
  {
    head: "DAEMON",
    about: "the beginning of its id (--json prints all of it)",
    cell: ({ daemon }) => daemon?.slice(0, COLUMN_DIGITS) ?? "-",
  },
  {
    head: "CLUSTER",
    about: "the beginning of its cluster's id; (!): most daemons have another cluster",
    cell: ({ cluster, clusterDiffers }) =>
      `${cluster?.slice(0, COLUMN_DIGITS) ?? "-"}${clusterDiffers ? " (!)" : ""}`,
  },
  {
    head: "STATE",
    about:
      "live, or why it is not (docs/metrics.md), no database, or the stage at which the connection failed",
    cell: (daemon) => stateOf(daemon),
  },
  {
    head: "CLOCK",
    about: "the difference of its clock from this machine's",
    cell: ({ clockDifference }) => cellOf(clockDifference, differenceCell),
  },
  {
    head: "TRIP",
    about: "round-trip time of a request, the fastest of three",
    cell: ({ roundTrip }) => cellOf(roundTrip, tripText),
  },
];

interface ShownFigures {
  readonly address: string;
  readonly figures: DaemonFigures;
}

export const FIGURE_COLUMNS: readonly Column<ShownFigures>[] = [
  { head: "FIGURES OF", about: "the daemon", cell: ({ address }) => address },
  { head: "SOFTWARE", about: INFO_FIGURES.software.help, cell: ({ figures }) => figures.software },
  { head: "UPTIME", about: INFO_FIGURES.uptime.help, cell: ({ figures }) => spanCell(figures.uptime * 1000) },
  {
    head: "KEYS",
    about: INFO_FIGURES.keys.help,
    cell: ({ figures: { keys } }) => cellOf(keys, countCell),
  },
  {
    head: "MEMORY",
    about: INFO_FIGURES.resident.help,
    cell: ({ figures }) => bytesCell(figures.memory.resident),
  },
  {
    head: "CLIENTS",
    about: INFO_FIGURES.clients.help,
    cell: ({ figures }) => countCell(figures.clients),
  },
  {
    head: "ANSWERED",
    about: INFO_FIGURES.commands.help,
    cell: ({ figures }) => countCell(figures.commands),
  },
  {
    head: "REFUSED",
    about: INFO_FIGURES.refusals.help,
    cell: ({ figures }) => countCell(figures.refusals),
  },
];

interface ShownOrder {
  readonly address: string;
  readonly order: OrderFigures;
}

export const ORDER_COLUMNS: readonly Column<ShownOrder>[] = [
  { head: "STREAM OF", about: "the daemon with --order", cell: ({ address }) => address },
  {
    head: "ORDER",
    about: "whether its stream can be read and written",
    cell: ({ order }) => (order.trouble === null ? "connected" : "away"),
  },
  {
    head: "APPLIED",
    about: "number of the stream's last message that it has applied",
    cell: ({ order }) => countCell(order.applied),
  },
  {
    head: "BEHIND",
    about: "messages that it has not applied yet",
    cell: ({ order }) => countCell(order.behind),
  },
  {
    head: "WAITING",
    about: "envelopes that it has sent to the stream and not received from it yet",
    cell: ({ order }) => countCell(order.waiting),
  },
];

/** Formats the tables. @param columns  the maximum width of lines */
export function formatDaemons(daemons: readonly ShownDaemon[], columns: number): string {
  const rows = fitted(rowsOf(DAEMON_COLUMNS, daemons), columns);
  const table = formatHeadedTable(rows, (row) => (daemons[row]?.ok ? "plain" : "bad"));
  const reporting = daemons.flatMap(({ address, figures }) =>
    figures === null ? [] : [{ address, figures }],
  );
  if (reporting.length === 0) return table;
  const figures = `${table}\n${formatHeadedTable(fitted(rowsOf(FIGURE_COLUMNS, reporting), columns))}`;
  const ordered = reporting.flatMap(({ address, figures: { order } }) =>
    order === null ? [] : [{ address, order }],
  );
  if (ordered.length === 0) return figures;
  const tone = (row: number) => (ordered[row]?.order.trouble === null ? "plain" : "bad");
  return `${figures}\n${formatHeadedTable(fitted(rowsOf(ORDER_COLUMNS, ordered), columns), tone)}`;
}

/** Returns a daemon's state in one or two words. */
export function stateOf({ state, stage, hasNoDatabase }: ShownDaemon): string {
  return hasNoDatabase ? NO_DATABASE : (state ?? stage ?? "-");
}

export function short(id: string | null): string {
  return id === null ? "-" : id.slice(0, SHORT_DIGITS);
}
