/**
 * Closes a connection after all answers have been written. For a limited time it reads and discards the bytes that the
 * client still sends, because unread bytes would turn the close into a reset, and the client could lose the last
 * answer. Then it destroys the socket.
 */
import { Socket } from "node:net";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Environment } from "../process/environment.js";
import type { ClientSocket } from "./client-socket.js";

interface GoodBye {
  readonly idleTimeout: number;
  /** Whether the client sends no more and expects no more answers. */
  readonly isExpected: boolean;
  /** Whether the client has ended its stream, and all of it was read. */
  readonly hasLeft: boolean;
}

/** The milliseconds within which a client must close the connection. */
export const LINGER_MS = 2000;

/**
 * Writes the last bytes and ends the connection: immediately if the client expects no more, otherwise it continues to
 * read and discard. If the client has ended its stream and all answers are sent, it only closes the socket. A shutdown
 * before that would cost clients that connect for each call a system call, two timers and several stream events. TLS
 * needs its last record.
 */
export function sayGoodBye(
  socket: ClientSocket,
  last: ByteString,
  { idleTimeout, isExpected, hasLeft }: GoodBye,
): void {
  const isPlain = socket instanceof Socket && !("encrypted" in socket);
  if (isPlain && hasLeft && last === "" && socket.writableLength === 0) return void socket.destroy();
  if (last === "") socket.end();
  else socket.end(last, "latin1");
  socket.setTimeout(idleTimeout);
  if (isExpected) socket.destroySoon();
  else socket.resume();
}

export function lingerThenCut(socket: ClientSocket, environment: Environment): void {
  socket.setTimeout(0);
  socket.once(
    "close",
    environment.setTimer(LINGER_MS, () => socket.destroy()),
  );
}
