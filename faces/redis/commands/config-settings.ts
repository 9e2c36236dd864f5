/**
 * The kinds of settings of CONFIG GET and CONFIG SET, and the settings for lists, storage, cleanup, saving and
 * replication. Names, forms, bounds, defaults and texts: redis-server 7.0, config.c, notify.c.
 */

import { parseEventFlags } from "../../../daemon/options/event-flags.js";
import { LIMITS, type LimitName } from "../../../daemon/options/limits.js";
import { INT64_MAX, parseInteger } from "../../../daemon/store/arguments/number-arguments.js";
import type { EncodingLimits } from "../../../daemon/store/keyspace/encoding-name.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { RespSession } from "../session/resp-session.js";

export interface Setting {
  /** Returns the value for CONFIG GET. */
  readonly text: (session: RespSession) => ByteString;
  /**
   * Returns a function that sets the value, to be called once the complete CONFIG SET has been checked. If the value is
   * invalid, returns an error message instead.
   */
  readonly prepare: (session: RespSession, value: ByteString) => (() => void) | string;
}

/** A setting that corresponds to one of our limits. */
export interface LimitSetting {
  readonly limit: LimitName;
  /** The number of our units in one unit of Redis: 1000 if we count milliseconds and Redis counts seconds. */
  readonly scale: number;
  /** Whether the value is an amount of memory, which may have a unit. */
  readonly isMemory?: true;
  /** Whether Redis writes -1 for no limit. */
  readonly mayBeNegative?: true;
}

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 1000,
  kb: 1024,
  m: 1000 ** 2,
  mb: 1024 ** 2,
  g: 1000 ** 3,
  gb: 1024 ** 3,
};

/** Parses a number of bytes, with or without one of Redis's units; returns undefined if the text is invalid. */
export function parseMemory(text: ByteString): number | undefined {
  const [, digits, unit = ""] = /^(\d{1,15})([a-z]{0,2})$/i.exec(text) ?? [];
  const factor = UNITS[unit.toLowerCase()];
  return digits === undefined || factor === undefined ? undefined : Number(digits) * factor;
}

interface NumberBounds {
  readonly min: number | bigint;
  readonly max: number | bigint;
  readonly isMemory?: boolean;
}

/** Parses a number within bounds. If the text is invalid, returns an error message instead. */
function parseNumber(text: ByteString, { min, max, isMemory }: NumberBounds): number | bigint | string {
  const value = isMemory === true ? parseMemory(text) : parseInteger(text);
  if (value === undefined)
    return isMemory === true
      ? "argument must be a memory value"
      : "argument couldn't be parsed into an integer";
  return value < min || value > max ? `argument must be between ${min} and ${max} inclusive` : value;
}

export function limit({ limit: name, scale, isMemory = undefined, mayBeNegative }: LimitSetting): Setting {
  return {
    text: ({ server }) => {
      const value = server.host.limits[name];
      return mayBeNegative && value === Number.POSITIVE_INFINITY ? "-1" : String(Math.round(value / scale));
    },
    prepare: ({ server }, text) => {
      const { min, max } = server.daemon.settings.table.limits[name];
      const value = parseNumber(text, {
        min: mayBeNegative === true ? -1 : Math.ceil(min / scale),
        max: Math.floor(max / scale),
        isMemory: isMemory === true,
      });
      if (typeof value === "string") return value;

      const changed = value < 0 ? Number.POSITIVE_INFINITY : Number(value) * scale;
      return () => {
        server.host.limits = { ...server.host.limits, [name]: changed };
      };
    },
  };
}

/** Creates a setting with a fixed value; CONFIG SET accepts only that value, and otherwise returns the reason. */
export function fixed(text: Setting["text"], reason = "can't set immutable config"): Setting {
  const nothing = () => {};
  return {
    text,
    prepare: (session, value) => (text(session) === value ? nothing : reason),
  };
}

/** Creates a numeric setting that CONFIG SET stores and CONFIG GET returns, without any other effect. */
export function storedNumber(name: string, fallback: number, bounds: NumberBounds): Setting {
  return {
    text: ({ server }) => server.settings.get(name) ?? String(fallback),
    prepare: ({ server }, text) => {
      const value = parseNumber(text, bounds);
      return typeof value === "string" ? value : () => server.settings.set(name, String(value));
    },
  };
}

/** Creates a yes/no setting that CONFIG SET stores and CONFIG GET returns, without any other effect. */
export function storedSwitch(name: string, fallback: boolean): Setting {
  return {
    text: ({ server }) => server.settings.get(name) ?? (fallback ? "yes" : "no"),
    prepare: ({ server }, text) => {
      const word = text.toLowerCase();
      if (word !== "yes" && word !== "no") return "argument must be 'yes' or 'no'";
      return () => server.settings.set(name, word);
    },
  };
}

