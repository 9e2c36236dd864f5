/** Applies the command line of a balancer, which has precedence over a configuration file. */
import { StartError } from "../../../daemon/net/process/service.js";
import type { Partition } from "../routing/placement-key.js";
import type { Hash } from "../routing/rendezvous-hash.js";
import { parseUpstreamAddress } from "../upstream/server-address.js";
import {
  type BalancerSettings,
  DEFAULT_PORT,
  DEFAULT_ROUTING,
  DEFAULT_SERVER_PORT,
  DEFAULT_SETTLE_TIME,
  type RoutingSettings,
  type ServerSettings,
} from "./balancer-settings.js";

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
