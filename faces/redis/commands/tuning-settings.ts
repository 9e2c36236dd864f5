/**
 * Redis's settings for storage, cleanup, saving and replication. Existing scripts set them, so values within Redis's
 * bounds are accepted and returned by CONFIG GET, but most settings have no effect here. The encoding settings change
 * the replies of OBJECT ENCODING and the scanning of small collections. acllog-max-len, latency-tracking and
 * tcp-keepalive (for new clients) work as in Redis.
 * Names, bounds and defaults: redis-server 7.0, config.c.
 */

import { INT64_MAX } from "../../../daemon/store/arguments/number-arguments.js";
import type { EncodingLimits } from "../../../daemon/store/keyspace/encoding-name.js";
import { parseNumber, type Setting, storedNumber, storedSwitch } from "./config-setting.js";

const INT_MAX = 2 ** 31 - 1;
const UNBOUNDED = INT64_MAX;

/** The numeric settings, each with its default and bounds. */
const NUMBERS: readonly (readonly [name: string, fallback: number, min: number, max: number | bigint])[] = [
  ["acllog-max-len", 128, 0, UNBOUNDED],
  ["active-defrag-cycle-max", 25, 1, 99],
  ["active-defrag-cycle-min", 1, 1, 99],
  ["active-defrag-max-scan-fields", 1000, 1, UNBOUNDED],
  ["active-defrag-threshold-lower", 10, 0, 1000],
  ["active-defrag-threshold-upper", 100, 0, 1000],
  ["active-expire-effort", 1, 1, 10],
  ["auto-aof-rewrite-percentage", 100, 0, INT_MAX],
  ["busy-reply-threshold", 5000, 0, UNBOUNDED],
  ["lfu-decay-time", 1, 0, INT_MAX],
  ["lfu-log-factor", 10, 0, INT_MAX],
  ["list-compress-depth", 0, 0, INT_MAX],
  ["list-max-listpack-size", -2, -INT_MAX - 1, INT_MAX],
  ["maxmemory-eviction-tenacity", 10, 0, 100],
  ["maxmemory-samples", 5, 1, INT_MAX],
  ["min-replicas-max-lag", 10, 0, INT_MAX],
  ["repl-backlog-ttl", 3600, 0, UNBOUNDED],
  ["repl-diskless-sync-delay", 5, 0, INT_MAX],
  ["repl-ping-replica-period", 10, 1, INT_MAX],
  ["repl-timeout", 60, 1, INT_MAX],
  ["replica-priority", 100, 0, INT_MAX],
  ["shutdown-timeout", 10, 0, INT_MAX],
  ["tcp-keepalive", 300, 0, INT_MAX],
];

/** The settings in bytes, each with its default and bounds. */
const SIZES: typeof NUMBERS = [
  ["active-defrag-ignore-bytes", 100 * 1024 * 1024, 1, UNBOUNDED],
  ["auto-aof-rewrite-min-size", 64 * 1024 * 1024, 0, UNBOUNDED],
  ["hll-sparse-max-bytes", 3000, 0, UNBOUNDED],
  ["repl-backlog-size", 1024 * 1024, 1, UNBOUNDED],
];

/** The limits that OBJECT ENCODING uses: the name of the limit, and whether it is in bytes. */
const ENCODING: Readonly<Record<string, readonly [limit: keyof EncodingLimits, isMemory: boolean]>> = {
  "hash-max-listpack-entries": ["hashListpackEntries", false],
  "hash-max-listpack-value": ["hashListpackValue", true],
  "set-max-intset-entries": ["setIntsetEntries", false],
  "zset-max-listpack-entries": ["zsetListpackEntries", false],
  "zset-max-listpack-value": ["zsetListpackValue", true],
};

const SWITCHES: Readonly<Record<string, boolean>> = {
  activedefrag: false,
  activerehashing: true,
  "dynamic-hz": true,
  "jemalloc-bg-thread": true,
  "lazyfree-lazy-eviction": false,
  "lazyfree-lazy-expire": false,
  "lazyfree-lazy-server-del": false,
  "lazyfree-lazy-user-del": false,
  "lazyfree-lazy-user-flush": false,
  rdbcompression: true,
  "no-appendfsync-on-rewrite": false,
  "aof-use-rdb-preamble": true,
  "aof-load-truncated": true,
  "aof-rewrite-incremental-fsync": true,
  "rdb-save-incremental-fsync": true,
  "latency-tracking": true,
  "stop-writes-on-bgsave-error": true,
  "repl-diskless-sync": true,
  "repl-disable-tcp-nodelay": false,
  "replica-read-only": true,
  "replica-serve-stale-data": true,
  "crash-log-enabled": true,
};

/** The older names of settings. */
const ALIASES: Readonly<Record<string, string>> = {
  "hash-max-ziplist-entries": "hash-max-listpack-entries",
  "hash-max-ziplist-value": "hash-max-listpack-value",
  "list-max-ziplist-size": "list-max-listpack-size",
  "lua-time-limit": "busy-reply-threshold",
  "min-slaves-max-lag": "min-replicas-max-lag",
  "repl-ping-slave-period": "repl-ping-replica-period",
  "slave-priority": "replica-priority",
  "slave-read-only": "replica-read-only",
  "slave-serve-stale-data": "replica-serve-stale-data",
  "zset-max-ziplist-entries": "zset-max-listpack-entries",
  "zset-max-ziplist-value": "zset-max-listpack-value",
};

function encodingLimit(name: keyof EncodingLimits, isMemory: boolean): Setting {
  return {
    text: ({ server }) => String(server.encoding[name]),
    prepare: ({ server }, text) => {
      const value = parseNumber(text, { min: 0, max: UNBOUNDED, isMemory });
      if (typeof value === "string") return value;
      return () => {
        server.encoding = { ...server.encoding, [name]: Number(value) };
      };
    },
  };
}

const settings: Readonly<Record<string, Setting>> = Object.fromEntries([
  ...NUMBERS.map(([name, fallback, min, max]) => [name, storedNumber(name, fallback, { min, max })]),
  ...SIZES.map(([name, fallback, min, max]) => [
    name,
    storedNumber(name, fallback, { min, max, isMemory: true }),
  ]),
  ...Object.entries(ENCODING).map(([name, [limit, isMemory]]) => [name, encodingLimit(limit, isMemory)]),
  ...Object.entries(SWITCHES).map(([name, fallback]) => [name, storedSwitch(name, fallback)]),
]);

/** The bounds to which Redis changes another value of hz. */
const HZ_MIN = 1;
const HZ_MAX = 500;
export const HZ_DEFAULT = 10;

const hz: Setting = {
  text: ({ server }) => server.settings.get("hz") ?? String(HZ_DEFAULT),
  prepare: ({ server }, text) => {
    const value = parseNumber(text, { min: 0, max: INT_MAX });
    if (typeof value === "string") return value;
    const clamped = Math.min(HZ_MAX, Math.max(HZ_MIN, Number(value)));
    return () => server.settings.set("hz", String(clamped));
  },
};

export const TUNING_SETTINGS: Readonly<Record<string, Setting>> = {
  ...settings,
  hz,
  ...Object.fromEntries(Object.entries(ALIASES).map(([alias, name]) => [alias, settings[name] as Setting])),
};
