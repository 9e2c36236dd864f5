/**
 * An attacker that poses as a daemon. It closes the connections on which a client sends the version 2 hello, and
 * records the version 1 frames that the client sends afterwards.
 */
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { FrameParser } from "../../protocol/frame.js";
import { listenAtFreePort } from "./free-port.js";

export const THEFTS = ["closes on the hello", "resets on the hello", "closes immediately"] as const;

export interface Thief extends AsyncDisposable {
  readonly address: string;
  /** Frames of version 1, as text. */
  readonly captured: string[];
  connections: number;
  hellos: number;
}

/**
 * Starts the attacker.
 * @param theft  what the attacker does to connections that do not begin with version 1; `closes late` closes the first
 *   connection after an envelope has followed the hello, and later connections on the hello
 */
export async function startThief(theft: (typeof THEFTS)[number] | "closes late"): Promise<Thief> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    thief.connections++;
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    // Only every second connection is closed, since a client cannot send version 1 on a closed connection.
    if (theft === "closes immediately" && thief.connections % 2 === 1) socket.end();

    const parser = new FrameParser(1 << 20);
    socket.on("data", (chunk: Buffer) => {
      const payloads = parser.split(chunk);
      if (parser.version === 2) {
        for (const payload of payloads) if (payload.includes("hello\r\n")) thief.hellos++;
        if (theft === "resets on the hello") socket.resetAndDestroy();
        else if (theft !== "closes late" || thief.connections > 1 || chunk.includes("command\r\n"))
          socket.end();
        return;
      }

      if (payloads.length > 0) socket.write("ds:1:\0");
      for (const payload of payloads)
        thief.captured.push(`ds:${payload.length}:${payload.toString("latin1")}`);
    });
  });

  await listenAtFreePort(server);
  const { port } = server.address() as { port: number };
  const thief: Thief = {
    address: `127.0.0.1:${port}`,
    captured: [],
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
