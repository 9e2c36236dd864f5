/** Where each metric's numbers are from: read when somebody asks for them, never before. */
import { performance } from "node:perf_hooks";
import type { RefusalCode } from "../answers/refusals.js";
import type { ReplicaFigures } from "../history/replica-figures.js";
import type { MemberStatus } from "../peers/peering-parts.js";
import type { JsonReplicaFigures } from "../pipeline/json-replica-figures.js";
import { type Health, STATES } from "./health.js";
import type { Histogram } from "./histogram.js";
import type { HistogramName, ValueName } from "./metric-table.js";
import type { ListenerCounts, Metrics } from "./metrics.js";
import { canRefuse } from "./refusal-reasons.js";

export interface Sources {
  readonly metrics: Metrics;
  readonly health: () => Health;
  /** Bytes that all connections hold together. */
  readonly bufferedBytes: () => number;
  /** Read once for each metric that is about them. null: no timeline. */
  readonly replica: () => ReplicaFigures | null;
  /** None without --json-replica. */
  readonly jsonReplicas: () => readonly JsonReplicaFigures[];
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
    perListener(sources, ({ refusals }, listener) =>
      (Object.entries(refusals) as [RefusalCode, number][])
        .filter(([reason, value]) => value > 0 || canRefuse(listener, reason))
        .map(([reason, value]) => ({ labels: { reason }, value })),
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
  dbsyncd_timeline_entries: (sources) =>
    ofReplica(sources, ({ ring, data }) => [
      { labels: { set: "ring" }, value: ring.count },
      { labels: { set: "data" }, value: data.count },
    ]),
  dbsyncd_timeline_bytes: (sources) => ofReplica(sources, ({ bytes }) => [single(bytes)]),
  dbsyncd_timeline_tail_units: (sources) => ofReplica(sources, ({ tailUnits }) => [single(tailUnits)]),
  dbsyncd_timeline_tail_bytes: (sources) => ofReplica(sources, ({ tailBytes }) => [single(tailBytes)]),
  dbsyncd_timeline_redone_total: (sources) => ofReplica(sources, ({ redone }) => [single(redone)]),
  dbsyncd_timeline_waiting: (sources) => ofReplica(sources, ({ waiting }) => [single(waiting)]),
  dbsyncd_timeline_watermark_seconds: (sources) =>
    ofReplica(sources, ({ published }) => [seconds(published)]),
  dbsyncd_timeline_newest_seconds: (sources) => ofReplica(sources, ({ newest }) => [seconds(newest)]),
  dbsyncd_timeline_stable_seconds: (sources) => ofReplica(sources, ({ stable }) => [seconds(stable)]),
  dbsyncd_timeline_failed: (sources) =>
    ofReplica(sources, ({ failure }) => [single(Number(failure !== null))]),
  dbsyncd_timeline_recalls: (sources) => ofReplica(sources, ({ recalls }) => [single(recalls)]),
  dbsyncd_clock_skewed: (sources) => ofReplica(sources, ({ isSkewed }) => [single(Number(isSkewed))]),
  dbsyncd_quarantine_entries: (sources) => ofReplica(sources, ({ quarantined }) => [single(quarantined)]),
  dbsyncd_quarantine_dropped_total: (sources) => ofReplica(sources, ({ dropped }) => [single(dropped)]),
  dbsyncd_snapshots_taken_total: (sources) =>
    ofReplica(sources, ({ snapshotsTaken }) => [single(snapshotsTaken)]),
  dbsyncd_snapshot_taking_bytes: (sources) =>
    ofReplica(sources, ({ taking }) => [single(taking?.received ?? 0)]),
  dbsyncd_log_groups_lost: (sources) => ofReplica(sources, ({ lostGroups }) => [single(lostGroups)]),
  dbsyncd_strays_total: (sources) => ofReplica(sources, ({ strays }) => [single(strays)]),
  dbsyncd_possible_strays_total: (sources) =>
    ofReplica(sources, ({ possibleStrays }) => [single(possibleStrays)]),
  dbsyncd_member_connected: (sources) =>
    perMember(sources, ({ connection }) => Number(connection === "connected")),
  dbsyncd_member_equal: (sources) =>
    perMember(sources, ({ isEqual }) => (isEqual === null ? null : Number(isEqual))),
  dbsyncd_member_lag_entries: (sources) => perMember(sources, ({ lag }) => lag),
  dbsyncd_member_behind_entries: (sources) => perMember(sources, ({ behind }) => behind),
  dbsyncd_member_skew_seconds: (sources) => perMember(sources, ({ skew }) => inSeconds(skew)),
  dbsyncd_member_round_trip_seconds: (sources) => perMember(sources, ({ roundTrip }) => inSeconds(roundTrip)),
  dbsyncd_member_watermark_seconds: (sources) => perMember(sources, ({ watermark }) => inSeconds(watermark)),
  dbsyncd_member_refused_entries: (sources) => perMember(sources, ({ refusals }) => refusals),
  dbsyncd_json_replica_connected: (sources) =>
    perJsonReplica(sources, ({ isConnected }) => Number(isConnected)),
  dbsyncd_json_replica_leads: (sources) => perJsonReplica(sources, ({ isLeader }) => Number(isLeader)),
  dbsyncd_json_replica_missing_documents: (sources) => perJsonReplica(sources, ({ missing }) => missing),
  dbsyncd_json_replica_different_documents_total: (sources) =>
    perJsonReplica(sources, ({ different }) => different),
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

const inSeconds = (milliseconds: number | null): number | null =>
  milliseconds === null ? null : milliseconds / MILLISECONDS;

const seconds = (milliseconds: number): Sample<number> => single(milliseconds / MILLISECONDS);

/** Nothing on a daemon without a timeline. */
function ofReplica(
  { replica }: Sources,
  read: (figures: ReplicaFigures) => readonly Sample<number>[],
): readonly Sample<number>[] {
  const figures = replica();
  return figures === null ? [] : read(figures);
}

function perJsonReplica(
  { jsonReplicas }: Sources,
  read: (figures: JsonReplicaFigures) => number,
): readonly Sample<number>[] {
  return jsonReplicas().map((figures) => ({ labels: { replica: figures.replica }, value: read(figures) }));
}

/** One for each member other than the daemon itself of which the value is known. */
function perMember(
  sources: Sources,
  read: (member: MemberStatus) => number | null,
): readonly Sample<number>[] {
  return ofReplica(sources, ({ members }) =>
    members.flatMap((member) => {
      const value = member.connection === "self" ? null : read(member);
      return value === null ? [] : [{ labels: { member: member.address }, value }];
    }),
  );
}

function perListener(
  { metrics }: Sources,
  read: (counts: ListenerCounts, listener: string) => readonly Sample<number>[],
): Sample<number>[] {
  return [...metrics.listeners].flatMap(([listener, counts]) =>
    read(counts, listener).map(({ labels, value }) => ({ labels: { listener, ...labels }, value })),
  );
}
