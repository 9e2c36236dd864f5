/**
 * The end of a connection, once all has been written: what the client still sends is read and dropped for a while, since
 * unread bytes would make our good-bye a reset, and a reset could cost the client the last answer. Then it is cut off.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Environment } from "../process/environment.js";
import type { ClientSocket } from "./client-socket.js";

/** Milliseconds that a client may take to leave. */
export const LINGER_MS = 2000;

/** Writes the last bytes, and ends: at once if the client expects no more, else what it still sends is read and dropped. */
export function sayGoodBye(
  socket: ClientSocket,
  last: ByteString,
  { idleTimeout, isExpected }: { readonly idleTimeout: number; readonly isExpected: boolean },
): void {
  if (last === "") socket.end();
  else socket.end(last, "latin1");
  socket.setTimeout(idleTimeout);
  if (isExpected) socket.destroySoon();
  else socket.resume();
}

export function lingerThenCut(socket: ClientSocket, environment: Pick<Environment, "setTimer">): void {
  socket.setTimeout(0);
  socket.once(
    "close",
    environment.setTimer(LINGER_MS, () => socket.destroy()),
  );
}
