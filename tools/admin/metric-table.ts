/** The table of all metrics of /metrics. `npm run tables` also writes it into docs/metrics.md. */
import { performance } from "node:perf_hooks";
import { REFUSALS, type RefusalCode } from "../../daemon/engine/answers/refusals.js";
import { STATE_NAMES } from "../../protocol/state-names.js";
import { MEMBER_METRICS, MIRROR_METRICS, TIMELINE_METRICS } from "./figure-metrics.js";
import { single } from "./http/metric.js";
import { KEY_METRICS } from "./key-metrics.js";
import {
  histogram,
  type MetricRow,
  ofJsonReplicas,
  ofMessages,
  perJsonReplica,
  perListener,
  perMember,
} from "./metric-row.js";
import { MIRROR_STATES } from "./mirror-metrics.js";
import { ORDER_METRICS } from "./order-metrics.js";

/** Reasons that version 1 shares with version 2: problems with bytes, signatures and databases. */
const BOTH_VERSIONS: ReadonlySet<string> = new Set<RefusalCode>([
  ...([
    "malformed",
    "unsigned",
    "not-due",
    "bad-signature",
    "key-not-yet-valid",
    "key-expired",
    "revoked",
  ] as const),
  ...(["database-down", "database-lost", "database-timeout"] as const),
]);

/** Reasons that only version 1 has, because version 2 answers such commands with an error. */
const VERSION_1_ONLY: ReadonlySet<string> = new Set<RefusalCode>([
  ...(["version-1-off", "not-permitted", "empty-command", "too-many-arguments"] as const),
  ...(["not-carried", "command-error"] as const),
]);

/** Reasons that can occur before the first frame, when the version is unknown. */
const UNKNOWN_VERSION: ReadonlySet<string> = new Set<RefusalCode>([
  ...(["malformed", "version-1-off", "frame-unfinished", "idle", "tls-handshake", "not-tls"] as const),
  ...(["too-many-connections", "too-much-buffered", "output-stuck"] as const),
]);

/** Reasons to refuse a connection before its listener is known. */
const OF_CONNECTIONS: ReadonlySet<string> = new Set<RefusalCode>([
  ...(["tls-handshake", "not-tls", "too-many-connections", "too-much-buffered"] as const),
]);

/** Whether a listener can refuse requests for a reason. @param listener  the name that the observer receives */
function canRefuse(listener: string, code: RefusalCode): boolean {
  if (listener === "ws") return !VERSION_1_ONLY.has(code);
  if (code === "wrong-origin") return false;
  if (listener === "dbsync") return UNKNOWN_VERSION.has(code);
  if (OF_CONNECTIONS.has(code)) return false;
  if (listener === "dbsync-v2") return !VERSION_1_ONLY.has(code);
  const isOfEnvelopes = "wire" in REFUSALS[code] && !BOTH_VERSIONS.has(code);
  return listener !== "dbsync-v1" || !isOfEnvelopes;
}

const MICROSECONDS = 1e6;
const MILLISECONDS = 1000;

