/** Tests sockets that read into one shared buffer. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { SharedInput } from "../../../../daemon/net/connections/client-socket.js";
import { listenAtFreePort } from "../../../support/free-port.js";

/**
 * Returns a client's socket, the socket that the server accepted, and the socket that has taken over the connection of
 * the accepted socket.
 */
async function pair(input: SharedInput): Promise<{ client: Socket; accepted: Socket; taken: Socket }> {
  const server = createServer({ allowHalfOpen: true });
  await listenAtFreePort(server);
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [accepted] = (await once(server, "connection")) as [Socket];
  server.close();
  return { client, accepted, taken: input.take(accepted) };
}

test("this version of Node supports the transfer of an accepted socket's connection", async () => {
  const { client, accepted, taken } = await pair(new SharedInput());
  assert.notEqual(taken, accepted);
  client.destroy();
  taken.destroy();
});

test("two sockets read their own bytes into the same memory", async () => {
  const input = new SharedInput();
  const pairs = [await pair(input), await pair(input)];
  const memories = new Set<ArrayBufferLike>();
  for (const [number, { client, taken }] of pairs.entries()) {
    let text = "";
    taken.on("data", (chunk: Buffer) => {
      memories.add(chunk.buffer);
      text += chunk.toString("latin1");
    });
    const sent = `${number}`.repeat(300_000);
    client.end(sent);
    await once(taken, "end");
    assert.equal(text, sent);
    taken.end("good-bye");
    const [answer] = (await once(client, "data")) as [Buffer];
    assert.equal(answer.toString("latin1"), "good-bye");
  }
  assert.equal(memories.size, 1);
});

test("later bytes do not overwrite chunks that are copied for their receiver", async () => {
  const { client, taken } = await pair(new SharedInput(true));
  const chunks: Buffer[] = [];
  taken.on("data", (chunk: Buffer) => chunks.push(chunk));
  for (const text of ["first", "second"]) {
    client.write(text);
    await once(taken, "data");
  }
  assert.equal(Buffer.concat(chunks).toString("latin1"), "firstsecond");
  client.destroy();
  taken.destroy();
});

test("a paused socket receives nothing until it is resumed", async () => {
  const { client, taken } = await pair(new SharedInput());
  let received = 0;
  taken.on("data", (chunk: Buffer) => {
    received += chunk.length;
    taken.pause();
  });

  client.write("a");
  await once(taken, "data");
  client.write("b");
  const quiet = await Promise.race([once(taken, "data"), new Promise((resolve) => setTimeout(resolve, 100))]);
  assert.equal(quiet, undefined);

  taken.resume();
  await once(taken, "data");
  assert.equal(received, 2);
  client.destroy();
  taken.destroy();
});
