/** The listener of a proxy for the SQL line protocol. */
import type { Logger } from "pino";
import { ClientConnection } from "../../../daemon/net/connections/client-connection.js";
import { SharedInput } from "../../../daemon/net/connections/client-socket.js";
import { CONNECTION_REFUSALS } from "../../../daemon/net/connections/connection-refusals.js";
import { SocketListener } from "../../../daemon/net/connections/socket-listener.js";
import type { Environment } from "../../../daemon/net/process/clock-and-randomness.js";
import { FULL_FRAME } from "../../../faces/sql/bytes/sql-frames.js";
import {
  type ClientLimits,
  LINE_LISTENER,
  LineDialect,
  type LineObserver,
  type LineSession,
} from "./line-dialect.js";

export interface LineListenerParts {
  /** An address, not a name. */
  readonly address: string;
  /** The port; 0: any free one. */
  readonly port: number;
  readonly limits: ClientLimits;
  readonly observer: LineObserver;
  readonly environment: Environment;
  readonly log: Logger;
  /** Creates the session of a new client. */
  readonly makeSession: () => LineSession;
}

export class LineListener extends SocketListener<ClientLimits, LineObserver> {
  constructor({ makeSession, ...parts }: LineListenerParts) {
    super({
      ...parts,
      name: LINE_LISTENER,
      options: { address: "--listen", port: "--listen" },
      gate: null,
      fullText: FULL_FRAME,
      refusals: CONNECTION_REFUSALS,
      connector(host) {
        const input = new SharedInput();
        return (socket) =>
          new ClientConnection(input.take(socket), host, () => new LineDialect(host, makeSession()));
      },
    });
  }
}
