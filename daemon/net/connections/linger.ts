/**
 * Closes a connection after all answers have been written. For a limited time it reads and discards the bytes that the
 * client still sends, because unread bytes would turn the close into a reset, and the client could lose the last
 * answer. Then it destroys the socket.
 */
import { Socket } from "node:net";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Environment } from "../process/clock-and-randomness.js";
import type { ClientSocket } from "./client-socket.js";

interface EndOptions {
  readonly idleTimeout: number;
  /** Whether the client sends no more requests and expects no more answers. */
  readonly isExpected: boolean;
  /** Whether the client has ended its stream, and all of it was read. */
  readonly inputEnded: boolean;
}

/** The milliseconds within which a client must close the connection. */
export const LINGER_MS = 2000;

/**
 * Writes the last bytes and ends the connection. If the client expects no more bytes, the socket is closed when the
 * last bytes have been sent; otherwise the connection continues to read and discard what the client still sends. If the
 * client has ended its stream and all answers are sent, the socket is closed without a shutdown, which would cost a
 * system call, two timers and several stream events for each client that connects for a single call. TLS connections
 * are always shut down, because TLS requires a last record.
 */
export function endSocket(
  socket: ClientSocket,
  last: ByteString,
  { idleTimeout, isExpected, inputEnded }: EndOptions,
): void {
  const isPlain = socket instanceof Socket && !("encrypted" in socket);
  if (isPlain && inputEnded && last === "" && socket.writableLength === 0) return void socket.destroy();
  if (last === "") socket.end();
  else socket.end(last, "latin1");
  socket.setTimeout(idleTimeout);
  if (isExpected) socket.destroySoon();
  else socket.resume();
}

export function destroyAfterLinger(socket: ClientSocket, environment: Environment): void {
  socket.setTimeout(0);
  socket.once(
    "close",
    environment.setTimer(LINGER_MS, () => socket.destroy()),
  );
}
