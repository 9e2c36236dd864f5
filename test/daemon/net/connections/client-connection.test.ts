/** Tests when the daemon closes a connection immediately, and when it first sends or reads the remaining bytes. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { endSocket } from "../../../../daemon/net/connections/client-connection.js";
import { listenAtFreePort } from "../../../support/free-port.js";
import { RawClient } from "../../../support/raw-client.js";

interface Pair extends AsyncDisposable {
  readonly client: RawClient;
  /** The server's end. */
  readonly socket: Socket;
}

async function connected(): Promise<Pair> {
  const server = createServer({ allowHalfOpen: true });
  const port = await listenAtFreePort(server);
  const accepted = once(server, "connection");
  const client = await RawClient.open(port);
  const [socket] = (await accepted) as [Socket];
  socket.resume();
  return {
    client,
    socket,
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      socket.destroy();
      server.close();
    },
  };
}

const LEFT = { idleTimeout: 60_000, isExpected: true, inputEnded: true };

test("a connection closes immediately if all bytes were sent and the client has ended its stream", async () => {
  await using pair = await connected();
  const { client, socket } = pair;
  socket.write("answer");
  client.socket.end();
  await once(socket, "end");
  endSocket(socket, "", LEFT);
  assert.equal(socket.destroyed, true);
  assert.equal(await client.rest(), "answer");
});

test("bytes that are written but not yet sent are sent before the connection closes", async () => {
  await using pair = await connected();
  const { client, socket } = pair;
  client.socket.end();
  await once(socket, "end");
  socket.cork();
  socket.write("answer");
  endSocket(socket, "", LEFT);
  assert.equal(await client.rest(), "answer");
});

test("the last bytes are sent before the connection closes", async () => {
  await using pair = await connected();
  const { client, socket } = pair;
  client.socket.end();
  await once(socket, "end");
  endSocket(socket, "last", LEFT);
  assert.equal(await client.rest(), "last");
});

test("a connection stays open while its client may still send bytes", async () => {
  await using pair = await connected();
  const { client, socket } = pair;
  endSocket(socket, "", { ...LEFT, isExpected: false, inputEnded: false });
  assert.equal(socket.destroyed, false);
  assert.equal(await client.rest(), "");
});
