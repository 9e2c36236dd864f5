/** The settings of a balancer. */

import type { Partition } from "../routing/placement-key.js";
import type { Hash } from "../routing/rendezvous-hash.js";
import type { UpstreamAddress } from "../upstream/server-address.js";

export const DEFAULT_PORT = 3949;
export const DEFAULT_SERVER_PORT = 3948;

export const ROLES = ["MASTER", "REPLICA"] as const;
/** The role of a server. A replica accepts no writes from clients. */
export type Role = (typeof ROLES)[number];

export const STRATEGIES = ["ROUND_ROBIN", "RENDEZVOUS"] as const;
/** How reads are distributed: to all servers in turn, or all reads of a database to one server. */
export type ReadStrategy = (typeof STRATEGIES)[number];

export const MODES = ["MULTI_PRIMARY", "SINGLE_PRIMARY"] as const;
/** How writes are distributed: to the master on which they are placed, or all to the first one that is up. */
export type WriteMode = (typeof MODES)[number];

export interface ServerSettings {
  /** The name of the server, on which placement depends. */
  readonly id: string;
  readonly serverAddress: UpstreamAddress;
  readonly role: Role;
}

export interface RoutingSettings {
  readonly reads: ReadStrategy;
  /** The roles of the servers that reads are sent to. */
  readonly readRoles: readonly Role[];
  readonly writes: WriteMode;
  readonly partition: Partition;
  readonly hash: Hash;
}

export interface BalancerSettings {
  /** An address, not a name. */
  readonly listen: { readonly address: string; readonly port: number };
  readonly servers: readonly ServerSettings[];
  readonly routing: RoutingSettings;
  /**
   * The milliseconds within which servers replicate a write. For that time a session stays on the server that it wrote
   * to.
   */
  readonly settleTime: number;
  /** Whether config.json enables the replication of writes, which the servers must do themselves. */
  readonly replicates: boolean;
}

export const DEFAULT_SETTLE_TIME = 2_000;

export const DEFAULT_ROUTING: RoutingSettings = {
  reads: "ROUND_ROBIN",
  readRoles: ROLES,
  writes: "MULTI_PRIMARY",
  partition: "database",
  hash: "even",
};
