/**
 * INFO in signed envelopes. Fields that Redis also has keep Redis's names; dbsync status and dbsync top read the
 * section dbsync.
 */
import { totalmem } from "node:os";
import { formatFsync } from "../../options/fsync.js";
import { type ByteString, bytesOfText } from "../../protocol/byte-string.js";
import type { InspectedDaemon } from "./inspected-daemon.js";

type Fields = Readonly<Record<string, string | number>>;

/** The section that only the daemon has; a Redis of -d answers all other sections. */
export const OWN_SECTION = "dbsync";

const SECONDS_PER_DAY = 86_400;
const MICROSECONDS = 1e6;

/** The sections by name. */
const SECTIONS: Readonly<Record<string, (daemon: InspectedDaemon) => Fields>> = {
  [OWN_SECTION]: ownFields,
  server: serverFields,
  clients: clientFields,
  memory: memoryFields,
  persistence: persistenceFields,
  stats: statFields,
  replication: replicationFields,
  cpu: cpuFields,
  keyspace: keyspaceFields,
};

/** Formats sections. @param sections  names of sections; none, default, all or everything: all sections */
export function infoText(sections: readonly ByteString[], daemon: InspectedDaemon): ByteString {
  const names = new Set(sections.map((word) => word.toLowerCase()));
  const isAll = names.size === 0 || ["all", "everything", "default"].some((word) => names.has(word));
  return Object.entries(SECTIONS)
    .filter(([name]) => isAll || names.has(name))
    .map(([name, fieldsOf]) => {
      const lines = Object.entries(fieldsOf(daemon)).map(
        ([field, value]) => `${field}:${oneLine(value)}\r\n`,
      );
      return `# ${name[0]?.toUpperCase()}${name.slice(1)}\r\n${lines.join("")}`;
    })
    .join("\r\n");
}

/** Formats a value on one line; names of databases and error messages may contain line breaks. */
function oneLine(value: string | number): ByteString {
  return bytesOfText(String(value).replace(/[\r\n]+/g, " "));
}

/** Returns all fields that dbsync status and dbsync top need, so that they ask for only one section. */
function ownFields(daemon: InspectedDaemon): Fields {
  const { health, failure, metrics } = daemon;
  const { version, backends } = health();
  const reason = failure();
  const backendFields = backends.map(({ name, up }, index) => [
    `backend${index}`,
    `up=${Number(up)},name=${name}`,
  ]);
  const counts = daemon.keys()?.keyCounts.reduce((sum, { keys }) => sum + keys, 0);
  return {
    dbsync_version: version,
    node_version: process.versions.node,
    ...stateFields(daemon),
    ...(reason === null ? {} : { dbsync_failure: reason }),
    uptime_in_seconds: secondsUp(daemon),
    connected_clients: connected(daemon),
    ...countFields(daemon),
    ...(counts === undefined ? {} : { dbsync_keys: counts }),
    ...usedFields(daemon),
    ...orderFields(daemon),
    dbsync_answered: metrics.answers.counts.reduce((sum, count) => sum + count, 0),
    dbsync_answered_usec: Math.round(metrics.answers.sum * MICROSECONDS),
    dbsync_answered_usec_buckets: buckets(daemon),
    ...Object.fromEntries(backendFields),
  };
}

/** Returns the figures of the stream; `unknown` counts messages that may or may not be in the stream. */
function orderFields({ order }: InspectedDaemon): Fields {
  const figures = order();
  if (figures === null) return {};
  const { applied, behind, waiting, connections, published, trouble, lowDisk } = figures;
  const { stored, repeated, refused, unknown } = published;
  const counts = { applied, behind, waiting, connections, stored, repeated, refused, unknown };
  const pairs = Object.entries(counts).map(([name, count]) => `${name}=${count}`);
  return {
    dbsync_order: pairs.join(","),
    ...(trouble === null ? {} : { dbsync_order_trouble: trouble }),
    ...(lowDisk === null ? {} : { dbsync_disk_low: `free=${lowDisk.free},size=${lowDisk.size}` }),
  };
}

/** Formats the number of answers by maximum microseconds, such as `50=12,100=3,…,more=0`. */
function buckets({ metrics: { answers } }: InspectedDaemon): string {
  const ends = [...answers.bounds.map((bound) => Math.round(bound * MICROSECONDS)), "more"];
  return ends.map((end, index) => `${end}=${answers.counts[index] ?? 0}`).join(",");
}

