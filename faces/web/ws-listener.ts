/** The listener for browsers and other WebSocket clients. It exchanges the frames of version 2 as binary messages. */

import { DaemonListener, type DaemonListenerParts } from "../../daemon/listener/daemon-listener.js";
import { DbsyncServer, type DbsyncService } from "../../daemon/listener/dbsync-server.js";
import { ClientConnection } from "../../daemon/net/connections/client-connection.js";
import type { ListenAddress } from "../../daemon/net/process/host-and-port.js";
import { Heartbeats } from "./heartbeats.js";
import { WebSocketUpgrade } from "./websocket-upgrade.js";
import { WsDialect } from "./ws-dialect.js";

/** The settings of --ws. */
export interface WsSettings {
  readonly ws: ListenAddress;
  readonly wsOrigins: readonly string[];
}

export class WsListener extends DaemonListener {
  constructor(
    parts: Omit<DaemonListenerParts, "name" | "options" | "fullText" | "connector" | "address" | "port">,
    service: DbsyncService,
    settings: WsSettings,
  ) {
    const { address } = settings.ws;
    // Version 1 is signed differently, and members have their own port.
    const own = { ...service, closeAfterAnswer: false, takesVersion1: false, members: null };
    super({
      ...parts,
      ...settings.ws,
      name: "ws",
      options: { address: "--ws", port: "--ws" },
      fullText: "",
      connector(host) {
        const server = new DbsyncServer(host, own, 2);
        const heartbeats = new Heartbeats(host);
        const doorway = new WebSocketUpgrade(address, settings.wsOrigins, host);
        return (raw) => {
          const socket = doorway.admit(raw);
          heartbeats.begin(socket);
          return new ClientConnection<Buffer>(
            socket,
            host,
            (connection) => new WsDialect(server, connection, socket),
          );
        };
      },
    });
  }
}
