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
    help: "1 for the state the daemon is in (starting, live, catching-up, isolated, revoked, stopping), 0 for the others.",
  },
  dbsyncd_timeline_entries: {
    type: "gauge",
    labels: ["set"],
    help: "Envelopes that are recorded; ring: those on keys, data: all others.",
  },
  dbsyncd_timeline_bytes: {
    type: "gauge",
    labels: [],
    help: "Bytes that the timeline takes, on disk or, without --data, in memory.",
  },
  dbsyncd_timeline_tail_units: {
    type: "gauge",
    labels: [],
    help: "Units that can still be put in another order.",
  },
  dbsyncd_timeline_tail_bytes: {
    type: "gauge",
    labels: [],
    help: "Memory kept for that, roughly; bounded by --max-tail-bytes.",
  },
  dbsyncd_timeline_redone_total: {
    type: "counter",
    labels: [],
    help: "Units that were undone and done again because others came late.",
  },
  dbsyncd_timeline_waiting: {
    type: "gauge",
    labels: [],
    help: "Envelopes that are recorded and not applied: dated ahead of the clock, or late and waiting for their turn, or being folded in.",
  },
  dbsyncd_timeline_watermark_seconds: {
    type: "gauge",
    labels: [],
    help: "Seconds since 1970: nothing dated at or before it is taken from clients.",
  },
  dbsyncd_timeline_newest_seconds: {
    type: "gauge",
    labels: [],
    help: "Date of the newest envelope that is applied, in seconds since 1970.",
  },
  dbsyncd_timeline_stable_seconds: {
    type: "gauge",
    labels: [],
    help: "Seconds since 1970: everything dated before it is final; 0: not known.",
  },
  dbsyncd_timeline_failed: {
    type: "gauge",
    labels: [],
    help: "1 once the disk has failed and nothing is taken any more, else 0.",
  },
  dbsyncd_timeline_recalls: {
    type: "gauge",
    labels: [],
    help: "TIMELINE commands that look back at the moment.",
  },
  dbsyncd_clock_skewed: {
    type: "gauge",
    labels: [],
    help: "1 while this machine's clock is off the other members' and nothing is taken from clients, else 0.",
  },
  dbsyncd_quarantine_entries: {
    type: "gauge",
    labels: [],
    help: "Envelopes from members that wait for their signer's key.",
  },
  dbsyncd_quarantine_dropped_total: {
    type: "counter",
    labels: [],
    help: "Envelopes from members that were let go while they waited for that.",
  },
  dbsyncd_snapshots_taken_total: {
    type: "counter",
    labels: [],
    help: "Snapshots of members that were taken over, as entries lacked that no member keeps.",
  },
  dbsyncd_snapshot_taking_bytes: {
    type: "gauge",
    labels: [],
    help: "Bytes of such a snapshot that have come so far; 0: none is on its way.",
  },
  dbsyncd_log_groups_lost: {
    type: "gauge",
    labels: [],
    help: "Groups of writes that were safe before the start, and were not in the folder's log.",
  },
  dbsyncd_strays_total: {
    type: "counter",
    labels: [],
    help: "Envelopes of this daemon that such a snapshot is not made of, or whose keys it lacks, and that are gone here.",
  },
  dbsyncd_possible_strays_total: {
    type: "counter",
    labels: [],
    help: "Envelopes of this daemon of which it is not known whether such a snapshot is made of them.",
  },
  dbsyncd_member_connected: {
    type: "gauge",
    labels: ["member"],
    help: "1 while the member is connected, else 0.",
  },
  dbsyncd_member_equal: {
    type: "gauge",
    labels: ["member"],
    help: "1 if the member held the same as this daemon when it was heard last, and both had it in their states, else 0.",
  },
  dbsyncd_member_lag_entries: {
    type: "gauge",
    labels: ["member"],
    help: "Envelopes asked of the member that have not come.",
  },
  dbsyncd_member_behind_entries: {
    type: "gauge",
    labels: ["member"],
    help: "Envelopes that are on their way to the member, or wait to be, roughly.",
  },
  dbsyncd_member_skew_seconds: {
    type: "gauge",
    labels: ["member"],
    help: "The member's clock less this daemon's.",
  },
  dbsyncd_member_round_trip_seconds: {
    type: "gauge",
    labels: ["member"],
    help: "Time from a word to the member until its answer.",
  },
  dbsyncd_member_watermark_seconds: {
    type: "gauge",
    labels: ["member"],
    help: "Seconds since 1970: the member takes nothing from clients dated at or before it.",
  },
  dbsyncd_member_refused_entries: {
    type: "gauge",
    labels: ["member"],
    help: "Envelopes of the member that were refused on this connection; 0 unless something is wrong.",
  },
  dbsyncd_json_replica_connected: {
    type: "gauge",
    labels: ["replica"],
    help: "1 while the server of --json-replica is connected, else 0.",
  },
  dbsyncd_json_replica_leads: {
    type: "gauge",
    labels: ["replica"],
    help: "1 if the daemon of --json-replica orders the writes, else 0; 0 for all where this daemon does.",
  },
  dbsyncd_json_replica_missing_documents: {
    type: "gauge",
    labels: ["replica"],
    help: "Documents of which the server of --json-replica may not have all: it was away, or refused a write.",
  },
  dbsyncd_json_replica_different_documents_total: {
    type: "counter",
    labels: ["replica"],
    help: "Documents of which the server of --json-replica had other contents than this daemon though it missed nothing.",
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
