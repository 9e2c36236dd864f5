/**
 * What CONFIG GET and CONFIG SET know: Redis's names for settings that this daemon really has, or whose one value is true of
 * it. What can be set is a limit of the listener, and lasts until the daemon stops or reads its own configuration anew.
 */
import {
  HASH_MAX_LISTPACK_ENTRIES,
  LISTPACK_VALUE_MAX,
  SET_MAX_INTSET_ENTRIES,
  ZSET_MAX_LISTPACK_ENTRIES,
} from "../../../store/encoding-name.js";
import { LIMITS, type LimitName } from "../../limits.js";
import type { LogLevel } from "../../log.js";
import type { RespSession } from "./session.js";

/** A setting that is a limit of ours. */
export interface LimitSetting {
  readonly limit: LimitName;
  /** What Redis counts, in ours: its seconds are 1000 of our milliseconds. */
  readonly scale: number;
  /** Memory, which may be written with a unit. */
  readonly isMemory?: true;
  /** In place of a limit that nothing reaches, Redis says -1. */
  readonly mayBeNegative?: true;
}

/** A setting that is as it is. */
export type FixedSetting = (session: RespSession) => string;

export const LIMIT_SETTINGS: Readonly<Record<string, LimitSetting>> = {
  "client-query-buffer-limit": { limit: "maxQueryBytes", scale: 1, isMemory: true },
  "latency-monitor-threshold": { limit: "latencyTime", scale: 1 },
  maxclients: { limit: "maxConnections", scale: 1 },
  "proto-max-bulk-len": { limit: "maxBulkBytes", scale: 1, isMemory: true },
  "slowlog-log-slower-than": { limit: "slowlogTime", scale: 1 / 1000, mayBeNegative: true },
  "slowlog-max-len": { limit: "slowlogMost", scale: 1 },
  timeout: { limit: "respIdleTimeout", scale: 1000 },
};

const always =
  (value: string | number): FixedSetting =>
  () =>
    String(value);

const LEVELS: Readonly<Record<LogLevel, string>> = {
  ...{ silent: "warning", fatal: "warning", error: "warning", warn: "warning" },
  ...{ info: "notice", debug: "verbose", trace: "debug" },
};

export const FIXED_SETTINGS: Readonly<Record<string, FixedSetting>> = {
  aclfile: ({ host }) => host.state.daemon.settings.aclFile ?? "",
  appendfsync: ({ host }) => {
    const { fsync } = host.state.daemon.settings;
    return fsync === "always" ? fsync : fsync === "never" ? "no" : "everysec";
  },
  // What is kept is the commands.
  appendonly: ({ host }) => (host.state.daemon.settings.data === null ? "no" : "yes"),
  bind: ({ host }) => host.state.daemon.address,
  "client-output-buffer-limit": ({ host }) =>
    `normal ${host.limits.maxOutputBytes} 0 0 slave 0 0 0 pubsub 0 0 0`,
  "cluster-enabled": always("no"),
  databases: ({ host }) => String(host.path.databases),
  dir: ({ host }) => host.state.daemon.settings.data ?? "",
  "enable-debug-command": always("yes"),
  "hash-max-listpack-entries": always(HASH_MAX_LISTPACK_ENTRIES),
  "hash-max-listpack-value": always(LISTPACK_VALUE_MAX),
  "hash-max-ziplist-entries": always(HASH_MAX_LISTPACK_ENTRIES),
  "hash-max-ziplist-value": always(LISTPACK_VALUE_MAX),
  loglevel: ({ host }) => LEVELS[host.state.daemon.settings.logLevel],
  maxmemory: ({ host }) => String(host.limits.maxmemory),
  "maxmemory-policy": ({ host }) => host.state.daemon.settings.maxmemoryPolicy,
  "notify-keyspace-events": always(""),
  port: ({ host }) => String(host.state.daemon.port),
  save: always(""),
  "set-max-intset-entries": always(SET_MAX_INTSET_ENTRIES),
  "zset-max-listpack-entries": always(ZSET_MAX_LISTPACK_ENTRIES),
  "zset-max-listpack-value": always(LISTPACK_VALUE_MAX),
  "zset-max-ziplist-entries": always(ZSET_MAX_LISTPACK_ENTRIES),
  "zset-max-ziplist-value": always(LISTPACK_VALUE_MAX),
};

/** A limit as Redis would say it. */
export function limitText({ limit, scale, mayBeNegative }: LimitSetting, session: RespSession): string {
  const value = session.host.limits[limit];
  return mayBeNegative && value === Number.POSITIVE_INFINITY ? "-1" : String(Math.round(value / scale));
}

/** The bounds of a limit, as Redis would say them. */
export function boundsOf({
  limit,
  scale,
  mayBeNegative,
}: LimitSetting): readonly [least: number, most: number] {
  const { least, most } = LIMITS[limit];
  return [mayBeNegative ? -1 : Math.ceil(least / scale), Math.floor(most / scale)];
}
