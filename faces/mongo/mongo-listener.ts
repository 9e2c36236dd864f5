/** The listener of --mongo. */

import { isLoopback } from "../../daemon/net/process/host-and-port.js";
import { UserListener, type UserListenerParts } from "../users/user-listener.js";
import type { MongoMessage } from "./bytes/mongo-message.js";
import { MONGO_LISTENER, MongoDialect } from "./mongo-dialect.js";
import { MongoServer } from "./session/mongo-server.js";

export class MongoListener extends UserListener<MongoMessage, MongoServer> {
  constructor(parts: UserListenerParts) {
    const { daemon, gate } = parts;
    super(parts, {
      name: MONGO_LISTENER,
      fullText: "",
      makeServer: (host) => new MongoServer(host, daemon),
      makeDialect(server, connection) {
        const isPrivate = gate !== null || isLoopback(connection.address) === true;
        return new MongoDialect(server, connection, isPrivate);
      },
    });
  }

  /** The bytes that connections and cursors hold in memory. */
  override get bufferedBytes(): number {
    return super.bufferedBytes + this.server.cursors.bytes;
  }

  override async stop(): Promise<void> {
    await super.stop();
    this.server.cursors.stop();
  }
}
