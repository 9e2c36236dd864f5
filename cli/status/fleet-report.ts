/** Tables of what daemons of --json-replica say of each other, for people. */

import { fitted, formatHeadedTable } from "../../net/terminal/table.js";
import type { FleetFigures, FleetServer } from "../../protocol/json/fleet-figures.js";
import { type Column, rowsOf } from "../shared/column.js";
import type { FleetStatus } from "./fleet-status.js";

const toldOf =
  (cell: (fleet: FleetFigures) => string) =>
  ({ fleet }: FleetStatus): string =>
    fleet === null ? "-" : cell(fleet);

export const FLEET_COLUMNS: readonly Column<FleetStatus>[] = [
  { head: "FLEET OF", about: "the daemon with --json-replica", cell: ({ address }) => address },
  {
    head: "LEADER",
    about: "which server orders the writes",
    cell: toldOf(({ isLeading, servers }) =>
      isLeading ? "this" : (servers.find(({ isLeader }) => isLeader)?.replica ?? "-"),
    ),
  },
  {
    head: "TERM",
    about: "changes with the leader; the same on all that agree",
    cell: toldOf(({ term }) => String(term)),
  },
  {
    head: "LEVEL",
    about: "whether it has all that the leader has",
    cell: toldOf(({ isLevel }) => (isLevel ? "yes" : "no")),
  },
  {
    head: "REFUSES",
    about: "documents of the leader that it does not take",
    cell: toldOf(({ refused }) => String(refused)),
  },
];

interface ShownServer {
  readonly address: string;
  readonly server: FleetServer;
}

export const FLEET_SERVER_COLUMNS: readonly Column<ShownServer>[] = [
  { head: "SEEN BY", about: "the daemon that tells", cell: ({ address }) => address },
  { head: "SERVER", about: "of its list", cell: ({ server }) => server.replica },
  {
    head: "STATE",
    about: "online or away",
    cell: ({ server }) => (server.isConnected ? "online" : "away"),
  },
  { head: "MISSING", about: "documents that it may lack", cell: ({ server }) => String(server.missing) },
  { head: "REFUSED", about: "documents that it did not take", cell: ({ server }) => String(server.refused) },
  {
    head: "DIFFERENT",
    about: "documents that had other contents though it missed nothing",
    cell: ({ server }) => String(server.different),
  },
];

/** @param columns  how wide lines may be */
export function formatFleets(fleets: readonly FleetStatus[], columns: number): string {
  const servers = serversOf(fleets);
  const first = formatHeadedTable(fitted(rowsOf(FLEET_COLUMNS, fleets), columns), (row) =>
    fleets[row]?.ok ? "plain" : "bad",
  );
  if (servers.length === 0) return first;
  const second = formatHeadedTable(fitted(rowsOf(FLEET_SERVER_COLUMNS, servers), columns), (row) =>
    servers[row]?.server.isConnected ? "plain" : "bad",
  );
  return `${first}\n${second}`;
}

export function serversOf(fleets: readonly FleetStatus[]): readonly ShownServer[] {
  return fleets.flatMap(({ address, fleet }) =>
    (fleet?.servers ?? []).map((server) => ({ address, server })),
  );
}
