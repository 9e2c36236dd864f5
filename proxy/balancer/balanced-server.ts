/** One of the servers of a balancer, and its counters. */
import type { OrderedServer } from "../routing/server-order.js";
import type { ServerSettings } from "../settings/balancer-settings.js";
import type { UpstreamServer } from "../upstream/server.js";

export class BalancedServer implements OrderedServer {
  readonly id: string;
  readonly isRead: boolean;
  readonly isWritten: boolean;
  readonly upstream: UpstreamServer;
  /** Statements that it has answered. */
  answered = 0;
  /** Statements that it certainly has not seen. */
  unreached = 0;
  /** Statements whose outcome here is unknown. */
  unknown = 0;
  /** `uptime` milliseconds: from here on it receives requests like any server. After an absence it misses what was written meanwhile. */
  freshFrom = 0;

  constructor({ id, role }: ServerSettings, isRead: boolean, upstream: UpstreamServer) {
    this.id = id;
    this.isRead = isRead;
    this.isWritten = role === "MASTER";
    this.upstream = upstream;
  }

  get isUp(): boolean {
    return this.upstream.isUp;
  }
}
