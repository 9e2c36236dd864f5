/**
 * Closes a connection after everything has been written. For a while, what the client still sends is read and dropped:
 * unread bytes would turn our close into a reset, which could cost the client the last answer. Then it is cut off.
 */
import { Socket } from "node:net";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Environment } from "../process/environment.js";
import type { ClientSocket } from "./client-socket.js";

interface GoodBye {
  readonly idleTimeout: number;
  /** Whether the client sends and expects no more. */
  readonly isExpected: boolean;
  /** Whether all that the client has sent was read, up to its end. */
  readonly hasLeft: boolean;
}

/** Milliseconds that a client may take to leave. */
export const LINGER_MS = 2000;

/**
 * Writes the last bytes, and ends: immediately if the client expects no more, else what it still sends is read and dropped.
 * Where the client has ended its stream and has been sent everything, closing is all that is left: a shutdown before it would
 * cost clients that connect for each call one system call, two timers and several turns of a stream. TLS has a last record.
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
