/**
 * Limits the connections of --admin. Above the limit, idle connections are closed, so that a client that opens many
 * connections does not block health checks.
 */
import type { Server } from "node:http";
import type { Socket } from "node:net";

/** Limits the connections of a server. @param max  the maximum number of simultaneous connections */
export function limitAdminConnections(server: Server, max: number): void {
  /** All connections; the one that has been silent longest is first. */
  const all = new Set<Socket>();
  /** The connections with a request in progress. */
  const busy = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    if (all.size >= max) (firstWithout(all, busy) ?? firstOf(all))?.destroy();
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

function firstWithout(all: ReadonlySet<Socket>, excluded: ReadonlySet<Socket>): Socket | undefined {
  for (const one of all) if (!excluded.has(one)) return one;
  return undefined;
}

function firstOf([first]: Iterable<Socket>): Socket | undefined {
  return first;
}
