/** The listener on the daemon's main port (-p), for versions 1 and 2 of the protocol. */
import { ClientConnection } from "../net/connections/client-connection.js";
import { SharedInput } from "../net/connections/client-socket.js";
import { DaemonListener, type DaemonListenerParts } from "./daemon-listener.js";
import { DbsyncDialect } from "./dbsync-dialect.js";
import { DbsyncServer, type DbsyncService } from "./dbsync-server.js";

export class DbsyncListener extends DaemonListener {
  constructor(
    parts: Omit<DaemonListenerParts, "name" | "options" | "fullText" | "connector">,
    service: DbsyncService,
  ) {
    super({
      ...parts,
      // The version of a connection is known only after its first frame.
      name: "dbsync",
      options: { address: "-b", port: "-p" },
      fullText: "",
      connector(host) {
        const server = new DbsyncServer(host, service, 0);
        // Input is copied: envelopes may wait, be recorded or be forwarded, and a member's connection is handed over.
        const input = new SharedInput(true);
        const dialectOf = (connection: ClientConnection<Buffer>) => new DbsyncDialect(server, connection);
        return (accepted) => new ClientConnection(input.moveToBuffer(accepted), host, dialectOf);
      },
    });
  }
}
