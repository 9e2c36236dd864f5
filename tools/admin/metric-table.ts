/** The table of the metrics of /metrics. `npm run tables` also writes it into docs/metrics.md. */
import { performance } from "node:perf_hooks";
import { REFUSALS, type RefusalCode } from "../../daemon/engine/answers/refusals.js";
import {
  figureMetrics,
  histogram,
  labelled,
  type MetricTable,
  metricMaker,
  only,
  single,
} from "../../daemon/net/process/metric-rows.js";
import type { Face } from "../../daemon/program/face.js";
import type { MetricSources } from "../../daemon/program/inspection/inspected-daemon.js";
import { MESSAGE_FIGURES } from "../../protocol/figures/message-figures.js";
import { MEMBER_FIGURES, TIMELINE_FIGURES } from "../../protocol/figures/timeline-figures.js";
import { STATE_NAMES } from "../../protocol/state-names.js";

/** The parts that several metrics describe. A part that the daemon does not have has no samples. */
const ofKeys = metricMaker([], ({ keys }: MetricSources) => only(keys()));
const ofWorkingMemory = metricMaker([], ({ workingMemory }: MetricSources) => only(workingMemory()));
const perListener = metricMaker(["listener"], ({ metrics }: MetricSources) =>
  [...metrics.listeners].map(([listener, value]) => ({ labels: { listener }, value })),
);
const perBackend = metricMaker(["backend"], ({ metrics }: MetricSources) =>
  [...metrics.backends].map(([backend, value]) => ({ labels: { backend }, value })),
);
const perDatabase = metricMaker(["db"], ({ keys }: MetricSources) =>
  labelled("db", keys()?.keyCounts ?? [], ({ db }) => String(db)),
);
/** The members, except the daemon itself. */
const members = ({ replica }: MetricSources) =>
  labelled(
    "member",
    replica()?.members.filter(({ connection }) => connection !== "self") ?? [],
    ({ address, id }) => address || (id ?? ""),
  );

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

/** Reasons to refuse a connection; for versions 1 and 2, before the version is known. */
const OF_CONNECTIONS: ReadonlySet<string> = new Set<RefusalCode>([
  ...(["tls-handshake", "not-tls", "too-many-connections", "too-much-buffered"] as const),
]);

/** Whether a listener can refuse requests for a reason. @param listener  the name that the observer receives */
function canRefuse(listener: string, code: RefusalCode): boolean {
  if (listener === "ws") return !VERSION_1_ONLY.has(code);
  if (code === "wrong-origin") return false;
  if (listener === "dbsync") return UNKNOWN_VERSION.has(code);
  if (listener.startsWith("dbsync-v") && OF_CONNECTIONS.has(code)) return false;
  if (listener === "dbsync-v2") return !VERSION_1_ONLY.has(code);
  const isOfEnvelopes = "wire" in REFUSALS[code] && !BOTH_VERSIONS.has(code);
  return listener !== "dbsync-v1" || !isOfEnvelopes;
}

const MICROSECONDS = 1e6;
const MILLISECONDS = 1000;

/** Returns all metrics: the daemon's, and those of its faces. */
export async function loadMetrics(faces: readonly Face[]): Promise<MetricTable<MetricSources>> {
  const ofFaces = await Promise.all(faces.map(async ({ metrics }) => (await metrics?.()) ?? {}));
  return Object.assign({}, DAEMON_METRICS, ...ofFaces);
}

