/** The settings of a balancer. */

import type { Partition } from "../routing/placement-key.js";
import type { Hash } from "../routing/rendezvous.js";
import type { UpstreamPlace } from "../upstream/place.js";

export const DEFAULT_PORT = 3949;
export const DEFAULT_SERVER_PORT = 3948;

export const ROLES = ["MASTER", "REPLICA"] as const;
/** A replica accepts no writes from clients. */
export type Role = (typeof ROLES)[number];

export const STRATEGIES = ["ROUND_ROBIN", "RENDEZVOUS"] as const;
/** All in turn, or all reads of a database one. */
export type ReadStrategy = (typeof STRATEGIES)[number];

export const MODES = ["MULTI_PRIMARY", "SINGLE_PRIMARY"] as const;
/** Every master takes the writes that are placed on it, or the first that is there takes all. */
export type WriteMode = (typeof MODES)[number];

export interface ServerSettings {
  /** Placement depends on it. */
  readonly id: string;
  readonly place: UpstreamPlace;
  readonly role: Role;
}

export interface RoutingSettings {
  readonly reads: ReadStrategy;
  /** Servers that are read from. */
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
  /** Milliseconds that servers may take to replicate a write; for that time a session stays with the server that it wrote to. */
  readonly settleTime: number;
  /** Whether config.json asks for writes to be replicated, which is the servers' own work. */
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
