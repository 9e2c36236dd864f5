/** Listening to a socket in such a way that it can be handed on to somebody else. */
import type { Socket } from "node:net";

export interface SocketListeners {
  data(chunk: Buffer): void;
  end(): void;
  drain(): void;
  finish(): void;
  timeout(): void;
  error(reason: Error): void;
  close(): void;
}

/** @returns what ends the listening, of these listeners only: the socket has some of its own */
export function listenTo(socket: Socket, listeners: SocketListeners): () => void {
  const all = Object.entries(listeners) as [string, (...told: unknown[]) => void][];
  for (const [event, listener] of all) socket.on(event, listener);
  return () => {
    for (const [event, listener] of all) socket.off(event, listener);
  };
}