export const notifyKeyspaceEvents: Setting = {
  text: ({ server }) => server.notices.flags.text,
  prepare: ({ server: { notices } }, value) => {
    try {
      const flags = parseEventFlags(value);
      if (!notices.isPossible && flags.text !== "")
        return "the keys are on other daemons, which do not report their events";
      return () => {
        notices.flags = flags;
      };
    } catch (problem) {
      return (problem as RangeError).message;
    }
  },
};

const CLASSES = ["normal", "slave", "pubsub"] as const;
const CLASS_NAMES: ReadonlyMap<string, (typeof CLASSES)[number]> = new Map<string, (typeof CLASSES)[number]>(
  Object.entries({
    normal: "normal",
    slave: "slave",
    replica: "slave",
    pubsub: "pubsub",
  }),
);
/** The limits of a client class in bytes. The soft limit may be exceeded for the given number of seconds. */
type Bounds = readonly [hard: number, soft: number, seconds: number];

const OUTPUT = "client-output-buffer-limit";

function outputBounds({ server }: RespSession): Record<(typeof CLASSES)[number], Bounds> {
  const numbers = (server.settings.get(OUTPUT) ?? "").match(/\d+/g)?.map(Number) ?? [];
  const of = (index: number): Bounds => [
    numbers[3 * index] ?? 0,
    numbers[3 * index + 1] ?? 0,
    numbers[3 * index + 2] ?? 0,
  ];
  const normal = of(0);
  const hard = server.settings.has(OUTPUT) && normal[0] === 0 ? 0 : server.host.limits.maxOutputBytes;
  return { normal: [hard, normal[1], normal[2]], slave: of(1), pubsub: of(2) };
}

const boundsText = (all: ReturnType<typeof outputBounds>): ByteString =>
  CLASSES.map((name) => `${name} ${all[name].join(" ")}`).join(" ");

/**
 * The output limits. Only the hard limit of normal clients has an effect; 0, which is Redis's default, changes nothing.
 */
export const clientOutputBufferLimit: Setting = {
  text: (session) => boundsText(outputBounds(session)),
  prepare: (session, value) => {
    const { server } = session;
    const words = value.split(" ").filter((word) => word !== "");
    if (words.length % 4 !== 0) return "Wrong number of arguments in buffer limit configuration.";

    const all = outputBounds(session);
    for (let at = 0; at < words.length; at += 4) {
      const name = CLASS_NAMES.get(words[at]?.toLowerCase() ?? "");
      if (name === undefined) return "Invalid client class specified in buffer limit configuration.";
      const hard = parseMemory(words[at + 1] ?? "");
      const soft = parseMemory(words[at + 2] ?? "");
      const seconds = Number(words[at + 3]);
      if (hard === undefined || soft === undefined || !Number.isSafeInteger(seconds) || seconds < 0)
        return "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
      all[name] = [hard, soft, seconds];
    }

    const { min, max } = LIMITS.maxOutputBytes;
    const [hard] = all.normal;
    if (hard !== 0 && (hard < min || hard > max))
      return `the hard limit of normal clients must be 0, or between ${min} and ${max}`;

    return () => {
      server.settings.set(OUTPUT, boundsText(all));
      if (hard !== 0) server.host.limits = { ...server.host.limits, maxOutputBytes: hard };
    };
  },
};

/** The save intervals. They have no effect: acknowledged writes are on disk, and nothing is saved at intervals. */
export const save: Setting = {
  text: ({ server }) => server.settings.get("save") ?? "",
  prepare: ({ server }, value) => {
    const words = value.split(" ").filter((word) => word !== "");
    const isValid =
      words.length % 2 === 0 &&
      words.every((word, i) => /^\d{1,9}$/.test(word) && (i % 2 === 1 || Number(word) > 0));
    return isValid ? () => server.settings.set("save", words.join(" ")) : "Invalid save parameters";
  },
};

/** The percentiles in INFO latencystats. */
export const PERCENTILES = "latency-tracking-info-percentiles";
const PERCENTILES_DEFAULT = "50 99 99.9";

export function percentilesOf({ server }: RespSession): readonly ByteString[] {
  return (server.settings.get(PERCENTILES) ?? PERCENTILES_DEFAULT).split(" ").filter((one) => one !== "");
}

export const latencyPercentiles: Setting = {
  text: (session) => percentilesOf(session).join(" "),
  prepare: ({ server }, value) => {
    const words = value.split(" ").filter((word) => word !== "");
    if (words.some((word) => !/^\d+(\.\d+)?$/.test(word) || Number(word) > 100))
      return `${PERCENTILES} parameters should sit between [0.0,100.0]`;
    return () => server.settings.set(PERCENTILES, words.map((word) => String(Number(word))).join(" "));
  },
};

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
