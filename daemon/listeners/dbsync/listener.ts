/** The listener of versions 1 and 2: php-dbsync's port. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { ClientConnection } from "../../../serving/connections/client-connection.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import { DaemonListener, type DaemonListenerParts } from "../daemon-listener.js";
import type { TakeMember } from "./connection-host.js";
import { DbsyncDialect } from "./dialect.js";

export interface DbsyncParts
  extends Omit<DaemonListenerParts, "name" | "options" | "fullText" | "connector"> {
  readonly closeAfterAnswer: boolean;
  readonly takesVersion1: boolean;
  /** The daemon's id, 32 bytes. */
  readonly daemon: ByteString;
  /** Takes connections of other daemons; without it they are served as clients. */
  readonly members?: TakeMember | null;
  readonly pipeline: Pipeline;
}

export class DbsyncListener extends DaemonListener {
  constructor(parts: DbsyncParts) {
    const { pipeline, daemon, closeAfterAnswer, takesVersion1 } = parts;
    const own = { pipeline, daemon, closeAfterAnswer, takesVersion1, members: parts.members ?? null };
    super({
      ...parts,
      // Which version a connection speaks is seen only at its first frame.
      name: "dbsync",
      options: { address: "-b", port: "-p" },
      fullText: "",
      connector(host) {
        const whole = Object.assign(host, own);
        return (socket) =>
          new ClientConnection(socket, whole, ({ remote }) => new DbsyncDialect(whole, remote));
      },
    });
  }
}
