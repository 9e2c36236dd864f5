/** Tests when the daemon closes a connection immediately, and when it first sends or reads the remaining bytes. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { ClientConnection, endSocket } from "../../../../daemon/net/connections/client-connection.js";
import { Dialect } from "../../../../daemon/net/connections/dialect.js";
import { TURN_MS } from "../../../../protocol/steps.js";
import { listenAtFreePort } from "../../../support/free-port.js";
import { RawClient } from "../../../support/raw-client.js";
import { until } from "../../../support/until.js";
import { plainListener } from "./plain-listener.js";

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
  assert.equal(await client.readToClose(), "answer");
});

test("bytes that are written but not yet sent are sent before the connection closes", async () => {
  await using pair = await connected();
  const { client, socket } = pair;
  client.socket.end();
  await once(socket, "end");
  socket.cork();
  socket.write("answer");
  endSocket(socket, "", LEFT);
  assert.equal(await client.readToClose(), "answer");
});

test("the last bytes are sent before the connection closes", async () => {
  await using pair = await connected();
  const { client, socket } = pair;
  client.socket.end();
  await once(socket, "end");
  endSocket(socket, "last", LEFT);
  assert.equal(await client.readToClose(), "last");
});

test("a connection stays open while its client may still send bytes", async () => {
  await using pair = await connected();
  const { client, socket } = pair;
  endSocket(socket, "", { ...LEFT, isExpected: false, inputEnded: false });
  assert.equal(socket.destroyed, false);
  assert.equal(await client.readToClose(), "");
});

/** A dialect whose requests are single bytes. Each is answered with the number of turns since the first request. */
class TurnCounting extends Dialect<number> {
  readonly listener = "test";
  readonly showsBytes = true;
  readonly isProven = true;
  readonly isClosing = false;
  readonly silenceMaxMs = 0;
  #bytes: number[] = [];
  #turns = -1;
  protected readonly parser = {
    heldBytes: 0,
    isMidRequest: false,
    push: (chunk: Buffer) => void this.#bytes.push(...chunk),
    next: () => this.#bytes.shift() ?? null,
  };

  serve(): string {
    if (this.#turns === -1) this.#count();
    return String(this.#turns);
  }

  bytesOf(): number {
    return 1;
  }

  problem(): null {
    return null;
  }

  #count(): void {
    this.#turns++;
    if (this.#turns < 9) setImmediate(() => this.#count());
  }
}

/** Returns the answers to three requests that arrive together, if each reading of the clock takes a time. */
async function answersAt(milliseconds: number): Promise<string> {
  let now = 0;
  const listener = plainListener(
    (registry) => (socket) => new ClientConnection(socket, registry, () => new TurnCounting()),
    () => (now += milliseconds),
  );
  await listener.start();
  try {
    using client = await RawClient.open(listener.address.port);
    client.send("abc");
    return await client.read(3);
  } finally {
    await listener.stop();
  }
}

test("requests that arrive together run in one turn, until the turn has lasted too long", async () => {
  assert.equal(await answersAt(0), "000");
  assert.equal(await answersAt(TURN_MS + 1), "012");
});

test("pushed bytes arrive in their order, those of each turn, without a request of the client", async () => {
  const opened: ClientConnection<number>[] = [];
  const listener = plainListener((registry) => (socket) => {
    const connection = new ClientConnection(socket, registry, () => new TurnCounting());
    opened.push(connection);
    return connection;
  });
  await listener.start();
  try {
    using client = await RawClient.open(listener.address.port);
    await until("the daemon has accepted the client", () => opened.length === 1);
    for (const texts of [["one ", "two "], ["three "], ["four ", "five "]]) {
      for (const text of texts) opened[0]?.push(text);
      assert.equal(await client.read(texts.join("").length), texts.join(""));
    }
  } finally {
    await listener.stop();
  }
});