const DAEMON_METRICS: MetricTable<MetricSources> = {
  dbsyncd_units_total: {
    type: "counter",
    labels: ["listener", "outcome"],
    help: "Units answered, by listener and outcome (ok, error). A unit is a command, or all commands of an envelope with multi.",
    read: ({ metrics }) =>
      [...metrics.listeners].flatMap(([listener, { ok, errors }]) => [
        { labels: { listener, outcome: "ok" }, value: ok },
        { labels: { listener, outcome: "error" }, value: errors },
      ]),
  },
  dbsyncd_refusals_total: {
    type: "counter",
    labels: ["listener", "reason"],
    help: "Refused requests and refused connections, by listener and reason.",
    read: ({ metrics }) =>
      [...metrics.listeners].flatMap(([listener, { refusals }]) =>
        (Object.entries(refusals) as [RefusalCode, number][])
          .filter(([reason, value]) => value > 0 || canRefuse(listener, reason))
          .map(([reason, value]) => ({ labels: { listener, reason }, value })),
      ),
  },
  dbsyncd_connections: perListener("gauge", "Open connections.", ({ connections }) => connections),
  dbsyncd_connections_opened_total: perListener(
    "counter",
    "Connections that were opened.",
    ({ connected }) => connected,
  ),
  dbsyncd_buffered_bytes: single(
    "gauge",
    "Bytes of unfinished requests and unread answers; limited by --max-buffered-bytes.",
    ({ bufferedBytes }) => bufferedBytes(),
  ),
  dbsyncd_verify_seconds: histogram("Time to check a signature.", ({ metrics }) => only(metrics.verify)),
  dbsyncd_answer_seconds: histogram("Time from an envelope to its answer.", ({ metrics }) =>
    only(metrics.answers),
  ),
  dbsyncd_envelope_skew_seconds: histogram(
    "Date of an envelope minus the time of its arrival by the daemon's clock; negative for past dates.",
    ({ metrics }) => only(metrics.skew),
  ),
  dbsyncd_backend_up: metricMaker(["backend"], ({ health }: MetricSources) =>
    labelled("backend", health().backends, ({ name }) => name),
  )("gauge", "1 while the database can be reached, otherwise 0.", ({ up }) => Number(up)),
  dbsyncd_backend_seconds: {
    ...histogram(
      "Time that a database took to answer; not measured for databases in memory.",
      ({ metrics }) =>
        [...metrics.backends].map(([backend, { latency }]) => ({ labels: { backend }, value: latency })),
    ),
    labels: ["backend"],
  },
  dbsyncd_backend_failures_total: perBackend(
    "counter",
    "Commands that a database did not answer because it was not reachable, the connection was lost, or it was too slow.",
    ({ failures }) => failures,
  ),
  dbsyncd_working_memory_bytes: ofWorkingMemory(
    "gauge",
    "Bytes that SQL queries, MDB reads and LCS hold for intermediate results, by the daemon's account.",
    ({ used }) => used,
  ),
  dbsyncd_working_memory_limit_bytes: ofWorkingMemory(
    "gauge",
    "Maximum of dbsyncd_working_memory_bytes (--work-memory).",
    ({ limit }) => limit,
  ),
  dbsyncd_waiting_queries: ofWorkingMemory(
    "gauge",
    "Queries that wait for a share of --work-memory.",
    ({ waiting }) => waiting,
  ),
  dbsyncd_state: {
    type: "gauge",
    labels: ["state"],
    help: `1 for the current state of the daemon (${STATE_NAMES.join(", ")}), 0 for the other states.`,
    read: ({ health }) => {
      const now = health().state;
      return STATE_NAMES.map((state) => ({ labels: { state }, value: Number(state === now) }));
    },
  },
  dbsyncd_keys: perDatabase("gauge", "Keys that have not expired, by database.", ({ keys }) => keys),
  dbsyncd_expiring_keys: perDatabase(
    "gauge",
    "Keys that will expire, by database.",
    ({ expiring }) => expiring,
  ),
  dbsyncd_expired_keys_total: ofKeys("counter", "Keys that have expired.", ({ expiredKeys }) => expiredKeys),
  dbsyncd_key_lookups_total: {
    type: "counter",
    labels: ["outcome"],
    help: "Lookups of keys by reading commands, by outcome (hit, miss).",
    read: ({ keys }) =>
      only(keys()).flatMap(({ value: { changes } }) => [
        { labels: { outcome: "hit" }, value: changes.lookups.hits },
        { labels: { outcome: "miss" }, value: changes.lookups.misses },
      ]),
  },
  ...figureMetrics(TIMELINE_FIGURES, [], ({ replica }) => only(replica())),
  ...figureMetrics(MESSAGE_FIGURES, [], ({ replica }) => only(replica()?.messages ?? null)),
  dbsyncd_member_connected: metricMaker(["member"], members)(
    "gauge",
    "1 while the member is connected, otherwise 0.",
    ({ connection }) => Number(connection === "connected"),
  ),
  ...figureMetrics(MEMBER_FIGURES, ["member"], members),
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
