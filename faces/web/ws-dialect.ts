/**
 * The dialect of version 2 in WebSocket messages, with the same bytes as on TCP. The package `ws` may buffer bytes of
 * an incomplete message.
 */

import { DbsyncDialect } from "../../daemon/listener/dbsync-dialect.js";
import type { DbsyncServer } from "../../daemon/listener/dbsync-server.js";
import type { ClientConnection } from "../../daemon/net/connections/client-connection.js";
import { type Closing, closing } from "../../daemon/net/connections/dialect.js";
import type { MessageSocket } from "./message-socket.js";

export class WsDialect extends DbsyncDialect {
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
