/** The listener of --memcached. */

import { UserListener, type UserListenerParts } from "../users/user-listener.js";
import type { MemcachedRequest } from "./bytes/memcached-requests.js";
import { DelayedFlush } from "./delayed-flush.js";
import { MEMCACHED_LISTENER, MemcachedDialect, type MemcachedServer } from "./memcached-dialect.js";

export class MemcachedListener extends UserListener<MemcachedRequest, MemcachedServer> {
  constructor(parts: UserListenerParts) {
    super(parts, {
      name: MEMCACHED_LISTENER,
      fullText: "ERROR Too many open connections\r\n",
      makeServer: (host) => ({ host, delayedFlush: new DelayedFlush(host.environment) }),
      makeDialect: (server) => new MemcachedDialect(server),
    });
  }

  override stop(): Promise<void> {
    this.server.delayedFlush.cancel();
    return super.stop();
  }
}
