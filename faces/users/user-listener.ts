/**
 * A listener whose clients have names and passwords instead of keys. A `UserProtocol` describes what differs between
 * protocols.
 */
import type { Socket } from "node:net";
import type { CommandPath } from "../../daemon/engine/backends/command-path.js";
import type { MemoryLimit } from "../../daemon/engine/memory/memory-limit.js";
import {
  DaemonListener,
  type DaemonListenerParts,
  type DaemonSocketHost,
} from "../../daemon/listener/daemon-listener.js";
import { ClientConnection } from "../../daemon/net/connections/client-connection.js";
import { SharedInput } from "../../daemon/net/connections/client-socket.js";
import type { Dialect } from "../../daemon/net/connections/dialect.js";
import type { UserListenerName } from "../../daemon/options/option-table.js";
import type { DaemonInterface } from "./daemon-interface.js";
import type { Users } from "./users.js";

export interface UserListenerOptions
  extends Omit<DaemonListenerParts, "name" | "options" | "fullText" | "connector"> {
  readonly path: CommandPath;
  readonly users: Users;
  readonly daemon: DaemonInterface;
  readonly memory: MemoryLimit;
}

/** The listener as its connections see it. */
export interface UserSocketHost extends DaemonSocketHost {
  readonly path: CommandPath;
  readonly users: Users;
  readonly memory: MemoryLimit;
}

/** @typeParam Server  the state that all connections share */
export interface UserProtocol<Request, Server> {
  /** The name of the listener's option and metrics. */
  readonly name: UserListenerName;
  /** The text that is sent to a client above the connection limit; if empty, nothing is sent. */
  readonly fullText: string;
  /** Creates the state that all connections share. Called once. */
  readonly makeServer: (host: UserSocketHost) => Server;
  /** Creates the dialect of a new connection. */
  readonly makeDialect: (server: Server, connection: ClientConnection<Request>) => Dialect<Request>;
  /** Sets up the socket of a new connection. */
  readonly prepare?: (server: Server, socket: Socket) => void;
}

export class UserListener<Request, Server = UserSocketHost> extends DaemonListener {
  protected readonly server: Server;

  constructor(options: UserListenerOptions, protocol: UserProtocol<Request, Server>) {
    const { path, users, memory } = options;
    const { name, fullText, makeServer, makeDialect, prepare } = protocol;
    // The base class calls `connector` once, while this object cannot store the result yet.
    let created!: Server;
    super({
      ...options,
      name,
      options: { address: `--${name}`, port: `--${name}` },
      fullText,
      connector(host) {
        const extended = Object.assign(host, { path, users, memory });
        const server = makeServer(extended);
        const dialectOf = (connection: ClientConnection<Request>) => makeDialect(server, connection);
        created = server;
        const input = new SharedInput();
        return (accepted) => {
          const socket = input.moveToBuffer(accepted);
          prepare?.(server, socket);
          return new ClientConnection(socket, extended, dialectOf);
        };
      },
    });
    this.server = created;
  }
}
