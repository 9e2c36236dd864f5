/**
 * CONFIG GET, SET, RESETSTAT and REWRITE, and their settings: settings of the daemon under Redis's names, settings with
 * only one possible value, and settings without effect here. A changed value lasts until the daemon stops or reads its
 * own configuration again. Texts: redis-server 7.0.
 */
import type { LogLevel } from "../../../daemon/net/process/log-settings.js";
import { StartError } from "../../../daemon/net/process/service.js";
import { custom, syntaxError } from "../../../daemon/store/arguments/command-errors.js";
import { INT64_MAX } from "../../../daemon/store/arguments/number-arguments.js";
import { globMatches, lowerPattern } from "../../../daemon/store/patterns/glob.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { bulk, map, OK, type Reply } from "../../../protocol/reply.js";
import { requirePasswords } from "../../users/read-users.js";
import { DEFAULT_USER } from "../../users/users.js";
import type { RespSession, SessionHandler } from "../session/resp-session.js";
import { TRACKED_KEYS_MAX } from "../session/tracking-table.js";
import { NODE_ENTRIES } from "../store/commands/streams/stream-trimming.js";
import {
  clientOutputBufferLimit,
  fixed,
  latencyPercentiles,
  limit,
  notifyKeyspaceEvents,
  PERCENTILES,
  parseMemory,
  type Setting,
  save,
  storedNumber,
  storedSwitch,
  TUNING_SETTINGS,
} from "./config-settings.js";

export const configHandlers: readonly (readonly [string, SessionHandler])[] = [
  ["CONFIG|GET", get],
  ["CONFIG|RESETSTAT", resetStat],
  [
    "CONFIG|REWRITE",
    () => {
      throw custom("ERR The server has no config file that it may write");
    },
  ],
  ["CONFIG|SET", setAll],
];

/** `CONFIG GET pattern [pattern …]` */
function get(session: RespSession, argv: readonly ByteString[]): Reply {
  const patterns = argv.slice(2).map(lowerPattern);
  const found = Object.entries(SETTINGS).filter(([name]) =>
    patterns.some((pattern) => globMatches(pattern, name)),
  );
  // The reply repeats each name as the client spelled it.
  const spellings = new Map(argv.slice(2).map((name) => [name.toLowerCase(), name]));
  return map(found.flatMap(([name, { text }]) => [bulk(spellings.get(name) ?? name), bulk(text(session))]));
}

/** `CONFIG SET name value [name value …]`. It sets either all values or none. */
function setAll(session: RespSession, argv: readonly ByteString[]): Reply {
  if (argv.length % 2 === 1) throw syntaxError();
  const names = argv.filter((_, i) => i >= 2 && i % 2 === 0);
  const seen = new Set<string>();
  const settings = names.map((name) => {
    const known = name.toLowerCase();
    if (!Object.hasOwn(SETTINGS, known))
      throw custom(`ERR Unknown option or number of arguments for CONFIG SET - '${name}'`);
    return SETTINGS[known] as Setting;
  });
  const steps: (() => void)[] = [];
  for (const [i, setting] of settings.entries()) {
    const name = names[i] as ByteString;
    if (seen.has(name.toLowerCase())) throw refusal(name, "duplicate parameter");
    seen.add(name.toLowerCase());
    const step = setting.prepare(session, argv[2 * i + 3] as ByteString);
    if (typeof step === "string") throw refusal(name, step);
    steps.push(step);
  }

  for (const step of steps) step();
  return OK;
}

function refusal(name: ByteString, problem: string) {
  return custom(`ERR CONFIG SET failed (possibly related to argument '${name}') - ${problem}`);
}

function resetStat({ server }: RespSession): Reply {
  server.resetCounts();
  if (server.path.changes !== null) Object.assign(server.path.changes.lookups, { hits: 0, misses: 0 });
  server.host.rejected = 0;
  return OK;
}

const LEVELS: Readonly<Record<LogLevel, string>> = {
  silent: "warning",
  fatal: "warning",
  error: "warning",
  warn: "warning",
  info: "notice",
  debug: "verbose",
  trace: "debug",
};

const REDIS_LEVELS: ReadonlyMap<string, LogLevel> = new Map<string, LogLevel>(
  Object.entries({
    debug: "trace",
    verbose: "debug",
    notice: "info",
    warning: "warn",
  }),
);

const loglevel: Setting = {
  text: ({ server }) => LEVELS[server.daemon.logLevel],
  prepare: ({ server }, value) => {
    const level = REDIS_LEVELS.get(value.toLowerCase());
    if (level === undefined)
      return `argument(s) must be one of the following: ${[...REDIS_LEVELS.keys()].join(", ")}`;
    return () => {
      server.daemon.logLevel = level;
    };
  },
};

/**
 * Whether Redis persists commands. The setting has no effect here: with a data folder commands are always stored.
 * CONFIG GET returns the value that was set.
 */
const appendonly: Setting = {
  ...storedSwitch("appendonly", false),
  text: ({ server }) =>
    server.settings.get("appendonly") ?? (server.daemon.settings.data === null ? "no" : "yes"),
};

const always = (value: ByteString): Setting => fixed(() => value);

/** The setting for --maxmemory. */
const maxmemory: Setting = {
  text: ({ server }) => String(server.daemon.memory.bytes),
  prepare: ({ server }, value) => {
    const bytes = parseMemory(value);
    if (bytes === undefined) return "argument must be a memory value";
    return () => {
      server.daemon.memory.bytes = bytes;
    };
  },
};

/**
 * The setting for --maxmemory-policy. A daemon that records commands supports only one policy. A daemon
 * tracks either the time or the frequency of use: LFU policies can be set only if it was started with one of them, and
 * LRU policies only if it was not.
 */
