/**
 * Which settings can change while the daemon runs (SIGHUP), and which need a restart: each setting and each limit is one or
 * the other, which the compiler sees to.
 */
import { formatDateWindow } from "./date-window.js";
import { formatFsync } from "./fsync.js";
import { LIMITS, type LimitName, type Limits } from "./limits.js";
import { formatPlace } from "./place.js";
import { formatRetention } from "./retention.js";
import type { Settings } from "./settings.js";

/** Taken over by `Daemon.reload`; of the limits all but some. `differences` are told once, at the start. */
type Reloaded = keyof Pick<
  Settings,
  | "signKey"
  | "rootKey"
  | "tls"
  | "peers"
  | "clusterSecret"
  | "adopt"
  | "aclFile"
  | "logLevel"
  | "limits"
  | "differences"
>;

/** Limits that the timeline keeps from its start on. */
const LIMITS_OF_START: readonly LimitName[] = ["tailSeconds", "maxTailBytes", "maxTimelineBytes"];

interface Row {
  /** The long option's. */
  readonly name: string;
  /** What is compared. */
  readonly value: (settings: Settings) => unknown;
}

const ROWS: Readonly<Record<Exclude<keyof Settings, Reloaded>, Row>> = {
  bind: { name: "bind", value: ({ bind }) => bind },
  port: { name: "port", value: ({ port }) => port },
  database: { name: "database", value: ({ database }) => JSON.stringify(database) },
  close: { name: "close", value: ({ close }) => close },
  allowUnsigned: { name: "allow-unsigned", value: ({ allowUnsigned }) => allowUnsigned },
  compat: { name: "compat", value: ({ compat }) => compat },
  clusterName: { name: "cluster-name", value: ({ clusterName }) => clusterName },
  window: { name: "window", value: ({ window }) => formatDateWindow(window) },
  require: { name: "require", value: ({ require }) => require },
  requireTls: { name: "require-tls", value: ({ requireTls }) => requireTls },
  data: { name: "data", value: ({ data }) => data },
  fsync: { name: "fsync", value: ({ fsync }) => formatFsync(fsync) },
  retain: { name: "retain", value: ({ retain }) => formatRetention(retain) },
  v1: { name: "v1", value: ({ v1 }) => v1 },
  resp: { name: "resp", value: ({ resp }) => shown(resp) },
  json: { name: "json", value: ({ json }) => shown(json) },
  jsonReplicas: {
    name: "json-replica",
    value: ({ jsonReplicas }) => jsonReplicas.map(({ host, port }) => `${host} ${port}`).join(),
  },
  allowAnonymous: { name: "allow-anonymous", value: ({ allowAnonymous }) => allowAnonymous },
  enableDebugCommand: { name: "enable-debug-command", value: ({ enableDebugCommand }) => enableDebugCommand },
  admin: { name: "admin", value: ({ admin }) => shown(admin) },
  adminHosts: { name: "admin-host", value: ({ adminHosts }) => adminHosts.join() },
  maxmemoryPolicy: { name: "maxmemory-policy", value: ({ maxmemoryPolicy }) => maxmemoryPolicy },
  logFormat: { name: "log-format", value: ({ logFormat }) => logFormat },
};

/** Long option names whose values differ and need a restart. */
export function restartNames(before: Settings, after: Settings): string[] {
  const rows = Object.values(ROWS).filter(({ value }) => value(before) !== value(after));
  const limits = LIMITS_OF_START.filter((name) => before.limits[name] !== after.limits[name]);
  return [...rows.map(({ name }) => name), ...limits.map((name) => LIMITS[name].flag)];
}

/** What of new settings holds at once, and of the old ones all else. */
export function reloaded(before: Settings, after: Settings): Settings {
  const { signKey, rootKey, tls, peers, clusterSecret, adopt, aclFile, logLevel } = after;
  const kept = Object.fromEntries(LIMITS_OF_START.map((name) => [name, before.limits[name]]));
  const limits: Limits = { ...after.limits, ...kept };
  return { ...before, ...{ signKey, rootKey, tls, peers, clusterSecret, adopt, aclFile, logLevel, limits } };
}

const shown = (place: Settings["resp"]) => (place === null ? null : formatPlace(place));
