/** The listener of --memcached. */
import type { MemcachedRequest } from "../../protocol/memcached-requests.js";
import { UserListener, type UserListenerParts } from "../user-listener.js";
import { MEMCACHED_LISTENER, MemcachedDialect } from "./memcached-dialect.js";

export class MemcachedListener extends UserListener<MemcachedRequest> {
  constructor(parts: UserListenerParts) {
    super(parts, {
      name: MEMCACHED_LISTENER,
      fullText: "ERROR Too many open connections\r\n",
      makeServer: (host) => host,
      makeDialect: (host) => new MemcachedDialect(host),
    });
  }
}
