/** An attacker in a daemon's place that breaks the hello, and records what a client sends as version 1 afterwards. */
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { FrameParser } from "../../protocol/frame.js";
import { listenAtFreePort } from "./free-port.js";

export const THEFTS = ["closes on the hello", "resets on the hello", "closes at once"] as const;

export interface Thief extends AsyncDisposable {
  readonly address: string;
  /** Frames of version 1, as text. */
  readonly taken: string[];
  connections: number;
  hellos: number;
}

/**
 * Starts the attacker.
 * @param theft  how it treats a connection that does not begin with version 1; `closes late`: it closes the first one
 *   when an envelope has followed the hello, later ones on the hello
 */
export async function startThief(theft: (typeof THEFTS)[number] | "closes late"): Promise<Thief> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    thief.connections++;
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    // A closed connection brings nothing of version 1, so the next one stays open for it.
    if (theft === "closes at once" && thief.connections % 2 === 1) socket.end();
    const parser = new FrameParser(1 << 20);
    socket.on("data", (chunk: Buffer) => {
      const payloads = parser.push(chunk);
      if (parser.version === 2) {
        for (const payload of payloads) if (payload.includes("hello\r\n")) thief.hellos++;
        if (theft === "resets on the hello") socket.resetAndDestroy();
        else if (theft !== "closes late" || thief.connections > 1 || chunk.includes("command\r\n"))
          socket.end();
        return;
      }
      if (payloads.length > 0) socket.write("ds:1:\0");
      for (const payload of payloads) thief.taken.push(`ds:${payload.length}:${payload.toString("latin1")}`);
    });
  });
  await listenAtFreePort(server);
  const { port } = server.address() as { port: number };
  const thief: Thief = {
    address: `127.0.0.1:${port}`,
    taken: [],
    connections: 0,
    hellos: 0,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
  return thief;
}
