/**
 * The connector of docs/active-active.md. While ioredis requests the master again, it still has the subscriptions of its
 * last connection. Without this connector, it ends permanently ("Connection is closed.") if it then receives
 * +switch-master, also from Redis's sentinels.
 */
import { SentinelConnector } from "ioredis";

export class Connector extends SentinelConnector {
  connect(report) {
    this.disconnect();
    return super.connect(report);
  }
}
