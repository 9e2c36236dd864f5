/** The health report of --admin. Nothing in it is secret. */

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
/** The daemon's state; between start and stop as a `hello` reports it. */
export type State = "starting" | DaemonState | "revoked" | "not-listed" | "outdated" | "stopping";

export interface BackendHealth {
  /** The name that the log shows; holds no password. */
  readonly name: string;
  /** Whether it can be reached. */
  readonly up: boolean;
  /** Where it was found, if its name does not say: the master that sentinels name, the masters of a cluster. */
  readonly server?: string;
}

export interface Health {
  readonly version: string;
  readonly state: State;
  readonly backends: readonly BackendHealth[];
  /** Figures of --json-replica; absent: there is none. */
  readonly jsonReplicas?: JsonReplicaFigures;
}

/** Whether clients should be sent here. An isolated daemon still answers. */
export function isHealthy({ state, backends, jsonReplicas }: Health): boolean {
  if (jsonReplicas?.isReady === false) return false;
  return (state === "live" || state === "isolated") && backends.every(({ up }) => up);
}
