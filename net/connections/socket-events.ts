/** Listens to a socket in such a way that it can be handed over. */
import type { ClientSocket, SocketListeners } from "./client-socket.js";

/** @returns what ends the listening, of these listeners only: the socket has some of its own */
export function listenTo(socket: ClientSocket, listeners: SocketListeners): () => void {
  const all = Object.entries(listeners) as [keyof SocketListeners, (...told: unknown[]) => void][];
  for (const [event, listener] of all) socket.on(event, listener);
  return () => {
    for (const [event, listener] of all) socket.off(event, listener);
  };
}
