/** A listener whose clients have names and passwords instead of keys. What is its own is a `UserProtocol`. */
import type { Socket } from "node:net";
import type { MemoryLimit } from "../engine/memory/memory-limit.js";
import type { CommandPath } from "../engine/users/command-path.js";
import type { Users } from "../engine/users/users.js";
import { ClientConnection } from "../net/connections/client-connection.js";
import type { Dialect } from "../net/connections/dialect.js";
import { SharedInput } from "../net/connections/shared-input.js";
import type { UserListenerName } from "../options/settings.js";
import type { DaemonFace } from "./daemon-face.js";
import { DaemonListener, type DaemonListenerParts, type DaemonSocketHost } from "./daemon-listener.js";

export interface UserListenerParts
  extends Omit<DaemonListenerParts, "name" | "options" | "fullText" | "connector"> {
  readonly path: CommandPath;
  readonly users: Users;
  readonly daemon: DaemonFace;
  readonly memory: MemoryLimit;
}

/** What every connection of such a listener is given. */
export interface UserSocketHost extends DaemonSocketHost {
  readonly path: CommandPath;
  readonly users: Users;
  readonly memory: MemoryLimit;
}

export interface UserProtocol<Request> {
  /** The name of its option, and of its metrics. */
  readonly name: UserListenerName;
  /** What a client is sent that is one too many; "": nothing. */
  readonly fullText: string;
  /** Called once. @returns what makes the dialect of a connection */
  readonly dialects: (host: UserSocketHost) => (connection: ClientConnection<Request>) => Dialect<Request>;
  /** Sets up the socket of a new connection. */
  readonly prepare?: (socket: Socket) => void;
}

export class UserListener<Request> extends DaemonListener {
  constructor(parts: Omit<UserListenerParts, "daemon">, protocol: UserProtocol<Request>) {
    const { path, users, memory } = parts;
    const { name, fullText, dialects, prepare } = protocol;
    super({
      ...parts,
      name,
      options: { address: `--${name}`, port: `--${name}` },
      fullText,
      connector(host) {
        const whole = Object.assign(host, { path, users, memory });
        const dialectOf = dialects(whole);
        const input = new SharedInput();
        return (accepted) => {
          const socket = input.take(accepted);
          prepare?.(socket);
          return new ClientConnection(socket, whole, dialectOf);
        };
      },
    });
  }
}
