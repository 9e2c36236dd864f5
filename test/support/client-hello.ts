/** Records the first bytes of a real TLS client. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { connect as connectTls } from "node:tls";
import { listenAtFreePort } from "./free-port.js";

/**
 * Returns the ClientHello of a TLS client. Its ALPN list contains `lines` as a protocol name, which TLS sends
 * unencrypted.
 */
export async function clientHello(lines: string): Promise<Buffer> {
  const server = createServer();
  const port = await listenAtFreePort(server);
  const client = connectTls({ host: "127.0.0.1", port, ALPNProtocols: [`\r\n${lines}\r\n`] });
  client.on("error", () => {});
  const [socket] = await once(server, "connection");
  const [hello] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  client.destroy();
  server.close();
  assert.ok(hello.includes(lines, 0, "latin1"), "the hello contains the lines");
  return hello;
}

/** Sends bytes and ends the stream. @returns everything that the listener sends until it closes the connection */
export async function answerUntilClosed(port: number, bytes: Buffer | string): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port });
  socket.on("error", () => {});
  socket.end(bytes);
  return await text(socket).catch(() => "");
}
