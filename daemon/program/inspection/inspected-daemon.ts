/** The values that administrators can inspect. All are read at the time of the call. */

import type { DaemonCondition } from "../../../protocol/daemon-states.js";
import type { ReplicaFigures } from "../../cluster/history/replica-figures.js";
import type { WorkingMemoryFigures } from "../../engine/backends/working-memory.js";
import type { OrderFigures } from "../../engine/pipeline/order-figures.js";
import type { SlowLog } from "../../engine/slow-log/slow-log.js";
import type { JsonReplicaFigures } from "../../listener/json-replica-figures.js";
import type { Settings } from "../../options/settings.js";
import type { CountedFamily, CountedKeys } from "./counted-keys.js";
import type { Health } from "./health.js";
import type { Metrics } from "./metrics.js";

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
  /** Its user (or the label or first digits of its signing key) and its last command, "" if unknown. */
  readonly doing: { readonly name: string; readonly command: string };
}

/** A listener by its name in metrics, with its connected clients. */
export interface InspectedListener {
  readonly name: string;
  readonly clients: Iterable<InspectedClient>;
}

/** The figures from which metrics are made. */
export interface Sources {
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
  /** Counts of commands of Redis clients, or null if there is no --resp. */
  readonly families: () => readonly CountedFamily[] | null;
  /** Figures of JSON replicas, or null if there is no --json-replica. */
  readonly jsonReplicas: () => JsonReplicaFigures | null;
}

export interface InspectedDaemon extends Sources {
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
  readonly eviction: () => { readonly policy: string; readonly evicted: number };
  readonly listeners: () => readonly InspectedListener[];
  readonly slowLog: SlowLog;
}
