/** The health report of --admin, which contains no secrets. */

import type { JsonReplicaFigures } from "../../listeners/json-replica-figures.js";
import type { DaemonState } from "../../protocol/version-2/messages-v2.js";

export const STATES = [
  "starting",
  "live",
  "catching-up",
  "isolated",
  "revoked",
  "not-listed",
  "outdated",
  "stopping",
] as const satisfies readonly State[];
/** The daemon's state; while it runs, the same as in a `hello`. */
export type State = "starting" | DaemonState | "revoked" | "not-listed" | "outdated" | "stopping";

export interface BackendHealth {
  /** The database's name as in the log, without a password. */
  readonly name: string;
  /** Whether the database can be reached. */
  readonly up: boolean;
  /**
   * The current servers, if the name does not contain them: the master that sentinels report, or the masters of a
   * cluster.
   */
  readonly server?: string;
}

export interface Health {
  readonly version: string;
  readonly state: State;
  readonly backends: readonly BackendHealth[];
  /** Figures of --json-replica; absent without that option. */
  readonly jsonReplicas?: JsonReplicaFigures;
}

/** Whether a load balancer should send clients to this daemon. An isolated daemon still answers. */
export function isHealthy({ state, backends, jsonReplicas }: Health): boolean {
  if (jsonReplicas?.isReady === false) return false;
  return (state === "live" || state === "isolated") && backends.every(({ up }) => up);
}
