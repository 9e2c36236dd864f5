/** The metrics of the stream of --order. */
import {
  figureMetrics,
  histogram,
  type MetricTable,
  metricMaker,
  only,
} from "../../daemon/net/process/metric-rows.js";
import type { MetricSources } from "../../daemon/program/inspection/inspected-daemon.js";
import { ORDER_FIGURES } from "../../protocol/figures/order-figures.js";

const order = ({ order }: MetricSources) => only(order());

export const METRICS: MetricTable<MetricSources> = {
  dbsyncd_order_connected: metricMaker([], order)(
    "gauge",
    "1 while the stream of --order can be read and written, otherwise 0; writes are then refused.",
    ({ trouble }) => Number(trouble === null),
  ),
  ...figureMetrics(ORDER_FIGURES, [], order),
  dbsyncd_order_publishes_total: {
    type: "counter",
    labels: ["outcome"],
    help: "Attempts to add an envelope to the stream, by outcome (stored; repeated: the stream already had it; refused; unknown: tried again).",
    read: ({ order }) =>
      Object.entries(order()?.published ?? {}).map(([outcome, value]) => ({ labels: { outcome }, value })),
  },
  dbsyncd_order_publish_seconds: histogram("Time until the stream acknowledges an envelope.", ({ order }) =>
    only(order()?.publishing ?? null),
  ),
};
