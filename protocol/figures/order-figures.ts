/**
 * The figures of the stream that orders a daemon's writes (--order). /metrics uses this table, and so do the types of
 * INFO and of dbsync status.
 */
import type { FigureTable } from "./figure.js";

/** The space of a file system, in bytes. */
const DISK_FIGURES = {
  free: { kind: "number", help: "the free bytes" },
  size: { kind: "number", help: "the size in bytes" },
} as const satisfies FigureTable;

export const ORDER_FIGURES = {
  trouble: { kind: "text-or-nil", help: "Why the stream can be neither read nor written." },
  connections: {
    kind: "number",
    help: "Connections that the daemon has made to the stream.",
    metric: { name: "dbsyncd_order_connections_total", type: "counter" },
  },
  applied: {
    kind: "number",
    help: "Sequence number of the last applied message of the stream.",
    metric: { name: "dbsyncd_order_applied", type: "gauge" },
  },
  behind: {
    kind: "number",
    help: "Messages of the stream that are not applied yet; updated every 5 s.",
    metric: { name: "dbsyncd_order_behind", type: "gauge" },
  },
  skipped: {
    kind: "number",
    help: "Messages that all daemons skip: not an envelope, without a valid signature, repeated, or with a wrong date.",
    metric: { name: "dbsyncd_order_skipped_total", type: "counter" },
  },
  waiting: {
    kind: "number",
    help: "Envelopes that this daemon has sent to the stream and not received from it yet.",
    metric: { name: "dbsyncd_order_waiting", type: "gauge" },
  },
  lowDisk: {
    kind: "map",
    of: DISK_FIGURES,
    help: "1 while fewer bytes of the data folder's file system are free than --min-disk-free, otherwise 0.",
    metric: { name: "dbsyncd_order_disk_low", type: "gauge" },
  },
} as const satisfies FigureTable;
