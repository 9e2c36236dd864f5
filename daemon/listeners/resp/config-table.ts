/**
 * What CONFIG GET and CONFIG SET know: Redis's names for settings that this daemon really has, whose one value is true of it,
 * or that mean nothing here. What is set lasts until the daemon stops or reads its own configuration anew.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { LOG_FACTOR } from "../../../store/usage.js";
import type { LogLevel } from "../../log.js";
import { checkDoors } from "../../read-users.js";
import { StartError } from "../../start-error.js";
import { DEFAULT_USER } from "../../users.js";
import { fixed, limit, parseMemory, type Setting } from "./config-setting.js";
import { DENIED_ENTRIES_MAX } from "./denied-log.js";
import { TUNING_SETTINGS } from "./tuning-settings.js";

const LEVELS: Readonly<Record<LogLevel, string>> = {
  ...{ silent: "warning", fatal: "warning", error: "warning", warn: "warning" },
  ...{ info: "notice", debug: "verbose", trace: "debug" },
};

const always = (value: ByteString): Setting => fixed(() => value);

/** --maxmemory. */
const maxmemory: Setting = {
  text: ({ host }) => String(host.state.daemon.memory.bytes),
  prepare: ({ host }, value) => {
    const bytes = parseMemory(value);
    if (bytes === undefined) return "argument must be a memory value";
    return () => {
      host.state.daemon.memory.bytes = bytes;
    };
  },
};

/**
 * --maxmemory-policy. Where commands are recorded there is one only; and how keys are used is kept from the start or not at all.
 */
const maxmemoryPolicy: Setting = {
  text: ({ host }) => host.state.daemon.memory.policy,
  prepare: ({ host }, value) => {
    const { memory } = host.state.daemon;
    const policy = memory.policies.find((one) => one === value.toLowerCase());
    if (policy === undefined) {
      const kind = /^(?:allkeys|volatile)-(lru|lfu)$/i.exec(value)?.[1]?.toUpperCase();
      const known = `argument(s) must be one of the following: ${memory.policies.join(", ")}`;
      return kind === undefined || memory.policies.length === 1
        ? known
        : `${value} needs a daemon started with an ${kind} policy: how keys are used is not kept`;
    }
    return () => {
      memory.policy = policy;
    };
  },
};

/** Clients are closed by --max-buffered-bytes, of all memory together. */
const maxmemoryClients: Setting = {
  ...always("0"),
  prepare: (session, value) =>
    Number(/^(\d+)%$/.exec(value)?.[1]) > 100
      ? "percentage argument must be less or equal to 100"
      : always("0").prepare(session, value),
};

/** The default user's password, which is kept readable for this alone. */
const requirepass: Setting = {
  text: ({ host }) => host.state.settings.get("requirepass") ?? "",
  prepare: ({ host }, value) => {
    const users = host.users.changed(DEFAULT_USER, value === "" ? ["nopass"] : ["resetpass", `>${value}`]);
    try {
      checkDoors(users, host.state.daemon.settings);
    } catch (problem) {
      if (!(problem instanceof StartError)) throw problem;
      return problem.message;
    }
    return () => {
      host.users.become(users);
      host.state.settings.set("requirepass", value);
    };
  },
};

/** What Redis lets one choose, and is so here. */
const AS_IT_IS: Readonly<Record<string, ByteString>> = {
  "acl-pubsub-default": "resetchannels",
  "acllog-max-len": String(DENIED_ENTRIES_MAX),
  "cluster-enabled": "no",
  daemonize: "no",
  "enable-debug-command": "yes",
  "hll-sparse-max-bytes": "3000",
  "io-threads": "1",
  "latency-tracking": "yes",
  "lfu-decay-time": "1",
  "lfu-log-factor": String(LOG_FACTOR),
  logfile: "",
  masterauth: "",
  masteruser: "",
  "min-replicas-to-write": "0",
  "min-slaves-to-write": "0",
  "notify-keyspace-events": "",
  // No start, and no user that is changed, leaves a listener open to other machines.
  "protected-mode": "yes",
  rdbchecksum: "yes",
  replicaof: "",
  "sanitize-dump-payload": "yes",
  save: "",
  slaveof: "",
  "stop-writes-on-bgsave-error": "yes",
  "stream-node-max-bytes": "4096",
  "stream-node-max-entries": "100",
  unixsocket: "",
};

export const SETTINGS: Readonly<Record<string, Setting>> = {
  ...TUNING_SETTINGS,
  ...Object.fromEntries(Object.entries(AS_IT_IS).map(([name, value]) => [name, always(value)])),
  aclfile: fixed(({ host }) => host.state.daemon.settings.aclFile ?? ""),
  appendfsync: fixed(({ host }) => {
    const { fsync } = host.state.daemon.settings;
    return fsync === "always" ? fsync : fsync === "never" ? "no" : "everysec";
  }),
  // What is kept is the commands.
  appendonly: fixed(({ host }) => (host.state.daemon.settings.data === null ? "no" : "yes")),
  bind: fixed(({ host }) => host.state.daemon.address),
  "client-output-buffer-limit": fixed(
    ({ host }) => `normal ${host.limits.maxOutputBytes} 0 0 slave 0 0 0 pubsub 0 0 0`,
  ),
  "client-query-buffer-limit": limit({ limit: "maxQueryBytes", scale: 1, isMemory: true }),
  databases: fixed(({ host }) => String(host.path.databases)),
  dir: fixed(({ host }) => host.state.daemon.settings.data ?? ""),
  "latency-monitor-threshold": limit({ limit: "latencyTime", scale: 1 }),
  loglevel: fixed(({ host }) => LEVELS[host.state.daemon.settings.logLevel]),
  maxclients: limit({ limit: "maxConnections", scale: 1 }),
  maxmemory,
  "maxmemory-policy": maxmemoryPolicy,
  "maxmemory-clients": maxmemoryClients,
  port: fixed(({ host }) => String(host.state.daemon.port)),
  "proto-max-bulk-len": limit({ limit: "maxBulkBytes", scale: 1, isMemory: true }),
  requirepass,
  "slowlog-log-slower-than": limit({ limit: "slowlogTime", scale: 1 / 1000, mayBeNegative: true }),
  "slowlog-max-len": limit({ limit: "slowlogMost", scale: 1 }),
  timeout: limit({ limit: "respIdleTimeout", scale: 1000 }),
};
