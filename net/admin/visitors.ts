/**
 * Bounds the connections of --admin: above the limit idle ones are closed, so that a client that opens many keeps no
 * health check out.
 */
import type { Server } from "node:http";
import type { Socket } from "node:net";

/** @param most  connections at a time */
export function boundVisitors(server: Server, most: number): void {
  /** All connections, the one that has been silent longest first. */
  const all = new Set<Socket>();
  /** Connections with a request that is being answered. */
  const busy = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    if (all.size >= most) (firstWithout(all, busy) ?? firstOf(all))?.destroy();
    all.add(socket);
    socket.once("close", () => {
      all.delete(socket);
      busy.delete(socket);
    });
  });
  server.on("request", ({ socket }, response) => {
    all.delete(socket);
    all.add(socket);
    busy.add(socket);
    response.once("close", () => busy.delete(socket));
  });
}

function firstWithout(all: ReadonlySet<Socket>, others: ReadonlySet<Socket>): Socket | undefined {
  for (const one of all) if (!others.has(one)) return one;
  return undefined;
}

function firstOf([first]: Iterable<Socket>): Socket | undefined {
  return first;
}
