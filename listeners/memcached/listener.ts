/** The listener of --memcached. */
import { ClientConnection } from "../../net/connections/client-connection.js";
import { SharedInput } from "../../net/connections/shared-input.js";
import { DaemonListener } from "../daemon-listener.js";
import type { UserListenerParts } from "../user-listener.js";
import { MEMCACHED_LISTENER, MemcachedDialect } from "./dialect.js";

export class MemcachedListener extends DaemonListener {
  constructor(parts: Omit<UserListenerParts, "daemon">) {
    const { path, users, memory } = parts;
    super({
      ...parts,
      name: MEMCACHED_LISTENER,
      options: { address: "--memcached", port: "--memcached" },
      fullText: "ERROR Too many open connections\r\n",
      connector(host) {
        const whole = Object.assign(host, { path, users, memory });
        const input = new SharedInput();
        return (socket) => new ClientConnection(input.take(socket), whole, () => new MemcachedDialect(whole));
      },
    });
  }
}
