/** One of a balancer's servers, with its counters. */
import type { OrderedServer } from "../routing/server-order.js";
import type { ServerSettings } from "../settings/balancer-settings.js";
import type { UpstreamServer } from "../upstream/upstream-server.js";

export class BalancedServer implements OrderedServer {
  readonly id: string;
  readonly isReadable: boolean;
  readonly isWritable: boolean;
  readonly upstream: UpstreamServer;
  /** The number of statements that this server has answered. */
  answered = 0;
  /** The number of statements that are known not to have reached this server. */
  unreached = 0;
  /** The number of statements whose outcome on this server is unknown. */
  unknown = 0;
  /**
   * The time, in `uptime` milliseconds, from which this server is used like the other servers. Before that time,
   * recent writes may be missing on it, because it was down.
   */
  freshFrom = 0;

  constructor({ id, role }: ServerSettings, isReadable: boolean, upstream: UpstreamServer) {
    this.id = id;
    this.isReadable = isReadable;
    this.isWritable = role === "MASTER";
    this.upstream = upstream;
  }

  get isUp(): boolean {
    return this.upstream.isUp;
  }
}
