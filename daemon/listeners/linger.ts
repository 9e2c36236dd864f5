/**
 * The end of a connection, once all has been written: what the client still sends is read and dropped for a while, since
 * unread bytes would make our good-bye a reset, and a reset could cost the client the last answer. Then it is cut off.
 */
import type { Socket } from "node:net";
import type { Environment } from "../environment.js";

/** Milliseconds that a client may take to leave. */
export const LINGER_MS = 2000;

export function lingerThenCut(socket: Socket, environment: Pick<Environment, "setTimer">): void {
  socket.setTimeout(0);
  socket.once(
    "close",
    environment.setTimer(LINGER_MS, () => socket.destroy()),
  );
}
