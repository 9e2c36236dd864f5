/** The command line of a balancer; it has precedence over a file. */
import { StartError } from "../../net/process/start-error.js";
import type { Partition } from "../routing/placement-key.js";
import type { Hash } from "../routing/rendezvous.js";
import { readPlace } from "../upstream/read-place.js";
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

const UNSAID: Omit<BalancerSettings, "servers"> = {
  listen: { address: "127.0.0.1", port: DEFAULT_PORT },
  routing: DEFAULT_ROUTING,
  settleTime: DEFAULT_SETTLE_TIME,
  replicates: false,
};

/**
 * @param file  what it says; null: there is none
 * @param places  `[id=]host:port`; none: those of the file
 * @throws StartError  there is no server, none to read from, or two have one id @throws InvalidArgumentError  a place is none
 */
export function withFlags(
  file: BalancerSettings | null,
  places: readonly string[],
  { listen, settle, ...flags }: BalancerFlags,
): BalancerSettings {
  const said = file ?? UNSAID;
  const servers = places.length === 0 ? (file?.servers ?? []) : places.map(serverOf);
  if (servers.length === 0)
    throw new StartError(
      "Which servers? Name them, dbsync-proxy 127.0.0.1:3948 127.0.0.1:3950, or --config.",
      2,
    );
  const ids = new Set(servers.map(({ id }) => id));
  if (ids.size < servers.length)
    throw new StartError("Two servers have the same name, or the same place.", 2);
  const { readRoles } = said.routing;
  if (!servers.some(({ role }) => readRoles.includes(role)))
    throw new StartError(
      `Reads go to servers with the role ${readRoles.join(" or ")}, and there is none.`,
      2,
    );
  return {
    listen: listen ?? said.listen,
    servers,
    routing: routingOf(said.routing, flags),
    settleTime: settle ?? said.settleTime,
    replicates: said.replicates,
  };
}

function serverOf(text: string): ServerSettings {
  const [, id, place = ""] = /^(?:([\w-]+)=)?(.*)$/.exec(text) ?? [];
  const its = readPlace(place, DEFAULT_SERVER_PORT);
  return { id: id ?? its.text, place: its, role: "MASTER" };
}

function routingOf(said: RoutingSettings, flags: BalancerFlags): RoutingSettings {
  const { reads, partition = said.partition, hash = said.hash, singlePrimary = false } = flags;
  return {
    reads: reads === undefined ? said.reads : reads === "rendezvous" ? "RENDEZVOUS" : "ROUND_ROBIN",
    readRoles: said.readRoles,
    writes: singlePrimary ? "SINGLE_PRIMARY" : said.writes,
    partition,
    hash,
  };
}
