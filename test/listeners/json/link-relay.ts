/** A link between two servers that can be held: nothing comes through, nobody is told, and what was sent comes once it is let go. */
import { connect, createServer, type Socket } from "node:net";
import { listenAtFreePort } from "../../support/free-port.js";

export interface LinkRelay {
  readonly port: number;
  isHeld: boolean;
  close(): void;
}

export async function startLinkRelay(to: number): Promise<LinkRelay> {
  const sockets = new Set<Socket>();
  let isHeld = false;
  const joined = (one: Socket, other: Socket) => {
    sockets.add(one);
    one.on("error", () => {});
    one.on("data", (piece) => void other.write(piece));
    one.on("end", () => void other.end());
    one.on("close", () => {
      sockets.delete(one);
      if (!isHeld) other.destroy();
    });
    if (isHeld) one.pause();
  };
  const server = createServer({ pauseOnConnect: false, allowHalfOpen: true }, (socket) => {
    const other = connect({ port: to, host: "127.0.0.1", allowHalfOpen: true });
    joined(socket, other);
    joined(other, socket);
  });
  await listenAtFreePort(server);
  return {
    port: (server.address() as { port: number }).port,
    get isHeld() {
      return isHeld;
    },
    set isHeld(next) {
      isHeld = next;
      for (const socket of sockets) {
        if (next) socket.pause();
        else socket.resume();
      }
    },
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
