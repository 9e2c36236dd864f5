/** Version 2 in messages: the same bytes as on TCP, of which the package may hold some that are no message yet. */
import type { ClientConnection } from "../../net/connections/client-connection.js";
import { type Closing, closing } from "../../net/connections/dialect.js";
import type { ConnectionHost } from "../dbsync/connection-host.js";
import { DbsyncDialect } from "../dbsync/dialect.js";
import type { MessageSocket } from "./message-socket.js";

export class WsDialect extends DbsyncDialect {
  readonly #socket: MessageSocket;
  #wasMidMessage = false;

  constructor(host: ConnectionHost, connection: ClientConnection<Buffer>, socket: MessageSocket) {
    super(host, connection);
    this.#socket = socket;
  }

  /** What is here has changed over to WebSocket already. */
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
    // Whoever has proved nothing has to say something else than that he is there.
    const isAlive = socket.hasPonged && this.isProven;
    socket.hasPonged = false;
    return isNew || isAlive;
  }

  override problem(isEnded: boolean): Closing | null {
    const { fault } = this.#socket;
    return fault === null ? super.problem(isEnded) : closing("malformed", fault);
  }
}
