/**
 * INFO, for Redis clients and in signed envelopes. Each of the two is a source, which adds the fields that only it
 * knows. Fields that Redis also has keep Redis's names.
 */
import { availableParallelism, release, totalmem, type } from "node:os";
import { type ByteString, bytesOfText } from "../../../protocol/byte-string.js";
import { acceptsWrites, DAEMON_STATES, type DaemonCondition } from "../../../protocol/daemon-states.js";
import type { Figures } from "../../../protocol/figures/figure.js";
import { infoFields, STATE_FIGURES } from "../../../protocol/figures/info-figures.js";
import { REDIS_VERSION } from "../../../protocol/resp/redis-version.js";
import { version } from "../../net/process/version.js";
import type { Settings } from "../../options/settings.js";
import { formatFsync } from "../../options/timeline-values.js";
import type { KeyCounts } from "../backends/key-counts.js";
import type { WorkingMemoryFigures } from "../backends/working-memory.js";

export type InfoFields = Readonly<Record<string, string | number>>;

/** The values of the fields that every source reports. Times are in milliseconds, sizes in bytes. */
export interface InfoValues {
  /** The time since the start. */
  readonly uptime: number;
  /** The current time since 1970. */
  readonly now: number;
  readonly settings: Pick<Settings, "data" | "fsync">;
  readonly port: number;
  /** Number of connections, its limit, and number of connections since the start. */
  readonly clients: number;
  readonly maxClients: number;
  readonly accepted: number;
  /** Number of answered commands, and how many of the answers were errors. */
  readonly commands: number;
  readonly errors: number;
  /** The memory in use; `limit` 0: no limit. */
  readonly memory: { readonly used: number; readonly limit: number };
  /** The working memory of queries. */
  readonly workingMemory: WorkingMemoryFigures;
  readonly eviction: { readonly policy: string; readonly evicted: number };
  /** The keys, or null if they are not in this daemon's memory. */
  readonly keys: InfoKeys | null;
  /** The daemon's state. */
  readonly condition: DaemonCondition;
  /** Number of connected members, or null if the daemon has no peers. */
  readonly members: number | null;
}

interface InfoKeys {
  /** Counts of the databases that are not empty. */
  readonly keyCounts: readonly KeyCounts[];
  readonly expiredKeys: number;
  /** Lookups of keys by reading commands; null if other daemons have the keys and count them. */
  readonly changes: { readonly lookups: { readonly hits: number; readonly misses: number } } | null;
}

/** The fields that only one source has, by the section's name. They follow the section's common fields. */
export type OwnFields = Readonly<Partial<Record<SectionName, () => InfoFields>>>;

interface Section {
  readonly title: string;
  /** Whether only `all`, `everything` and the section's name select the section. */
  readonly isUnusual?: true;
  /** The common fields; absent if only a source can have the section. */
  readonly fields?: (values: InfoValues) => InfoFields;
}

type SectionName =
  | "dbsync"
  | "server"
  | "clients"
  | "memory"
  | "persistence"
  | "stats"
  | "replication"
  | "cpu"
  | "modules"
  | "commandstats"
  | "latencystats"
  | "errorstats"
  | "cluster"
  | "keyspace";

const MS_PER_SECOND = 1000;
const SECONDS_PER_DAY = 86_400;
const MICROSECONDS_PER_MS = 1000;
const MICROSECONDS_PER_SECOND = 1e6;

/** Redis's clock for the use of keys is the low 24 bits of the Unix time in seconds. */
const LRU_CLOCK_MAX = 0xff_ffff;

/** The sections in the order of the text. Redis clients may depend on Redis's order. */
const SECTIONS: Readonly<Record<SectionName, Section>> = {
  dbsync: { title: "Dbsync" },
  server: { title: "Server", fields: serverFields },
  clients: { title: "Clients", fields: clientFields },
  memory: { title: "Memory", fields: memoryFields },
  persistence: { title: "Persistence", fields: persistenceFields },
  stats: { title: "Stats", fields: statFields },
  replication: { title: "Replication", fields: replicationFields },
  cpu: { title: "CPU", fields: cpuFields },
  modules: { title: "Modules", fields: () => ({}) },
  commandstats: { title: "Commandstats", isUnusual: true },
  latencystats: { title: "Latencystats", isUnusual: true },
  errorstats: { title: "Errorstats" },
  cluster: { title: "Cluster", fields: () => ({ cluster_enabled: 0 }) },
  keyspace: { title: "Keyspace", fields: keyspaceFields },
};

/**
 * Formats sections.
 * @param sections  names of sections, or all, everything or default; none: default. Unknown names select nothing
 */
export function infoText(sections: readonly ByteString[], values: InfoValues, own: OwnFields): ByteString {
  const names = new Set(sections.map((word) => word.toLowerCase()));
  const isAll = names.has("all") || names.has("everything");
  const isUsual = names.size === 0 || names.has("default");

  return (Object.entries(SECTIONS) as [SectionName, Section][])
    .filter(([name, { isUnusual, fields }]) => {
      const isKnown = fields !== undefined || own[name] !== undefined;
      return isKnown && (isAll || names.has(name) || (isUsual && !isUnusual));
    })
    .map(([name, { title, fields }]) => {
      const lines = Object.entries({ ...fields?.(values), ...own[name]?.() }).map(lineOf);
      return `# ${title}\r\n${lines.join("")}`;
    })
    .join("\r\n");
}

