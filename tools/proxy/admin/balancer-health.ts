/** The health of a balancer and its servers, for /healthz and `dbsync-proxy status`. The report contains no secrets. */

import { version } from "../../../daemon/net/process/version.js";
import type { HealthReport } from "../../admin/http/admin-server.js";
import type { BalancedServer } from "../balancer/balanced-server.js";
import type { BalancerSources } from "./balancer-metrics.js";

export interface ServerHealth {
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
