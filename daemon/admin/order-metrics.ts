/** Metrics of the stream that orders the writes. */
import type { OrderFigures } from "../../engine/pipeline/order-figures.js";
import type { HistogramRow, ValueRow } from "./metric-row.js";

/** One number, and none without --order. */
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
    "1 while the daemon can read and write the stream of --order, otherwise 0; it then accepts no writes.",
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
    "Messages of the stream that are not applied yet; the daemon queries the stream every 5 s.",
    ({ behind }) => behind,
  ),
  dbsyncd_order_skipped_total: ofOrder(
    "counter",
    "Messages that all daemons skipped: not an envelope, not signed correctly, repeated, or with a wrong date.",
    ({ skipped }) => skipped,
  ),
  dbsyncd_order_waiting: ofOrder(
    "gauge",
    "Envelopes that wait for their message to come back from the stream.",
    ({ waiting }) => waiting,
  ),
  dbsyncd_order_publishes_total: {
    type: "counter",
    labels: ["outcome"],
    help: "Attempts to add an envelope to the stream, by outcome (stored, repeated: the stream had it already, refused, unknown: tried again).",
    read: ({ order }) =>
      Object.entries(order()?.published ?? {}).map(([outcome, value]) => ({ labels: { outcome }, value })),
  },
  dbsyncd_order_publish_seconds: {
    type: "histogram",
    labels: [],
    help: "Time until the stream has acknowledged an envelope.",
    read: ({ order }) => {
      const figures = order();
      return figures === null ? [] : [{ labels: {}, value: figures.publishing }];
    },
  },
};
