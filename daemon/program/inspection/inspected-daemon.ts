/** The types of the values that administrators can inspect. All are read at the time of the call. */

import { DAEMON_STATES, type DaemonCondition } from "../../../protocol/daemon-states.js";
import type { StateName } from "../../../protocol/state-names.js";
import type { ReplicaFigures } from "../../cluster/history/replica-figures.js";
import type { OrderFigures } from "../../cluster/node/replica.js";
import type { KeyCounts } from "../../engine/backends/key-counts.js";
import type { WorkingMemoryFigures } from "../../engine/backends/working-memory.js";
import type { SlowLog } from "../../engine/slow-log/slow-log.js";
import type { FaceFigures } from "../../listener/daemon-listener.js";
import type { Settings } from "../../options/settings.js";
import type { Metrics } from "./metrics.js";

export interface BackendHealth {
  /** The database's name as in the log, without a password. */
  readonly name: string;
  /** Whether the database can be reached. */
  readonly up: boolean;
  /**
   * The current servers, separated by commas, if the name does not contain them: the master that sentinels report, or
   * the masters of a cluster.
   */
  readonly server?: string;
}

/** The health report of --admin, which contains no secrets. The listeners for clients of other protocols add to it. */
export interface Health {
  readonly version: string;
  /** The daemon's state, as in a `hello`. */
  readonly state: StateName;
  readonly backends: readonly BackendHealth[];
}

/** Whether a load balancer should send clients to this daemon. An isolated daemon still answers. */
export const isHealthy = ({ state }: Health): boolean => DAEMON_STATES[state].isHealthy;

/** The counts of keys in memory, which are read when a client requests metrics. */
export interface CountedKeys {
  /** Counts of the databases that are not empty. */
  readonly keyCounts: readonly KeyCounts[];
  /** Number of keys that have expired. */
  readonly expiredKeys: number;
  /** Lookups of keys by commands that read, of which `hits` have found a key. */
  readonly changes: { readonly lookups: { readonly hits: number; readonly misses: number } };
}

/** The section of INFO that only the daemon has; a Redis of -d answers all other sections. */
export const OWN_SECTION = "dbsync";

/** A connection of a listener. Times are in milliseconds of `uptime`. */
export interface InspectedClient {
  /** Address and port. */
  readonly remote: string;
  readonly openedAt: number;
  readonly activeAt: number;
  /** Bytes of unfinished requests and unread answers. */
  readonly heldBytes: number;
  /** Its user (or the label or first digits of its signing key), and its last command; "" if unknown. */
  readonly doing: { readonly name: string; readonly command: string };
}

/** A listener by its name in metrics, with its connected clients. */
export interface InspectedListener {
  readonly name: string;
  readonly clients: Iterable<InspectedClient>;
}

/** The figures from which metrics are made. */
export interface MetricSources extends FaceFigures {
  readonly metrics: Metrics;
  readonly health: () => Health;
  /** Total bytes that all connections buffer. */
  readonly bufferedBytes: () => number;
  /** Figures of the timeline, or null if there is none. */
  readonly replica: () => ReplicaFigures | null;
  /** The working memory of queries. */
  readonly workingMemory: () => WorkingMemoryFigures;
  /** Counts of keys, or null if the daemon's database is not in its memory. */
  readonly keys: () => CountedKeys | null;
  /** Figures of the stream, or null if there is no --order. */
  readonly order: () => OrderFigures | null;
}

/** The daemon, as its administrators can inspect it. */
export interface InspectedDaemon extends MetricSources {
  /** The daemon's id, hexadecimal. */
  readonly id: () => string;
  /** The start, in milliseconds of `uptime`. */
  readonly startedAt: number;
  readonly uptime: () => number;
  /** The current time, in milliseconds since 1970. */
  readonly clock: () => number;
  readonly settings: () => Settings;
  /** The cluster's id, hexadecimal, or "" if the daemon has no keys. */
  readonly cluster: () => string;
  /** Number of connected members, or null if the daemon has no peers. */
  readonly members: () => number | null;
  /** The daemon's state, and the reason for it. */
  readonly condition: () => DaemonCondition;
  /** Memory in bytes; `limit` 0: no limit. */
  readonly memory: () => { readonly used: number; readonly limit: number };
  /** The policy of evictions because of the memory limit, and the number of evicted keys. */
  readonly eviction: () => { readonly policy: string; readonly evicted: number };
  readonly listeners: () => readonly InspectedListener[];
  readonly slowLog: SlowLog;
}
