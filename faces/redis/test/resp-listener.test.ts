/** Tests long values that share one output buffer. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { writeBulk, writeCommand } from "../../../protocol/resp/resp-writer.js";
import { listenAtFreePort } from "../../../test/support/free-port.js";
import { LONG_BYTES, SharedOutput } from "../resp-listener.js";
import { exchange, startResp } from "./scene.js";

/** Returns bytes of all values, which begin with another value for each seed. */
function bytes(length: number, seed: number): string {
  const all = Array.from({ length: 256 }, (_, i) => String.fromCharCode((i * 7 + seed) & 0xff)).join("");
  return all.repeat(Math.ceil(length / 256)).slice(0, length);
}

async function pair(): Promise<{ client: Socket; socket: Socket }> {
  const server = createServer();
  await listenAtFreePort(server);
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [socket] = (await once(server, "connection")) as [Socket];
  server.close();
  return { client, socket };
}

async function received(client: Socket): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of client) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString("latin1");
}

test("values of any length reach their client unchanged, with the text around them", async () => {
  const output = new SharedOutput();
  const { client, socket } = await pair();
  const lengths = [0, 1, LONG_BYTES, 65_535, 65_536, 65_537, 131_072, 1_000_000];
  const values = lengths.map((length, seed) => bytes(length, seed));
  for (const value of values) output.write(socket, "<", value, ">");
  socket.end();
  assert.equal(await received(client), values.map((value) => `<${value}>`).join(""));
});

test("bytes that a client has not received stay unchanged while another client is written to", async () => {
  const output = new SharedOutput();
  const slow = await pair();
  slow.client.pause();
  let sent = "";
  for (let seed = 0; slow.socket.writableLength === 0; seed++) {
    const value = bytes(LONG_BYTES + seed, seed);
    output.write(slow.socket, "<", value, ">");
    sent += `<${value}>`;
  }

  const value = bytes(200_000, 99);
  const quick = await pair();
  for (const { socket } of [slow, quick]) {
    output.write(socket, "(", value, ")");
    socket.end();
  }

  assert.equal(await received(quick.client), `(${value})`);
  assert.equal(await received(slow.client), `${sent}(${value})`);
});

test("long values keep their position among the other answers of a pipeline", async () => {
  await using scene = await startResp();
  const value = bytes(100_000, 1);
  const commands = [["SET", "k", value], ["PING"], ["GET", "k"], ["GET", "none"], ["GET", "k"], ["PING"]];
  const answer = await exchange(scene.port, commands.map(writeCommand).join(""));
  assert.equal(answer, `+OK\r\n+PONG\r\n${writeBulk(value)}$-1\r\n${writeBulk(value)}+PONG\r\n`);
});