export const METRICS: Readonly<Record<string, MetricRow>> = {
  dbsyncd_units_total: perListener(
    "counter",
    ["outcome"],
    "Units answered, by listener and outcome (ok, error). A unit is a command, or all commands of an envelope with multi.",
    ({ ok, errors }) => [
      { labels: { outcome: "ok" }, value: ok },
      { labels: { outcome: "error" }, value: errors },
    ],
  ),
  dbsyncd_refusals_total: perListener(
    "counter",
    ["reason"],
    "Refused requests and refused connections, by listener and reason.",
    ({ refusals }, listener) =>
      (Object.entries(refusals) as [RefusalCode, number][])
        .filter(([reason, value]) => value > 0 || canRefuse(listener, reason))
        .map(([reason, value]) => ({ labels: { reason }, value })),
  ),
  dbsyncd_connections: perListener("gauge", [], "Open connections.", ({ connections }) => [
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
    "Bytes of unfinished requests and unread answers; limited by --max-buffered-bytes.",
    ({ bufferedBytes }) => bufferedBytes(),
  ),
  dbsyncd_verify_seconds: histogram("Time to check a signature.", ({ verify }) => verify),
  dbsyncd_answer_seconds: histogram("Time from an envelope to its answer.", ({ answers }) => answers),
  dbsyncd_envelope_skew_seconds: histogram(
    "Date of an envelope minus the time of its arrival by the daemon's clock; negative for past dates.",
    ({ skew }) => skew,
  ),
  dbsyncd_backend_up: {
    type: "gauge",
    labels: ["backend"],
    help: "1 while the database can be reached, otherwise 0.",
    read: ({ health }) =>
      health().backends.map(({ name, up }) => ({ labels: { backend: name }, value: Number(up) })),
  },
  dbsyncd_backend_seconds: {
    type: "histogram",
    labels: ["backend"],
    help: "Time that a database took to answer; not measured for databases in memory.",
    read: ({ metrics }) =>
      [...metrics.backends].map(([backend, { latency }]) => ({ labels: { backend }, value: latency })),
  },
  dbsyncd_backend_failures_total: {
    type: "counter",
    labels: ["backend"],
    help: "Commands that a database did not answer because it was not reachable, the connection was lost, or it was too slow.",
    read: ({ metrics }) =>
      [...metrics.backends].map(([backend, { failures }]) => ({ labels: { backend }, value: failures })),
  },
  dbsyncd_working_memory_bytes: {
    type: "gauge",
    labels: [],
    help: "Bytes that SQL queries, MDB reads and LCS hold for intermediate results, by the daemon's account.",
    read: ({ workingMemory }) => [{ labels: {}, value: workingMemory().used }],
  },
  dbsyncd_working_memory_limit_bytes: {
    type: "gauge",
    labels: [],
    help: "Maximum of dbsyncd_working_memory_bytes (--work-memory).",
    read: ({ workingMemory }) => [{ labels: {}, value: workingMemory().limit }],
  },
  dbsyncd_waiting_queries: {
    type: "gauge",
    labels: [],
    help: "Queries that wait for a share of --work-memory.",
    read: ({ workingMemory }) => [{ labels: {}, value: workingMemory().waiting }],
  },
  dbsyncd_state: {
    type: "gauge",
    labels: ["state"],
    help: `1 for the current state of the daemon (${STATE_NAMES.join(", ")}), 0 for the other states.`,
    read: ({ health }) => {
      const now = health().state;
      return STATE_NAMES.map((state) => ({ labels: { state }, value: Number(state === now) }));
    },
  },
  ...KEY_METRICS,
  ...TIMELINE_METRICS,
  dbsyncd_messages_given_total: ofMessages(
    "sent",
    "Envelopes of messages (PUBLISH) that were sent to a member, each counted once for each member.",
  ),
  dbsyncd_messages_dropped_total: ofMessages(
    "dropped",
    "Envelopes of messages that were not sent to a member, because more than --max-relay-bytes waited for it, or because they could not be signed.",
  ),
  dbsyncd_messages_heard_total: ofMessages(
    "delivered",
    "Envelopes of messages from members that were delivered to subscribers of this daemon.",
  ),
  dbsyncd_messages_missed_total: ofMessages(
    "missed",
    "Envelopes of messages that members did not send, or that arrived faster than this daemon could check them.",
  ),
  dbsyncd_messages_refused_total: ofMessages(
    "refused",
    "Envelopes of messages from members that had no valid signature, were too old or were not permitted.",
  ),
  dbsyncd_member_connected: perMember(
    "gauge",
    "1 while the member is connected, otherwise 0.",
    ({ connection }) => Number(connection === "connected"),
  ),
  ...MEMBER_METRICS,
  ...MIRROR_STATES,
  ...MIRROR_METRICS,
  ...ORDER_METRICS,
  dbsyncd_json_replica_ready: ofJsonReplicas(
    "gauge",
    "1 once the servers of --json-replica have sent their documents, otherwise 0; until then JSON clients are refused.",
    ({ isReady }) => Number(isReady),
  ),
  dbsyncd_json_replica_connected: perJsonReplica(
    "gauge",
    "1 while the server of --json-replica is connected, otherwise 0.",
    ({ isConnected }) => Number(isConnected),
  ),
  dbsyncd_json_replica_is_dbsyncd: perJsonReplica(
    "gauge",
    "1 if the server of --json-replica is a dbsyncd, to which nothing is sent (use --peer instead), otherwise 0.",
    ({ isDbsyncd }) => Number(isDbsyncd),
  ),
  dbsyncd_json_replica_missing_documents: perJsonReplica(
    "gauge",
    "Documents that may be incomplete on the server of --json-replica, because it was disconnected or refused a write.",
    ({ missing }) => missing,
  ),
  dbsyncd_json_replica_different_documents_total: perJsonReplica(
    "counter",
    "Documents that differed between the server of --json-replica and this daemon although the server had missed no write.",
    ({ different }) => different,
  ),
  dbsyncd_build_info: {
    type: "gauge",
    labels: ["version", "node"],
    help: "Always 1; the labels are the versions of dbsyncd and Node.",
    read: ({ health }) => [{ labels: { version: health().version, node: process.versions.node }, value: 1 }],
  },
  dbsyncd_event_loop_active_seconds_total: single(
    "counter",
    "Time in which the event loop was not idle; its rate is the used share of a core, at most 1.",
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
