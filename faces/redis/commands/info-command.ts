/** INFO for Redis clients: the fields of a --resp listener, its connections and its scripts. */
import {
  type InfoFields,
  type InfoValues,
  infoText,
  type OwnFields,
  sizeFields,
} from "../../../daemon/engine/info/info-text.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { type Reply, verbatim } from "../../../protocol/reply.js";
import type { Scripts } from "../scripts/scripts.js";
import type { CommandCounts } from "../session/command-counts.js";
import type { RespServer } from "../session/resp-server.js";
import type { RespSession, SessionHandler } from "../session/resp-session.js";
import { HZ_DEFAULT, percentilesOf } from "./config-settings.js";

export const infoHandlers: readonly (readonly [string, SessionHandler])[] = [["INFO", info]];

/** `INFO [section …]` */
function info(session: RespSession, [, ...sections]: readonly ByteString[]): Reply {
  return verbatim(infoText(sections, valuesOf(session), ownFields(session)));
}

/** Returns the values of this listener; its counts do not include other listeners. */
export function valuesOf({ server }: RespSession): InfoValues {
  const { environment, clients, daemon, host, path } = server;
  const { memory } = daemon;
  return {
    uptime: environment.uptime() - server.startedAt,
    now: environment.clock(),
    settings: daemon.settings,
    port: daemon.port,
    clients: clients.size,
    maxClients: host.limits.maxConnections,
    accepted: clients.total,
    commands: server.commands,
    errors: server.errorReplies,
    memory: { used: memory.used, limit: memory.bytes },
    workingMemory: memory.working.figures,
    eviction: memory,
    keys: path,
    condition: daemon.condition,
    members: daemon.members,
  };
}

/** Returns the fields that only Redis clients receive. */
function ownFields(session: RespSession): OwnFields {
  const { server } = session;
  return {
    server: () => serverFields(server),
    clients: () => clientFields(session),
    memory: () => memoryFields(session),
    stats: () => statFields(session),
    replication: () => replicationFields(server),
    commandstats: () => commandFields(session),
    latencystats: () => latencyFields(session),
    errorstats: () => errorFields(session),
  };
}

/** Returns the fields of replication, with the daemon that sentinels name if there is a sentinel. */
function replicationFields({ runId, daemon }: RespServer): InfoFields {
  const { named, replicationFields: fields } = daemon;
  const master = named?.hasSentinel ? { dbsync_sentinel_master: named.addressText ?? "-" } : {};
  return { master_replid: runId, ...fields, ...master };
}

/** Returns the fields of the server; hz has no effect here. */
function serverFields(server: RespServer): InfoFields {
  const hz = server.numberOf("hz", HZ_DEFAULT);
  return { run_id: server.runId, hz, configured_hz: hz };
}

function clientFields({ server }: RespSession): InfoFields {
  return {
    blocked_clients: server.clients.all().filter(({ isWaiting }) => isWaiting).length + server.pause.held,
    tracking_clients: server.tracking.figures.clients,
  };
}

function memoryFields({ server }: RespSession): InfoFields {
  const { used } = server.daemon.memory;
  const peak = Math.max(server.load.peakBytes, used);
  return {
    ...sizeFields("used_memory_peak", peak),
    used_memory_peak_perc: `${((100 * used) / peak).toFixed(2)}%`,
    ...scriptFields(server.scripts),
  };
}

/** Returns the fields of scripts and functions, which share one Lua state. */
function scriptFields({ luaBytes, size, textBytes, functions }: Scripts): InfoFields {
  return {
    ...sizeFields("used_memory_lua", luaBytes),
    used_memory_vm_eval: luaBytes,
    used_memory_scripts_eval: textBytes,
    number_of_cached_scripts: size,
    number_of_functions: functions.functions,
    number_of_libraries: functions.all.length,
    used_memory_vm_functions: 0,
    ...sizeFields("used_memory_vm_total", luaBytes),
    used_memory_functions: functions.bytes,
    ...sizeFields("used_memory_scripts", textBytes + functions.bytes),
  };
}

function statFields({ server }: RespSession): InfoFields {
  const { rates } = server.load;
  const tracked = server.tracking.figures;
  return {
    instantaneous_ops_per_sec: Math.round(rates.commands),
    total_net_input_bytes: server.inputBytes,
    total_net_output_bytes: server.outputBytes,
    instantaneous_input_kbps: (rates.inputBytes / 1024).toFixed(2),
    instantaneous_output_kbps: (rates.outputBytes / 1024).toFixed(2),
    rejected_connections: server.host.rejected,
    pubsub_channels: server.channels.size("channel"),
    pubsub_patterns: server.channels.size("pattern"),
    pubsubshard_channels: server.channels.size("shard"),
    tracking_total_keys: tracked.keys,
    tracking_total_items: tracked.items,
    tracking_total_prefixes: tracked.prefixes,
  };
}

function commandFields({ server }: RespSession): InfoFields {
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
function latencyFields(session: RespSession): InfoFields {
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

function errorFields({ server }: RespSession): InfoFields {
  return Object.fromEntries(
    [...server.errors].sort().map(([kind, count]) => [`errorstat_${kind}`, `count=${count}`]),
  );
}
