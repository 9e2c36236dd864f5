/** A table of what daemons of --json-replica say of each other, for people. */
import { formatTable } from "../shared/table.js";
import type { FleetStatus } from "./fleet-status.js";

const HEAD = [
  "FLEET OF",
  "LEADER",
  "TERM",
  "LEVEL",
  "REFUSES",
  "SERVER",
  "STATE",
  "MISSING",
  "REFUSED",
  "DIFFERENT",
];

export function formatFleets(fleets: readonly FleetStatus[]): string {
  const rows = fleets.flatMap(({ address, fleet }) => {
    if (fleet === null) return [[address, ...HEAD.slice(1).map(() => "-")]];
    const { isLeading, term, isLevel, refused, servers } = fleet;
    const leader = isLeading ? "this" : (servers.find(({ isLeader }) => isLeader)?.replica ?? "-");
    const own = [address, leader, String(term), isLevel ? "yes" : "no", String(refused)];
    if (servers.length === 0) return [[...own, ...HEAD.slice(own.length).map(() => "-")]];
    return servers.map((server) => [
      ...own,
      server.replica,
      server.isConnected ? "online" : "away",
      ...[server.missing, server.refused, server.different].map(String),
    ]);
  });
  return formatTable([HEAD, ...rows]);
}
