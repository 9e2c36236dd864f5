/** One of the servers that a balancer stands before, and what has been counted of it. */
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
  /** Statements of which nobody knows what became of them here. */
  unknown = 0;
  /** `uptime` milliseconds: from here on it is asked like all others. After it was away it lacks what was written meanwhile. */
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
