/** Every metric of /metrics: a row each, from which the registry is made. docs/metrics.md holds the same rows. */

export interface MetricRow {
  readonly type: "counter" | "gauge" | "histogram";
  readonly labels: readonly string[];
  readonly help: string;
}

export const METRICS = {
  dbsyncd_units_total: {
    type: "counter",
    labels: ["listener", "outcome"],
    help: "Units answered, by listener and outcome (ok, error). A unit is a command, or a whole envelope with multi.",
  },
  dbsyncd_refusals_total: {
    type: "counter",
    labels: ["listener", "reason"],
    help: "Requests that were not answered with a reply, and connections refused, by listener and reason.",
  },
  dbsyncd_connections: {
    type: "gauge",
    labels: ["listener"],
    help: "Connections that are open.",
  },
  dbsyncd_connections_opened_total: {
    type: "counter",
    labels: ["listener"],
    help: "Connections that were opened.",
  },
  dbsyncd_buffered_bytes: {
    type: "gauge",
    labels: [],
    help: "Bytes of unfinished requests and untaken answers; bounded by --max-buffered-bytes.",
  },
  dbsyncd_verify_seconds: {
    type: "histogram",
    labels: [],
    help: "Time to check a signature.",
  },
  dbsyncd_envelope_skew_seconds: {
    type: "histogram",
    labels: [],
    help: "Date of an envelope less the daemon's clock; below 0 for the past, the way included.",
  },
  dbsyncd_backend_up: {
    type: "gauge",
    labels: ["backend"],
    help: "1 while the database can be reached, else 0.",
  },
  dbsyncd_backend_seconds: {
    type: "histogram",
    labels: ["backend"],
    help: "Time a database took to answer; not taken for those that answer at once, as memory does.",
  },
  dbsyncd_backend_failures_total: {
    type: "counter",
    labels: ["backend"],
    help: "Commands that a database did not answer: not reachable, connection lost, or too slow.",
  },
  dbsyncd_state: {
    type: "gauge",
    labels: ["state"],
    help: "1 for the state the daemon is in (starting, live, catching-up, isolated, stopping), 0 for the others.",
  },
  dbsyncd_build_info: {
    type: "gauge",
    labels: ["version", "node"],
    help: "Always 1; the labels tell the versions of dbsyncd and Node.",
  },
  dbsyncd_event_loop_active_seconds_total: {
    type: "counter",
    labels: [],
    help: "Time in which the event loop was not waiting; its rate is the share of a core that is in use, 1 is the end.",
  },
  process_cpu_seconds_total: {
    type: "counter",
    labels: [],
    help: "CPU time of all threads, user and system.",
  },
  process_resident_memory_bytes: {
    type: "gauge",
    labels: [],
    help: "Resident memory.",
  },
  process_start_time_seconds: {
    type: "gauge",
    labels: [],
    help: "When the process started, in seconds since 1970.",
  },
  nodejs_heap_size_used_bytes: {
    type: "gauge",
    labels: [],
    help: "Used part of the JavaScript heap.",
  },
} as const satisfies Record<string, MetricRow>;

export type MetricName = keyof typeof METRICS;

/** Names of the histograms. */
export type HistogramName = {
  [Name in MetricName]: (typeof METRICS)[Name]["type"] extends "histogram" ? Name : never;
}[MetricName];

/** Names of counters and gauges. */
export type ValueName = Exclude<MetricName, HistogramName>;
