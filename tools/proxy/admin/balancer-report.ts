/** The metrics and the health of a balancer. `npm run tables` writes the metrics into docs/proxy.md. */

import {
  labelled,
  type MetricTable,
  metricMaker,
  type Sample,
  single,
} from "../../../daemon/net/process/metric-rows.js";
import { version } from "../../../daemon/net/process/version.js";
import type { HealthReport } from "../../admin/http/admin-server.js";
import type { BalancedServer, StatementCounts } from "../balancer/balancer.js";
import type { ClientCounts } from "../clients/line-listener.js";

interface BalancerSources {
  readonly servers: readonly BalancedServer[];
  readonly counts: StatementCounts;
  readonly clients: ClientCounts;
  readonly bufferedBytes: () => number;
}

const one = single<BalancerSources>;

const perServer = metricMaker(["server"], ({ servers }: BalancerSources) =>
  labelled("server", servers, ({ id }) => id),
);

const counted = (label: string, entries: Iterable<readonly [string, number]>): Sample<number>[] =>
  [...entries].map(([name, value]) => ({ labels: { [label]: name }, value }));

export const BALANCER_METRICS = {
  dbsync_proxy_statements_total: {
    type: "counter",
    labels: ["kind"],
    help: "Statements from clients, by kind (read, write, use, connection).",
    read: ({ counts }) => counted("kind", Object.entries(counts.statements)),
  },
  dbsync_proxy_errors_total: one(
    "counter",
    "Error answers from servers or from the proxy.",
    ({ clients }) => clients.errors,
  ),
  dbsync_proxy_retried_reads_total: one(
    "counter",
    "Reads that a server other than the first one answered.",
    ({ counts }) => counts.retried,
  ),
  dbsync_proxy_moved_writes_total: one(
    "counter",
    "Writes that were sent to another server because the previous one had certainly not received them.",
    ({ counts }) => counts.moved,
  ),
  dbsync_proxy_unknown_writes_total: one(
    "counter",
    "Writes that were answered with an error because it is not known whether they were executed.",
    ({ counts }) => counts.unknown,
  ),
  dbsync_proxy_unreached_total: one(
    "counter",
    "Statements that could not be sent to any server.",
    ({ counts }) => counts.unreached,
  ),
  dbsync_proxy_connections: one("gauge", "Connected clients.", ({ clients }) => clients.connections),
  dbsync_proxy_connections_opened_total: one(
    "counter",
    "Clients that have connected.",
    ({ clients }) => clients.opened,
  ),
  dbsync_proxy_refusals_total: {
    type: "counter",
    labels: ["reason"],
    help: "Clients that were rejected or disconnected, by reason.",
    read: ({ clients }) => counted("reason", clients.refusals),
  },
  dbsync_proxy_buffered_bytes: one(
    "gauge",
    "Bytes of unfinished statements and unread answers.",
    ({ bufferedBytes }) => bufferedBytes(),
  ),
  dbsync_proxy_server_up: perServer("gauge", "1 while the server answers, otherwise 0.", ({ isUp }) =>
    isUp ? 1 : 0,
  ),
  dbsync_proxy_server_connections: perServer(
    "gauge",
    "Connections to the server.",
    ({ upstream }) => upstream.connections,
  ),
  dbsync_proxy_server_waiting: perServer(
    "gauge",
    "Statements that wait for a connection to the server.",
    ({ upstream }) => upstream.waiting,
  ),
  dbsync_proxy_server_answered_total: perServer(
    "counter",
    "Statements that the server has answered.",
    ({ answered }) => answered,
  ),
  dbsync_proxy_server_unreached_total: perServer(
    "counter",
    "Statements that the server has certainly not received.",
    ({ unreached }) => unreached,
  ),
  dbsync_proxy_server_unknown_total: perServer(
    "counter",
    "Statements whose outcome on the server is unknown.",
    ({ unknown }) => unknown,
  ),
} as const satisfies MetricTable<BalancerSources>;

interface ServerHealth {
  readonly id: string;
  /** The server's address. */
  readonly place: string;
  readonly role: "MASTER" | "REPLICA";
  readonly up: boolean;
  /** The last failure, such as the reason why the server is down; absent if there was none. */
  readonly reason?: string;
  readonly connections: number;
  readonly answered: number;
  readonly unreached: number;
  readonly unknown: number;
}

export interface BalancerHealth {
  readonly version: string;
  readonly clients: number;
  readonly servers: readonly ServerHealth[];
}

/**
 * Returns the health of a balancer and its servers, for /healthz and `dbsync-proxy status`. The report contains no
 * secrets.
 */
export function healthOf({ servers, clients }: BalancerSources): HealthReport {
  const details: BalancerHealth = {
    version,
    clients: clients.connections,
    servers: servers.map(serverHealth),
  };
  const has = (kind: "isReadable" | "isWritable") => servers.some((server) => server.isUp && server[kind]);
  return { isHealthy: has("isReadable") && has("isWritable"), details };
}

function serverHealth({ id, isWritable, isUp, upstream, ...counts }: BalancedServer): ServerHealth {
  const { lastFailure, serverAddress, connections } = upstream;
  const reason = lastFailure === null ? {} : { reason: `${lastFailure.why} ${lastFailure.detail}`.trim() };
  const { answered, unreached, unknown } = counts;
  return {
    id,
    place: serverAddress.text,
    role: isWritable ? "MASTER" : "REPLICA",
    up: isUp,
    ...reason,
    connections,
    answered,
    unreached,
    unknown,
  };
}
