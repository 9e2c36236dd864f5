/**
 * Implements INFO, by sections, for clients and dashboards. INFO has every field of Redis whose value is known or
 * obvious here.
 */
import { availableParallelism, release, totalmem, type } from "node:os";
import type { Scripts } from "../../../engine/scripts/scripts.js";
import { version } from "../../../net/process/version.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { type Reply, verbatim } from "../../../protocol/reply.js";
import { REDIS_VERSION } from "../../../protocol/resp/redis-version.js";
import type { CommandCounts } from "../session/command-counts.js";
import type { RespSession, SessionHandler } from "../session/resp-session.js";
import { percentilesOf } from "./config-lists.js";

type Fields = Readonly<Record<string, string | number>>;

interface Section {
  readonly title: string;
  /** Whether INFO without arguments contains the section. */
  readonly isUsual: boolean;
  readonly fields: (session: RespSession) => Fields;
}

const SECONDS_PER_DAY = 86_400;

/** The sections by their names in INFO's arguments. */
const SECTIONS: Readonly<Record<string, Section>> = {
  server: { title: "Server", isUsual: true, fields: serverFields },
  clients: { title: "Clients", isUsual: true, fields: clientFields },
  memory: { title: "Memory", isUsual: true, fields: memoryFields },
  persistence: { title: "Persistence", isUsual: true, fields: persistenceFields },
  stats: { title: "Stats", isUsual: true, fields: statFields },
  replication: { title: "Replication", isUsual: true, fields: replicationFields },
  cpu: { title: "CPU", isUsual: true, fields: cpuFields },
  modules: { title: "Modules", isUsual: true, fields: () => ({}) },
  commandstats: { title: "Commandstats", isUsual: false, fields: commandFields },
  latencystats: { title: "Latencystats", isUsual: false, fields: latencyFields },
  errorstats: { title: "Errorstats", isUsual: true, fields: errorFields },
  cluster: { title: "Cluster", isUsual: true, fields: () => ({ cluster_enabled: 0 }) },
  keyspace: { title: "Keyspace", isUsual: true, fields: keyspaceFields },
};

export const infoHandlers: readonly (readonly [string, SessionHandler])[] = [["INFO", info]];

/** `INFO [section …]` */
function info(session: RespSession, argv: readonly ByteString[]): Reply {
  const words = new Set(argv.slice(1).map((word) => word.toLowerCase()));
  const isAll = words.has("all") || words.has("everything");
  const isUsual = words.size === 0 || words.has("default");
  const chosen = Object.entries(SECTIONS).filter(
    ([name, section]) => isAll || words.has(name) || (isUsual && section.isUsual),
  );
  return verbatim(chosen.map(([, section]) => text(section, session)).join("\r\n"));
}

function text({ title, fields }: Section, session: RespSession): ByteString {
  const lines = Object.entries(fields(session)).map(([name, value]) => `${name}:${value}\r\n`);
  return `# ${title}\r\n${lines.join("")}`;
}

function serverFields({ server }: RespSession): Fields {
  const { environment } = server;
  const seconds = Math.floor((environment.uptime() - server.startedAt) / 1000);
  return {
    redis_version: REDIS_VERSION,
    // A Redis that was not built from a repository shows these values.
    redis_git_sha1: "00000000",
    redis_git_dirty: 0,
    dbsync_version: version,
    redis_mode: "standalone",
    os: `${type()} ${release()} ${process.arch}`,
    arch_bits: 64,
    node_version: process.versions.node,
    process_id: process.pid,
    run_id: server.runId,
    tcp_port: server.daemon.port,
    server_time_usec: Math.round(environment.clock() * 1000),
    uptime_in_seconds: seconds,
    uptime_in_days: Math.floor(seconds / SECONDS_PER_DAY),
    executable: process.execPath,
    config_file: "",
    available_cpus: availableParallelism(),
  };
}