const maxmemoryPolicy: Setting = {
  text: ({ server }) => server.daemon.memory.policy,
  prepare: ({ server }, value) => {
    const { memory } = server.daemon;
    const policy = memory.policies.find((one) => one === value.toLowerCase());
    if (policy === undefined) {
      const kind = /^(?:allkeys|volatile)-(lru|lfu)$/i.exec(value)?.[1]?.toUpperCase();
      const known = `argument(s) must be one of the following: ${memory.policies.join(", ")}`;
      return kind === undefined || memory.policies.length === 1
        ? known
        : `${value} needs a daemon that was started ${kind === "LFU" ? "with" : "without"} an LFU policy: it tracks ${kind === "LFU" ? "the time, not the frequency" : "the frequency, not the time"} of use`;
    }
    return () => {
      memory.policy = policy;
    };
  },
};

/** The maximum number of tracked keys. Beyond it, clients receive invalidations for the oldest keys. */
const trackedKeysLimit = storedNumber("tracking-table-max-keys", TRACKED_KEYS_MAX, {
  min: 0,
  max: INT64_MAX,
});
const trackingTableMaxKeys: Setting = {
  ...trackedKeysLimit,
  prepare: (session, value) => {
    const store = trackedKeysLimit.prepare(session, value);
    if (typeof store === "string") return store;
    return () => {
      store();
      session.server.tracking.maxKeys = Number(value);
    };
  },
};

/** The memory limit of clients, which is fixed: --max-buffered-bytes limits their total memory. */
const maxmemoryClients: Setting = {
  ...always("0"),
  prepare: (session, value) =>
    Number(/^(\d+)%$/.exec(value)?.[1]) > 100
      ? "percentage argument must be less or equal to 100"
      : always("0").prepare(session, value),
};

/** The default user's password, which is stored in plain text only for this setting. */
const requirepass: Setting = {
  text: ({ server }) => server.settings.get("requirepass") ?? "",
  prepare: ({ server }, value) => {
    const users = server.host.users.changed(
      DEFAULT_USER,
      value === "" ? ["nopass"] : ["resetpass", `>${value}`],
    );
    try {
      requirePasswords(users, server.daemon.settings);
    } catch (problem) {
      if (!(problem instanceof StartError)) throw problem;
      return problem.message;
    }

    return () => {
      server.host.users.replaceAll(users);
      server.settings.set("requirepass", value);
    };
  },
};

/** Settings that are variable in Redis but fixed here. */
const FIXED: Readonly<Record<string, ByteString>> = {
  "acl-pubsub-default": "resetchannels",
  "cluster-enabled": "no",
  daemonize: "no",
  "io-threads": "1",
  logfile: "",
  masterauth: "",
  masteruser: "",
  "min-replicas-to-write": "0",
  "min-slaves-to-write": "0",
  // The daemon never accepts clients of other machines without a password, not even after a change of users.
  "protected-mode": "yes",
  rdbchecksum: "yes",
  replicaof: "",
  "sanitize-dump-payload": "yes",
  slaveof: "",
  unixsocket: "",
};

/** Settings of the nodes of streams, which decide what `~` trims, so they must be the same on all daemons. */
const STREAM_NODES: Readonly<Record<string, ByteString>> = {
  "stream-node-max-bytes": "0",
  "stream-node-max-entries": String(NODE_ENTRIES),
};
const NODES_FIXED = `the nodes of streams always have ${NODE_ENTRIES} entries, so that all daemons trim in the same way; this setting cannot be changed`;

const SETTINGS: Readonly<Record<string, Setting>> = {
  ...TUNING_SETTINGS,
  ...Object.fromEntries(Object.entries(FIXED).map(([name, value]) => [name, always(value)])),
  ...Object.fromEntries(
    Object.entries(STREAM_NODES).map(([name, value]) => [name, fixed(() => value, NODES_FIXED)]),
  ),
  aclfile: fixed(({ server }) => server.daemon.settings.aclFile ?? ""),
  appendfsync: fixed(({ server }) => {
    const { fsync } = server.daemon.settings;
    return fsync === "always" ? fsync : fsync === "never" ? "no" : "everysec";
  }),
  appendonly,
  bind: fixed(({ server }) => server.daemon.address),
  "client-output-buffer-limit": clientOutputBufferLimit,
  "client-query-buffer-limit": limit({ limit: "maxQueryBytes", scale: 1, isMemory: true }),
  databases: fixed(({ server }) => String(server.path.databases)),
  dir: fixed(({ server }) => server.daemon.settings.data ?? ""),
  "enable-debug-command": fixed(({ server }) => server.daemon.settings.enableDebugCommand),
  "latency-monitor-threshold": limit({ limit: "latencyTime", scale: 1 }),
  [PERCENTILES]: latencyPercentiles,
  loglevel,
  maxclients: limit({ limit: "maxConnections", scale: 1 }),
  maxmemory,
  "maxmemory-policy": maxmemoryPolicy,
  "maxmemory-clients": maxmemoryClients,
  "notify-keyspace-events": notifyKeyspaceEvents,
  port: fixed(({ server }) => String(server.daemon.port)),
  "proto-max-bulk-len": limit({ limit: "maxBulkBytes", scale: 1, isMemory: true }),
  requirepass,
  save,
  "slowlog-log-slower-than": limit({ limit: "slowlogTime", scale: 1 / 1000, mayBeNegative: true }),
  "slowlog-max-len": limit({ limit: "slowlogLength", scale: 1 }),
  "tracking-table-max-keys": trackingTableMaxKeys,
  timeout: limit({ limit: "respIdleTimeout", scale: 1000 }),
};
