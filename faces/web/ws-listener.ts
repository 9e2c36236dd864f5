/** The listener for browsers and other WebSocket clients. It exchanges the frames of version 2 as binary messages. */
import {
  DaemonListener,
  type DaemonListenerParts,
  type DaemonSocketHost,
} from "../../daemon/listener/daemon-listener.js";
import { DbsyncDialect } from "../../daemon/listener/dbsync-dialect.js";
import { DbsyncServer, type DbsyncService } from "../../daemon/listener/dbsync-server.js";
import { ClientConnection } from "../../daemon/net/connections/client-connection.js";
import { type Closing, closing } from "../../daemon/net/connections/dialect.js";
import type { ListenAddress } from "../../daemon/net/process/host-and-port.js";
import type { MessageSocket } from "./message-socket.js";
import { WebSocketUpgrade } from "./websocket-upgrade.js";

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

/**
 * Pings clients, so that lost ones are detected and proxies do not close idle connections. Browsers send no pings
 * themselves. A client that does not reply counts as silent, and is disconnected for that reason.
 */
class Heartbeats {
  readonly #host: DaemonSocketHost;
  readonly #sockets = new Set<MessageSocket>();
  #stop: (() => void) | null = null;

  constructor(host: DaemonSocketHost) {
    this.#host = host;
  }

  /** Pings the client until its socket closes. */
  begin(socket: MessageSocket): void {
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      if (this.#sockets.size > 0) return;
      this.#stop?.();
      this.#stop = null;
    });
    this.#stop ??= this.#plan();
  }

  #plan(): () => void {
    const { environment, limits } = this.#host;
    return environment.setTimer(limits.wsPing, () => {
      for (const socket of this.#sockets) socket.ping();
      this.#stop = this.#plan();
    });
  }
}

/**
 * The dialect of version 2 in WebSocket messages, with the same bytes as on TCP. The package `ws` may buffer bytes of
 * an incomplete message.
 */
class WsDialect extends DbsyncDialect {
  readonly #socket: MessageSocket;
  #wasMidMessage = false;

  constructor(server: DbsyncServer, connection: ClientConnection<Buffer>, socket: MessageSocket) {
    super(server, connection);
    this.#socket = socket;
  }

  /** Returns null, because the client has already switched from HTTP to WebSocket. */
  override foreignClient(): null {
    return null;
  }

  override get heldBytes(): number {
    return super.heldBytes + this.#socket.unfinishedBytes;
  }

  override get isMidRequest(): boolean {
    return super.isMidRequest || this.#socket.isMidMessage;
  }

  override push(chunk: Buffer): boolean {
    if (chunk.length > 0) return super.push(chunk);
    const socket = this.#socket;
    if (socket.failure !== undefined) throw socket.failure;
    const isNew = socket.isMidMessage && !this.#wasMidMessage && !super.isMidRequest;
    this.#wasMidMessage = socket.isMidMessage;
    // A pong keeps the connection open only if the client has proved its right to send commands.
    const isAlive = socket.hasPonged && this.isProven;
    socket.hasPonged = false;
    return isNew || isAlive;
  }

  override problem(isEnded: boolean): Closing | null {
    const { fault } = this.#socket;
    return fault === null ? super.problem(isEnded) : closing("malformed", fault);
  }
}