function clientFields({ server }: RespSession): Fields {
  const { clients } = server;
  return {
    connected_clients: clients.size,
    maxclients: server.host.limits.maxConnections,
    blocked_clients: clients.all().filter(({ isWaiting }) => isWaiting).length + server.pause.held,
    tracking_clients: server.tracking.figures.clients,
  };
}

function memoryFields({ server }: RespSession): Fields {
  const { bytes: maxmemory, policy, used } = server.daemon.memory;
  const { rss, heapTotal, external } = process.memoryUsage();
  const total = totalmem();
  const peak = Math.max(server.load.peakBytes, used);
  return {
    used_memory: used,
    used_memory_human: human(used),
    used_memory_peak: peak,
    used_memory_peak_human: human(peak),
    used_memory_peak_perc: `${((100 * used) / peak).toFixed(2)}%`,
    used_memory_rss: rss,
    used_memory_rss_human: human(rss),
    allocator_allocated: used,
    allocator_active: heapTotal + external,
    total_system_memory: total,
    total_system_memory_human: human(total),
    maxmemory,
    maxmemory_human: human(maxmemory),
    ...scriptFields(server.scripts),
    maxmemory_policy: policy,
    mem_fragmentation_ratio: (rss / used).toFixed(2),
    mem_allocator: "v8",
    lazyfree_pending_objects: 0,
  };
}

/** Returns the fields of scripts and functions, which share one Lua state. */
function scriptFields({ luaBytes, size, textBytes, functions }: Scripts): Fields {
  return {
    used_memory_lua: luaBytes,
    used_memory_vm_eval: luaBytes,
    used_memory_lua_human: human(luaBytes),
    used_memory_scripts_eval: textBytes,
    number_of_cached_scripts: size,
    number_of_functions: functions.functions,
    number_of_libraries: functions.all.length,
    used_memory_vm_functions: 0,
    used_memory_vm_total: luaBytes,
    used_memory_vm_total_human: human(luaBytes),
    used_memory_functions: functions.bytes,
    used_memory_scripts: textBytes + functions.bytes,
    used_memory_scripts_human: human(textBytes + functions.bytes),
  };
}

/** Formats a size as Redis does: 1.50M. */
function human(bytes: number): string {
  const power = bytes < 1024 ? 0 : Math.min(4, Math.floor(Math.log2(bytes) / 10));
  return power === 0 ? `${bytes}B` : `${(bytes / 1024 ** power).toFixed(2)}${"BKMGT"[power]}`;
}

/**
 * Returns the persistence fields. Acknowledged writes are on disk as --fsync requires, and nothing waits to be saved.
 */
function persistenceFields({ server }: RespSession): Fields {
  const { daemon, seconds } = server;
  const hasDataFolder = daemon.settings.data !== null;
  return {
    // Always 0, the value that clients wait for, because the daemon serves reads even while its data is incomplete or
    // after writes have failed.
    loading: 0,
    ...(hasDataFolder ? { aof_last_write_status: daemon.failure === null ? "ok" : "err" } : {}),
    rdb_changes_since_last_save: 0,
    rdb_bgsave_in_progress: 0,
    ...(hasDataFolder ? { rdb_last_save_time: seconds } : {}),
    aof_enabled: hasDataFolder ? 1 : 0,
    aof_rewrite_in_progress: 0,
  };
}

function statFields(session: RespSession): Fields {
  const { server } = session;
  const { rates } = server.load;
  const tracked = server.tracking.figures;
  return {
    total_connections_received: server.clients.total,
    total_commands_processed: server.commands,
    instantaneous_ops_per_sec: Math.round(rates.commands),
    total_net_input_bytes: server.inputBytes,
    total_net_output_bytes: server.outputBytes,
    instantaneous_input_kbps: (rates.inputBytes / 1024).toFixed(2),
    instantaneous_output_kbps: (rates.outputBytes / 1024).toFixed(2),
    rejected_connections: server.host.rejected,
    expired_keys: server.path.expiredKeys,
    evicted_keys: server.daemon.memory.evicted,
    ...lookupFields(session),
    pubsub_channels: server.channels.size("channel"),
    pubsub_patterns: server.channels.size("pattern"),
    pubsubshard_channels: server.channels.size("shard"),
    tracking_total_keys: tracked.keys,
    tracking_total_items: tracked.items,
    tracking_total_prefixes: tracked.prefixes,
    total_error_replies: server.errorReplies,
  };
}

