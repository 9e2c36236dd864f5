/** Metrics of the stream of --order, which orders the writes. */
import type { OrderFigures } from "../../daemon/engine/pipeline/order-figures.js";
import type { HistogramRow, ValueRow } from "./metric-row.js";

/** Returns a metric with a single number, absent without --order. */
function ofOrder(type: ValueRow["type"], help: string, read: (figures: OrderFigures) => number): ValueRow {
  return {
    type,
    labels: [],
    help,
    read: ({ order }) => {
      const figures = order();
      return figures === null ? [] : [{ labels: {}, value: read(figures) }];
    },
  };
}

export const ORDER_METRICS: Readonly<Record<string, ValueRow | HistogramRow>> = {
  dbsyncd_order_connected: ofOrder(
    "gauge",
    "1 while the stream of --order can be read and written, otherwise 0; writes are then refused.",
    ({ trouble }) => Number(trouble === null),
  ),
  dbsyncd_order_connections_total: ofOrder(
    "counter",
    "Connections that the daemon has made to the stream.",
    ({ connections }) => connections,
  ),
  dbsyncd_order_applied: ofOrder(
    "gauge",
    "Sequence number of the last applied message of the stream.",
    ({ applied }) => applied,
  ),
  dbsyncd_order_behind: ofOrder(
    "gauge",
    "Messages of the stream that are not applied yet; updated every 5 s.",
    ({ behind }) => behind,
  ),
  dbsyncd_order_skipped_total: ofOrder(
    "counter",
    "Messages that all daemons skip: not an envelope, without a valid signature, repeated, or with a wrong date.",
    ({ skipped }) => skipped,
  ),
  dbsyncd_order_waiting: ofOrder(
    "gauge",
    "Envelopes that this daemon has sent to the stream and not received from it yet.",
    ({ waiting }) => waiting,
  ),
  dbsyncd_order_disk_low: ofOrder(
    "gauge",
    "1 while fewer bytes of the data folder's file system are free than --min-disk-free, otherwise 0.",
    ({ lowDisk }) => Number(lowDisk !== null),
  ),
  dbsyncd_order_publishes_total: {
    type: "counter",
    labels: ["outcome"],
    help: "Attempts to add an envelope to the stream, by outcome (stored; repeated: the stream already had it; refused; unknown: tried again).",
    read: ({ order }) =>
      Object.entries(order()?.published ?? {}).map(([outcome, value]) => ({ labels: { outcome }, value })),
  },
  dbsyncd_order_publish_seconds: {
    type: "histogram",
    labels: [],
    help: "Time until the stream acknowledges an envelope.",
    read: ({ order }) => {
      const figures = order();
      return figures === null ? [] : [{ labels: {}, value: figures.publishing }];
    },
  },
};
