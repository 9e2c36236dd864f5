/** A WebSocket server that does nothing but give each message to all: what --ws is measured beside. */
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";

const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
server.on("connection", (socket) => {
  socket.on("error", () => socket.terminate());
  socket.on("message", (message: Buffer) => {
    for (const client of server.clients) client.send(message, { binary: true });
  });
});
server.on("listening", () =>
  console.log(JSON.stringify({ msg: "listening", port: (server.address() as AddressInfo).port })),
);
