/** Every metric of /metrics: a row each, from which the registry is made; `npm run tables` writes them into docs/metrics.md. */
import { performance } from "node:perf_hooks";
import type { RefusalCode } from "../../engine/answers/refusals.js";
import { STATES } from "./health.js";
import { JSON_REPLICA_METRICS } from "./json-replica-metrics.js";
import { KEY_METRICS } from "./key-metrics.js";
import { MESSAGE_METRICS } from "./message-metrics.js";
import {
  histogram,
  type MetricRow,
  ofTimeline,
  perListener,
  perMember,
  single,
  whereThere,
} from "./metric-row.js";
import { MIRROR_METRICS } from "./mirror-metrics.js";
import { ORDER_METRICS } from "./order-metrics.js";
import { canRefuse } from "./refusal-reasons.js";

const MICROSECONDS = 1e6;
const MILLISECONDS = 1000;

export const METRICS: Readonly<Record<string, MetricRow>> = {
  dbsyncd_units_total: perListener(
    "counter",
    ["outcome"],
    "Units answered, by listener and outcome (ok, error). A unit is a command, or a whole envelope with multi.",
    ({ ok, errors }) => [
      { labels: { outcome: "ok" }, value: ok },
      { labels: { outcome: "error" }, value: errors },
    ],
  ),
  dbsyncd_refusals_total: perListener(
    "counter",
    ["reason"],
    "Requests that were not answered with a reply, and connections refused, by listener and reason.",
    ({ refusals }, listener) =>
      (Object.entries(refusals) as [RefusalCode, number][])
        .filter(([reason, value]) => value > 0 || canRefuse(listener, reason))
        .map(([reason, value]) => ({ labels: { reason }, value })),
  ),
  dbsyncd_connections: perListener("gauge", [], "Connections that are open.", ({ connections }) => [
    { labels: {}, value: connections },
  ]),
  dbsyncd_connections_opened_total: perListener(
    "counter",
    [],
    "Connections that were opened.",
    ({ connected }) => [{ labels: {}, value: connected }],
  ),
  dbsyncd_buffered_bytes: single(
    "gauge",
    "Bytes of unfinished requests and untaken answers; bounded by --max-buffered-bytes.",
    ({ bufferedBytes }) => bufferedBytes(),
  ),
  dbsyncd_verify_seconds: histogram("Time to check a signature.", ({ verify }) => verify),
  dbsyncd_answer_seconds: histogram("Time from an envelope to its answer.", ({ answers }) => answers),
  dbsyncd_envelope_skew_seconds: histogram(
    "Date of an envelope less the daemon's clock; below 0 for the past, the way included.",
    ({ skew }) => skew,
  ),
  dbsyncd_backend_up: {
    type: "gauge",
    labels: ["backend"],
    help: "1 while the database can be reached, else 0.",
    read: ({ health }) =>
      health().backends.map(({ name, up }) => ({ labels: { backend: name }, value: Number(up) })),
  },
  dbsyncd_backend_seconds: {
    type: "histogram",
    labels: ["backend"],
    help: "Time a database took to answer; not taken for those that answer at once, as memory does.",
    read: ({ metrics }) =>
      [...metrics.backends].map(([backend, { latency }]) => ({ labels: { backend }, value: latency })),
  },
  dbsyncd_backend_failures_total: {
    type: "counter",
    labels: ["backend"],
    help: "Commands that a database did not answer: not reachable, connection lost, or too slow.",
    read: ({ metrics }) =>
      [...metrics.backends].map(([backend, { failures }]) => ({ labels: { backend }, value: failures })),
  },
  dbsyncd_state: {
    type: "gauge",
    labels: ["state"],
    help: "1 for the state the daemon is in (starting, live, catching-up, isolated, revoked, not-listed, outdated, stopping), 0 for the others.",
    read: ({ health }) => {
      const now = health().state;
      return STATES.map((state) => ({ labels: { state }, value: Number(state === now) }));
    },
  },
  ...KEY_METRICS,
  dbsyncd_timeline_entries: {
    type: "gauge",
    labels: ["set"],
    help: "Envelopes that are recorded; ring: those on keys, data: all others.",
    read: ({ replica }) =>
      whereThere(replica(), ({ ring, data }) => [
        { labels: { set: "ring" }, value: ring.count },
        { labels: { set: "data" }, value: data.count },
      ]),
  },
  dbsyncd_timeline_bytes: ofTimeline(
    "gauge",
    "Bytes that the timeline takes, on disk or, without --data, in memory.",
    ({ bytes }) => bytes,
  ),
  dbsyncd_timeline_tail_units: ofTimeline(
    "gauge",
    "Units that can still be put in another order.",
    ({ tailUnits }) => tailUnits,
  ),
  dbsyncd_timeline_tail_bytes: ofTimeline(
    "gauge",
    "Memory kept for that, roughly; bounded by --max-tail-bytes.",
    ({ tailBytes }) => tailBytes,
  ),
  dbsyncd_timeline_redone_total: ofTimeline(
    "counter",
    "Units that were undone and done again because others came late.",
    ({ redone }) => redone,
  ),
  dbsyncd_timeline_waiting: ofTimeline(
    "gauge",
    "Envelopes that are recorded and not applied: dated ahead of the clock, or late and waiting for their turn, or being folded in.",
    ({ waiting }) => waiting,
  ),
  dbsyncd_timeline_watermark_seconds: ofTimeline(
    "gauge",
    "Seconds since 1970: nothing dated at or before it is taken from clients.",
    ({ published }) => published / MILLISECONDS,
  ),
  dbsyncd_timeline_newest_seconds: ofTimeline(
    "gauge",
    "Date of the newest envelope that is applied, in seconds since 1970.",
    ({ newest }) => newest / MILLISECONDS,
  ),
  dbsyncd_timeline_stable_seconds: ofTimeline(
    "gauge",
    "Seconds since 1970: everything dated before it is final; 0: not known.",
    ({ stable }) => stable / MILLISECONDS,
  ),
  dbsyncd_timeline_failed: ofTimeline(
    "gauge",
    "1 once the disk has failed and nothing is taken any more, else 0.",
    ({ failure }) => Number(failure !== null),
  ),
  dbsyncd_timeline_recalls: ofTimeline(
    "gauge",
    "TIMELINE commands that look back at the moment.",
    ({ recalls }) => recalls,
  ),
  dbsyncd_clock_skewed: ofTimeline(
    "gauge",
    "1 while this machine's clock is off the other members' and nothing is taken from clients, else 0.",
    ({ isSkewed }) => Number(isSkewed),
  ),
  dbsyncd_quarantine_entries: ofTimeline(
    "gauge",
    "Envelopes from members that wait for their signer's key.",
    ({ quarantined }) => quarantined,
  ),
  dbsyncd_quarantine_dropped_total: ofTimeline(
    "counter",
    "Envelopes from members that were let go while they waited for that.",
    ({ dropped }) => dropped,
  ),
  dbsyncd_snapshots_taken_total: ofTimeline(
    "counter",
    "Snapshots of members that were taken over, as entries lacked that no member keeps.",
    ({ snapshotsTaken }) => snapshotsTaken,
  ),
  dbsyncd_snapshot_taking_bytes: ofTimeline(
    "gauge",
    "Bytes of such a snapshot that have come so far; 0: none is on its way.",
    ({ taking }) => taking?.received ?? 0,
  ),
  dbsyncd_log_groups_lost: ofTimeline(
    "gauge",
    "Groups of writes that were safe before the start, and were not in the folder's log.",
    ({ lostGroups }) => lostGroups,
  ),
  dbsyncd_strays_total: ofTimeline(
    "counter",
    "Envelopes of this daemon that such a snapshot is not made of, or whose keys it lacks, and that are gone here.",
    ({ strays }) => strays,
  ),
  dbsyncd_possible_strays_total: ofTimeline(
    "counter",
    "Envelopes of this daemon of which it is not known whether such a snapshot is made of them.",
    ({ possibleStrays }) => possibleStrays,
  ),
  dbsyncd_dead_letters: ofTimeline(
    "gauge",
    "Envelopes that are kept as dead letters in the data folder, and were not written again (dbsync dead-letters).",
    ({ deadLetters }) => deadLetters,
  ),
  ...MESSAGE_METRICS,
  dbsyncd_state_differs: ofTimeline(
    "gauge",
    "Keys that a member holds otherwise than this daemon, though both hold the same envelopes; 0 unless something is wrong.",
    ({ differing }) => differing.length,
  ),
  dbsyncd_state_compared_seconds: ofTimeline(
    "gauge",
    "Seconds since 1970: the last date whose state was compared with a member's; 0: none.",
    ({ compared }) => compared / MILLISECONDS,
  ),
  dbsyncd_member_connected: perMember("gauge", "1 while the member is connected, else 0.", ({ connection }) =>
    Number(connection === "connected"),
  ),
  dbsyncd_member_equal: perMember(
    "gauge",
    "1 if the member held the same as this daemon when it was heard last, and both had it in their states, else 0.",
    ({ isEqual }) => (isEqual === null ? null : Number(isEqual)),
  ),
  dbsyncd_member_lag_entries: perMember(
    "gauge",
    "Envelopes asked of the member that have not come.",
    ({ lag }) => lag,
  ),
  dbsyncd_member_behind_entries: perMember(
    "gauge",
    "Envelopes that are on their way to the member, or wait to be, roughly.",
    ({ behind }) => behind,
  ),
  dbsyncd_member_skew_seconds: perMember("gauge", "The member's clock less this daemon's.", ({ skew }) =>
    inSeconds(skew),
  ),
  dbsyncd_member_round_trip_seconds: perMember(
    "gauge",
    "Time from a word to the member until its answer.",
    ({ roundTrip }) => inSeconds(roundTrip),
  ),
  dbsyncd_member_watermark_seconds: perMember(
    "gauge",
    "Seconds since 1970: the member takes nothing from clients dated at or before it.",
    ({ watermark }) => inSeconds(watermark),
  ),
  dbsyncd_member_refused_entries: perMember(
    "gauge",
    "Envelopes of the member that were refused on this connection; 0 unless something is wrong.",
    ({ refusals }) => refusals,
  ),
  ...MIRROR_METRICS,
  ...ORDER_METRICS,
  ...JSON_REPLICA_METRICS,
  dbsyncd_build_info: {
    type: "gauge",
    labels: ["version", "node"],
    help: "Always 1; the labels tell the versions of dbsyncd and Node.",
    read: ({ health }) => [{ labels: { version: health().version, node: process.versions.node }, value: 1 }],
  },
  dbsyncd_event_loop_active_seconds_total: single(
    "counter",
    "Time in which the event loop was not waiting; its rate is the share of a core that is in use, 1 is the end.",
    () => performance.eventLoopUtilization().active / MILLISECONDS,
  ),
  process_cpu_seconds_total: single("counter", "CPU time of all threads, user and system.", () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / MICROSECONDS;
  }),
  process_resident_memory_bytes: single("gauge", "Resident memory.", () => process.memoryUsage.rss()),
  process_start_time_seconds: single(
    "gauge",
    "When the process started, in seconds since 1970.",
    () => performance.timeOrigin / MILLISECONDS,
  ),
  nodejs_heap_size_used_bytes: single(
    "gauge",
    "Used part of the JavaScript heap.",
    () => process.memoryUsage().heapUsed,
  ),
};

function inSeconds(milliseconds: number | null): number | null {
  return milliseconds === null ? null : milliseconds / MILLISECONDS;
}
