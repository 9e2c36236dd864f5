/** The listener of versions 1 and 2: php-dbsync's port. */

import type { Pipeline } from "../../engine/pipeline/pipeline.js";
import type { SlowLog } from "../../engine/slow-log/slow-log.js";
import { ClientConnection } from "../../net/connections/client-connection.js";
import { SharedInput } from "../../net/connections/shared-input.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { DaemonListener, type DaemonListenerParts } from "../daemon-listener.js";
import type { LiveHost, TakeMember } from "./connection-host.js";
import { DbsyncDialect } from "./dbsync-dialect.js";

export interface DbsyncParts
  extends Omit<DaemonListenerParts, "name" | "options" | "fullText" | "connector"> {
  readonly closeAfterAnswer: boolean;
  readonly takesVersion1: boolean;
  /** The daemon's id, 32 bytes. */
  readonly daemon: ByteString;
  /** Takes the connections of other daemons; absent: they are served as clients. */
  readonly members?: TakeMember | null;
  /** The sources of events that clients may subscribe to; absent: there are none. */
  readonly live?: LiveHost | null;
  /** The log of slow commands; absent: none is written. */
  readonly slowLog?: SlowLog | null;
  readonly pipeline: Pipeline;
}

export class DbsyncListener extends DaemonListener {
  constructor(parts: DbsyncParts) {
    const { pipeline, daemon, closeAfterAnswer, takesVersion1 } = parts;
    const { members = null, live = null, slowLog = null } = parts;
    const own = {
      pipeline,
      daemon,
      closeAfterAnswer,
      takesVersion1,
      members,
      live,
      slowLog,
      ...({ version: 0, listener: "dbsync-v2" } as const),
    };
    super({
      ...parts,
      // The version of a connection is known only after its first frame.
      name: "dbsync",
      options: { address: "-b", port: "-p" },
      fullText: "",
      connector(host) {
        const whole = Object.assign(host, own);
        // Copies input: envelopes may wait, be recorded or be forwarded, and a member's connection is handed over.
        const input = new SharedInput(true);
        const dialectOf = (connection: ClientConnection<Buffer>) => new DbsyncDialect(whole, connection);
        return (accepted) => new ClientConnection(input.take(accepted), whole, dialectOf);
      },
    });
  }
}