/**
 * Returns the number of reads that found their key, and of reads that did not. If other daemons have the keys, those
 * daemons count the reads, and no fields are returned here.
 */
function lookupFields({ server }: RespSession): Fields {
  const { changes } = server.path;
  if (changes === null) return {};
  const { hits, misses } = changes.lookups;
  return { keyspace_hits: hits, keyspace_misses: misses };
}

/** Returns the replication fields. Every daemon accepts writes; its peers are not replicas in Redis's sense. */
function replicationFields({ server }: RespSession): Fields {
  const { daemon, runId } = server;
  return {
    role: "master",
    connected_slaves: 0,
    master_failover_state: "no-failover",
    master_replid: runId,
    master_repl_offset: 0,
    dbsync_state: daemon.state,
    dbsync_members: daemon.members,
    ...jsonFields(daemon.jsonReplicas),
  };
}

/** Returns the fields of the servers of --json-replica. */
function jsonFields(figures: RespSession["server"]["daemon"]["jsonReplicas"]): Fields {
  if (figures === null) return {};
  const rows = figures.servers.map(({ replica, missing, refused, different, ...server }, index) => [
    `json_replica${index}`,
    `server=${replica},state=${stateOf(server)},missing_documents=${missing},refused_documents=${refused},different_documents=${different}`,
  ]);
  return { json_ready: Number(figures.isReady), ...Object.fromEntries(rows) };
}

/** Returns the state of a server. `dbsyncd`: the server is not an original, and receives no writes. */
function stateOf({
  isConnected,
  isDbsyncd,
}: {
  readonly isConnected: boolean;
  readonly isDbsyncd: boolean;
}): string {
  return isDbsyncd ? "dbsyncd" : isConnected ? "online" : "away";
}

function cpuFields(): Fields {
  const { user, system } = process.cpuUsage();
  return { used_cpu_sys: (system / 1e6).toFixed(6), used_cpu_user: (user / 1e6).toFixed(6) };
}

function commandFields({ server }: RespSession): Fields {
  const called = [...server.counts].filter(([, { calls, rejected }]) => calls + rejected > 0);
  return Object.fromEntries(
    called.map(([{ name }, { calls, microseconds, rejected, failed }]) => [
      `cmdstat_${name.toLowerCase()}`,
      `calls=${calls},usec=${microseconds},usec_per_call=${(calls === 0 ? 0 : microseconds / calls).toFixed(2)},` +
        `rejected_calls=${rejected},failed_calls=${failed}`,
    ]),
  );
}

/** Returns latency percentiles, rounded up to a power of two. */
function latencyFields(session: RespSession): Fields {
  const { server } = session;
  if (server.settings.get("latency-tracking") === "no") return {};
  const percentiles = percentilesOf(session);
  const shown = (counts: CommandCounts) =>
    percentiles.map((one) => `p${one}=${counts.percentile(Number(one) / 100).toFixed(3)}`).join(",");
  return Object.fromEntries(
    [...server.counts]
      .filter(([, { calls }]) => calls > 0)
      .map(([{ name }, counts]) => [`latency_percentiles_usec_${name.toLowerCase()}`, shown(counts)]),
  );
}

function errorFields({ server }: RespSession): Fields {
  return Object.fromEntries(
    [...server.errors].sort().map(([kind, count]) => [`errorstat_${kind}`, `count=${count}`]),
  );
}

function keyspaceFields({ server }: RespSession): Fields {
  return Object.fromEntries(
    server.path.keyCounts.map(({ db, keys, expiring, ttl }) => [
      `db${db}`,
      `keys=${keys},expires=${expiring},avg_ttl=${ttl}`,
    ]),
  );
}