/** Formats a field on one line; names of databases and error messages may contain line breaks. */
function lineOf([name, value]: [ByteString, string | number]): ByteString {
  return `${name}:${bytesOfText(String(value))}`.replace(/[\r\n]+/g, " ").concat("\r\n");
}

/** Formats a size as Redis does: 1.50M. */
function human(bytes: number): string {
  const power = bytes < 1024 ? 0 : Math.min(4, Math.floor(Math.log2(bytes) / 10));
  return power === 0 ? `${bytes}B` : `${(bytes / 1024 ** power).toFixed(2)}${"BKMGT"[power]}`;
}

/** Returns a size in bytes, and as Redis shows it to people. */
export function sizeFields(name: string, bytes: number): InfoFields {
  return { [name]: bytes, [`${name}_human`]: human(bytes) };
}

function serverFields({ uptime, now, port }: InfoValues): InfoFields {
  const seconds = Math.floor(uptime / MS_PER_SECOND);
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
    tcp_port: port,
    server_time_usec: Math.round(now * MICROSECONDS_PER_MS),
    uptime_in_seconds: seconds,
    uptime_in_days: Math.floor(seconds / SECONDS_PER_DAY),
    lru_clock: Math.floor(now / MS_PER_SECOND) & LRU_CLOCK_MAX,
    executable: process.execPath,
    config_file: "",
    available_cpus: availableParallelism(),
  };
}

function clientFields({ clients, maxClients }: InfoValues): InfoFields {
  return { connected_clients: clients, maxclients: maxClients };
}

function memoryFields({ memory: { used, limit }, workingMemory, eviction }: InfoValues): InfoFields {
  const { rss, heapTotal, external } = process.memoryUsage();
  return {
    ...sizeFields("used_memory", used),
    ...sizeFields("used_memory_rss", rss),
    allocator_allocated: used,
    allocator_active: heapTotal + external,
    ...sizeFields("total_system_memory", totalmem()),
    ...sizeFields("maxmemory", limit),
    maxmemory_policy: eviction.policy,
    working_memory_used: workingMemory.used,
    working_memory_peak: workingMemory.peak,
    working_memory_limit: workingMemory.limit,
    working_memory_waiting: workingMemory.waiting,
    mem_fragmentation_ratio: (rss / used).toFixed(2),
    mem_allocator: "v8",
    lazyfree_pending_objects: 0,
  };
}

/**
 * Returns the persistence fields. Acknowledged writes are on disk as --fsync requires, and nothing waits to be saved.
 */
function persistenceFields(values: InfoValues): InfoFields {
  const { data, fsync } = values.settings;
  const { state } = values.condition;
  return {
    // Redis clients wait while this is 1. Reads are answered meanwhile.
    loading: Number(state === "catching-up"),
    rdb_changes_since_last_save: 0,
    rdb_bgsave_in_progress: 0,
    rdb_last_save_time: lastSave(values),
    rdb_last_bgsave_status: "ok",
    aof_enabled: Number(data !== null),
    aof_rewrite_in_progress: 0,
    aof_last_write_status: state === "storage-failed" ? "err" : "ok",
    ...(data === null ? {} : { dbsync_fsync: formatFsync(fsync) }),
  };
}

/**
 * Returns when the current state was saved, in Unix seconds: now with --data; otherwise the last saved state is the
 * empty state at the start.
 */
export function lastSave({ now, uptime, settings }: InfoValues): number {
  return Math.floor((settings.data === null ? now - uptime : now) / MS_PER_SECOND);
}

function statFields({ accepted, commands, errors, keys, eviction }: InfoValues): InfoFields {
  const lookups = keys?.changes?.lookups ?? null;
  return {
    total_connections_received: accepted,
    total_commands_processed: commands,
    total_error_replies: errors,
    expired_keys: keys?.expiredKeys ?? 0,
    evicted_keys: eviction.evicted,
    ...(lookups === null ? {} : { keyspace_hits: lookups.hits, keyspace_misses: lookups.misses }),
  };
}

/**
 * Returns the replication fields. A daemon that accepts no writes is shown as a replica without its master, so that
 * clients write to another daemon.
 */
function replicationFields(values: InfoValues): InfoFields {
  const { state } = values.condition;
  const replica = { role: "slave", master_link_status: "down", slave_read_only: 1 };
  return {
    ...(acceptsWrites(state) ? { role: "master" } : replica),
    connected_slaves: 0,
    master_failover_state: "no-failover",
    master_repl_offset: 0,
    ...infoFields(STATE_FIGURES, stateFigures(values)),
  };
}

export function stateFigures({
  condition: { state, reason },
  members,
}: InfoValues): Figures<typeof STATE_FIGURES> {
  const writes = DAEMON_STATES[state].refusal ?? "accepted";
  return { state, writes, reason: reason === "" ? null : reason, members };
}

function cpuFields(): InfoFields {
  const { user, system } = process.cpuUsage();
  return {
    used_cpu_sys: (system / MICROSECONDS_PER_SECOND).toFixed(6),
    used_cpu_user: (user / MICROSECONDS_PER_SECOND).toFixed(6),
  };
}

function keyspaceFields({ keys }: InfoValues): InfoFields {
  return Object.fromEntries(
    (keys?.keyCounts ?? []).map(({ db, keys: count, expiring, ttl }) => [
      `db${db}`,
      `keys=${count},expires=${expiring},avg_ttl=${ttl}`,
    ]),
  );
}
