/** Where each metric's numbers are from: read when somebody asks for them, never before. */
import { performance } from "node:perf_hooks";
import type { ListenerCounts, Metrics } from "../metrics.js";
import { type Health, STATES } from "./health.js";
import type { Histogram } from "./histogram.js";
import type { HistogramName, ValueName } from "./metric-table.js";

export interface Sources {
  readonly metrics: Metrics;
  readonly health: () => Health;
  /** Bytes that all connections hold together. */
  readonly bufferedBytes: () => number;
}

export interface Sample<Value> {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: Value;
}

type Readings<Value> = (sources: Sources) => readonly Sample<Value>[];

const MICROSECONDS = 1e6;
const MILLISECONDS = 1000;

/** Counters: the sum since the start. Gauges: the value now. */
export const VALUES: Readonly<Record<ValueName, Readings<number>>> = {
  dbsyncd_units_total: (sources) =>
    perListener(sources, ({ ok, errors }) => [
      { labels: { outcome: "ok" }, value: ok },
      { labels: { outcome: "error" }, value: errors },
    ]),
  dbsyncd_refusals_total: (sources) =>
    perListener(sources, ({ refusals }) =>
      Object.entries(refusals).map(([reason, value]) => ({ labels: { reason }, value })),
    ),
  dbsyncd_connections: (sources) => perListener(sources, ({ connections }) => [single(connections)]),
  dbsyncd_connections_opened_total: (sources) => perListener(sources, ({ connected }) => [single(connected)]),
  dbsyncd_buffered_bytes: ({ bufferedBytes }) => [single(bufferedBytes())],
  dbsyncd_backend_up: ({ health }) =>
    health().backends.map(({ name, up }) => ({ labels: { backend: name }, value: Number(up) })),
  dbsyncd_backend_failures_total: ({ metrics }) =>
    [...metrics.backends].map(([backend, { failures }]) => ({ labels: { backend }, value: failures })),
  dbsyncd_state: ({ health }) => {
    const now = health().state;
    return STATES.map((state) => ({ labels: { state }, value: Number(state === now) }));
  },
  dbsyncd_build_info: ({ health }) => [
    { labels: { version: health().version, node: process.versions.node }, value: 1 },
  ],
  dbsyncd_event_loop_active_seconds_total: () => [
    single(performance.eventLoopUtilization().active / MILLISECONDS),
  ],
  process_cpu_seconds_total: () => {
    const { user, system } = process.cpuUsage();
    return [single((user + system) / MICROSECONDS)];
  },
  process_resident_memory_bytes: () => [single(process.memoryUsage.rss())],
  process_start_time_seconds: () => [single(performance.timeOrigin / MILLISECONDS)],
  nodejs_heap_size_used_bytes: () => [single(process.memoryUsage().heapUsed)],
};

export const HISTOGRAMS: Readonly<Record<HistogramName, Readings<Histogram>>> = {
  dbsyncd_verify_seconds: ({ metrics }) => [single(metrics.verify)],
  dbsyncd_envelope_skew_seconds: ({ metrics }) => [single(metrics.skew)],
  dbsyncd_backend_seconds: ({ metrics }) =>
    [...metrics.backends].map(([backend, { latency }]) => ({ labels: { backend }, value: latency })),
};

function single<Value>(value: Value): Sample<Value> {
  return { labels: {}, value };
}

function perListener(
  { metrics }: Sources,
  read: (counts: ListenerCounts) => readonly Sample<number>[],
): Sample<number>[] {
  return [...metrics.listeners].flatMap(([listener, counts]) =>
    read(counts).map(({ labels, value }) => ({ labels: { listener, ...labels }, value })),
  );
}
