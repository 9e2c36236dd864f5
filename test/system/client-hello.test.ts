/**
 * When a text listener without TLS receives a TLS ClientHello, it closes the connection and runs no part
 * of the hello as a command. Here the session ticket and the names in the hello contain lines with commands.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { freePort, listenAtFreePort } from "../support/free-port.js";
import { ask } from "../support/json-lines.js";
import { within } from "../support/pause.js";
import { RawClient } from "../support/raw-client.js";
import { RedisConnection } from "../support/redis-connection.js";

const CLOSED_MS = 20_000;

/** Returns the first bytes that Node's TLS client sends. */
async function clientHello(): Promise<Buffer> {
  const server = createServer();
  await listenAtFreePort(server);
  const client = connectTls({
    port: (server.address() as AddressInfo).port,
    host: "127.0.0.1",
    ALPNProtocols: [`dbsync${"x".repeat(200)}`],
    maxVersion: "TLSv1.2",
  });
  client.on("error", () => {});
  const [socket] = await once(server, "connection");
  const [hello] = await once(socket, "data");
  client.destroy();
  socket.destroy();
  server.close();
  return hello as Buffer;
}

/**
 * Returns the ClientHello with commands in its ALPN name. A client can choose this name and its session ticket
 * freely.
 */
async function helloWith(lines: string): Promise<Buffer> {
  const hello = Buffer.from(await clientHello());
  const at = hello.indexOf("x".repeat(200));
  assert.ok(at > 0 && lines.length <= 200);
  hello.write(lines, at, "latin1");
  return hello;
}

/**
 * Sends bytes and waits until the daemon closes the connection, at most for a fixed time.
 * @returns whether the daemon has closed it
 */
async function send(port: number, bytes: Buffer): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.resume();
  const closed = once(socket, "close").then(() => true);
  socket.write(bytes);
  const isClosed = (await within(CLOSED_MS, closed)) ?? false;
  socket.destroy();
  return isClosed;
}

describe("a text listener that receives a ClientHello", { timeout: 300_000, concurrency: true }, () => {
  let daemon: DaemonProcess;
  let resp = 0;
  const ports: Record<string, number> = {};

  before(async () => {
    resp = await freePort();
    for (const name of ["memcached", "sql", "json"]) ports[name] = await freePort();
    const listenerArgs = Object.entries(ports).flatMap(([name, port]) => [`--${name}`, String(port)]);
    daemon = await startDaemon(["--resp", String(resp), ...listenerArgs]);
    using line = await RedisConnection.open(resp);
    await line.value("SQL", "", "create database shop");
    await line.value("SQL", "shop", "create table t (k number)");
  });
  after(async () => {
    await daemon[Symbol.asyncDispose]();
  });

  test("closes the connection and sets nothing: memcached", async () => {
    const hello = await helloWith("\r\nset hidden 0 0 1\r\nx\r\n");
    const isClosed = await send(ports["memcached"] as number, hello);
    using line = await RedisConnection.open(resp);
    assert.equal(await line.value("EXISTS", "hidden"), 0, "the hidden command was not executed");
    assert.ok(isClosed, "the connection is closed");
  });

  test("closes the connection and inserts nothing: SQL", async () => {
    const hello = await helloWith(";\nuse shop;\ninsert into t values (1);\n");
    const isClosed = await send(ports["sql"] as number, hello);
    using line = await RedisConnection.open(resp);
    const rows = JSON.stringify(await line.value("SQL", "shop", "select k from t"));
    assert.doesNotMatch(rows, /\[\["?1/, "the hidden statement was not executed");
    assert.ok(isClosed, "the connection is closed");
  });

  test("closes the connection and creates nothing: JSON", async () => {
    const hello = await helloWith('\n{"action":"create","document":"hidden"}\n');
    const isClosed = await send(ports["json"] as number, hello);
    using line = await RawClient.open(ports["json"] as number);
    assert.doesNotMatch(await ask(line, { action: "list" }), /hidden/);
    assert.ok(isClosed, "the connection is closed");
  });
});
