/** The health report of --admin, which contains no secrets. */

import { DAEMON_STATES } from "../../../protocol/daemon-states.js";
import type { StateName } from "../../../protocol/state-names.js";
import type { JsonReplicaFigures } from "../../listener/json-replica-figures.js";

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
  /** The daemon's state, as in a `hello`. */
  readonly state: StateName;
  readonly backends: readonly BackendHealth[];
  /** Figures of --json-replica; absent without that option. */
  readonly jsonReplicas?: JsonReplicaFigures;
}

/** Whether a load balancer should send clients to this daemon. An isolated daemon still answers. */
export const isHealthy = ({ state }: Health): boolean => DAEMON_STATES[state].isHealthy;