function serverFields(daemon: InspectedDaemon): Fields {
  const { health, id, cluster, settings } = daemon;
  const seconds = secondsUp(daemon);
  return {
    dbsync_version: health().version,
    dbsync_daemon: id(),
    dbsync_cluster: cluster(),
    os: `${process.platform} ${process.arch}`,
    node_version: process.versions.node,
    process_id: process.pid,
    tcp_port: settings().port,
    uptime_in_seconds: seconds,
    uptime_in_days: Math.floor(seconds / SECONDS_PER_DAY),
  };
}

function clientFields(daemon: InspectedDaemon): Fields {
  const each = daemon.listeners().map(({ name, clients }) => [`clients_${name}`, [...clients].length]);
  return {
    connected_clients: connected(daemon),
    maxclients: daemon.settings().limits.maxConnections,
    ...Object.fromEntries(each),
  };
}

function memoryFields(daemon: InspectedDaemon): Fields {
  const { policy } = daemon.eviction();
  return { ...usedFields(daemon), maxmemory_policy: policy, total_system_memory: totalmem() };
}

function usedFields({ memory }: InspectedDaemon): Fields {
  const { used, limit } = memory();
  return { used_memory: used, used_memory_rss: process.memoryUsage.rss(), maxmemory: limit };
}

function persistenceFields({ settings, failure }: InspectedDaemon): Fields {
  const { data, fsync } = settings();
  if (data === null) return { aof_enabled: 0 };
  const isWritten = failure() === null;
  return {
    aof_enabled: 1,
    aof_last_write_status: isWritten ? "ok" : "err",
    dbsync_fsync: formatFsync(fsync),
  };
}

function statFields(daemon: InspectedDaemon): Fields {
  const { metrics } = daemon;
  const keys = daemon.keys();
  const opened = [...metrics.listeners.values()].reduce((sum, { connected }) => sum + connected, 0);
  const refusals: Record<string, number> = {};
  for (const counts of metrics.listeners.values())
    for (const [code, count] of Object.entries(counts.refusals))
      if (count > 0) refusals[`refused_${code}`] = (refusals[`refused_${code}`] ?? 0) + count;
  const { hits, misses } = keys?.changes.lookups ?? { hits: 0, misses: 0 };
  return {
    total_connections_received: opened,
    ...countFields(daemon),
    ...refusals,
    ...(keys === null ? {} : { expired_keys: keys.expiredKeys }),
    evicted_keys: daemon.eviction().evicted,
    ...(keys === null ? {} : { keyspace_hits: hits, keyspace_misses: misses }),
  };
}

/** Returns the numbers of answered commands, of answers that were errors, and of requests without an answer. */
function countFields({ metrics }: InspectedDaemon): Fields {
  let [commands, failed, refusals] = [0, 0, 0];
  for (const { ok, errors, refusals: reasons } of metrics.listeners.values()) {
    commands += ok + errors;
    failed += errors;
    for (const count of Object.values(reasons)) refusals += count;
  }
  return { total_commands_processed: commands, total_error_replies: failed, dbsync_refusals: refusals };
}

function replicationFields(daemon: InspectedDaemon): Fields {
  return { role: "master", connected_slaves: 0, ...stateFields(daemon) };
}

function stateFields({ health, members }: InspectedDaemon): Fields {
  const others = members();
  return { dbsync_state: health().state, ...(others === null ? {} : { dbsync_members: others }) };
}

function cpuFields(): Fields {
  const { user, system } = process.cpuUsage();
  return {
    used_cpu_sys: (system / MICROSECONDS).toFixed(6),
    used_cpu_user: (user / MICROSECONDS).toFixed(6),
  };
}

function keyspaceFields({ keys }: InspectedDaemon): Fields {
  return Object.fromEntries(
    (keys()?.keyCounts ?? []).map(({ db, keys: count, expiring, ttl }) => [
      `db${db}`,
      `keys=${count},expires=${expiring},avg_ttl=${ttl}`,
    ]),
  );
}

function secondsUp({ uptime, startedAt }: InspectedDaemon): number {
  return Math.floor((uptime() - startedAt) / 1000);
}

function connected({ metrics }: InspectedDaemon): number {
  let sum = 0;
  for (const { connections } of metrics.listeners.values()) sum += connections;
  return sum;
}
