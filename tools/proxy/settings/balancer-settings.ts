/** The settings of a balancer, and the command line, which has precedence over a configuration file. */
import { StartError } from "../../../daemon/net/process/service.js";
import type { Hash, Partition } from "../routing/server-order.js";
import { parseUpstreamAddress, type UpstreamAddress } from "../upstream/server-address.js";

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

/** The settings that the command line states. They have precedence over a configuration file. */
export interface BalancerFlags {
  readonly listen?: BalancerSettings["listen"];
  readonly reads?: "round-robin" | "rendezvous";
  readonly partition?: Partition;
  readonly hash?: Hash;
  readonly singlePrimary?: boolean;
  readonly settle?: number;
}

const DEFAULTS: Omit<BalancerSettings, "servers"> = {
  listen: { address: "127.0.0.1", port: DEFAULT_PORT },
  routing: DEFAULT_ROUTING,
  settleTime: DEFAULT_SETTLE_TIME,
  replicates: false,
};

/**
 * Returns the settings of a balancer.
 * @param file  the settings of the file, or null if there is none
 * @param addresses  `[id=]host:port`; if empty, the servers of the file
 * @throws StartError  there is no server, no server for reads, or two with the same id
 * @throws InvalidArgumentError  an address is invalid
 */
export function withFlags(
  file: BalancerSettings | null,
  addresses: readonly string[],
  { listen, settle, ...flags }: BalancerFlags,
): BalancerSettings {
  const base = file ?? DEFAULTS;
  const servers = addresses.length === 0 ? (file?.servers ?? []) : addresses.map(serverOf);
  if (servers.length === 0)
    throw new StartError(
      "There are no servers. Name them, for example dbsync-proxy 127.0.0.1:3948 127.0.0.1:3950, or use --config.",
      2,
    );

  const ids = new Set(servers.map(({ id }) => id));
  if (ids.size < servers.length)
    throw new StartError("Two servers have the same name or the same address.", 2);

  const { readRoles } = base.routing;
  if (!servers.some(({ role }) => readRoles.includes(role)))
    throw new StartError(
      `Reads are sent to servers with the role ${readRoles.join(" or ")}, and there is none.`,
      2,
    );

  return {
    listen: listen ?? base.listen,
    servers,
    routing: routingOf(base.routing, flags),
    settleTime: settle ?? base.settleTime,
    replicates: base.replicates,
  };
}

function serverOf(text: string): ServerSettings {
  const [, id, serverAddress = ""] = /^(?:([\w-]+)=)?(.*)$/.exec(text) ?? [];
  const address = parseUpstreamAddress(serverAddress, DEFAULT_SERVER_PORT);
  return { id: id ?? address.text, serverAddress: address, role: "MASTER" };
}

function routingOf(base: RoutingSettings, flags: BalancerFlags): RoutingSettings {
  const { reads, partition = base.partition, hash = base.hash, singlePrimary = false } = flags;
  return {
    reads: reads === undefined ? base.reads : reads === "rendezvous" ? "RENDEZVOUS" : "ROUND_ROBIN",
    readRoles: base.readRoles,
    writes: singlePrimary ? "SINGLE_PRIMARY" : base.writes,
    partition,
    hash,
  };
}
