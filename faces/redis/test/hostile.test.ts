/** Tests that hostile and malfunctioning clients do not disturb the service, and that their resources are released. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { ALL_COMMANDS_SUPPORTED } from "../../../daemon/engine/backends/command-path.js";
import { bulk, type Reply } from "../../../protocol/reply.js";
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import { bytesInUse } from "../../../test/support/garbage.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { seed } from "../../../test/support/seed.js";
import { SeededRandom } from "../../../test/support/seeded-random.js";
import { until } from "../../../test/support/until.js";
import { exchange, type RespScene, startResp } from "./scene.js";

const MIB = 1024 * 1024;

async function assertServes({ port, listener }: RespScene): Promise<void> {
  assert.equal(await exchange(port, "PING\r\n"), "+PONG\r\n");
  await until("buffered bytes are released", () => listener.bufferedBytes === 0);
}

test("a half-closed connection receives all its answers", async () => {
  await using scene = await startResp();
  assert.equal(await exchange(scene.port, "SET k 1\r\nINCR k\r\nGET k"), "+OK\r\n:2\r\n");
  await assertServes(scene);
});

test("a client that continues to send after the closing error is disconnected", async () => {
  await using scene = await startResp();
  for (const [last, answer] of [
    ["QUIT\r\n", "+OK\r\n"],
    ["*x\r\n", "-ERR Protocol error: invalid multibulk length\r\n"],
  ] as const) {
    using client = await RawClient.open(scene.port);
    client.send(last);
    assert.equal(await client.rest(), answer);
    await until("the client is disconnected", () => {
      if (!client.socket.destroyed) client.send("PING\r\n");
      return client.socket.destroyed;
    });
  }
  await assertServes(scene);
});

test("the requests of a client that does not read yet wait, while other clients are served", async () => {
  await using scene = await startResp();
  const big = "x".repeat(60_000);
  assert.equal(await exchange(scene.port, `SET big ${big}\r\n`), "+OK\r\n");

  using client = await RawClient.open(scene.port);
  client.socket.pause();
  // Together they are longer than what the system buffers, and the client reads only when it has sent all of them.
  client.send("GET big\r\n".repeat(1000));
  client.send(writeCommand(["SET", "other", "y".repeat(16 * MIB)]));
  client.send("PING\r\n");
  await until("all requests are received", () => scene.listener.bufferedBytes > 16 * MIB);
  assert.equal(await exchange(scene.port, "EXISTS other\r\n"), ":0\r\n");
  const unread = [...scene.listener.clients].map(({ unreadBytes }) => unreadBytes);
  assert.ok(Math.max(...unread) < 2 * MIB, `${unread} bytes of answers wait`);

  client.socket.resume();
  const answers = `$60000\r\n${big}\r\n`.repeat(1000);
  assert.ok((await client.readTo("+PONG\r\n")) === `${answers}+OK\r\n+PONG\r\n`);
  assert.equal(await exchange(scene.port, "STRLEN other\r\n"), `:${16 * MIB}\r\n`);
  await assertServes(scene);
});

test("an answer longer than the maximum string length closes its connection, and other clients are served", async () => {
  await using scene = await startResp();
  assert.equal(await exchange(scene.port, writeCommand(["SET", "big", "x".repeat(8 * MIB)])), "+OK\r\n");
  const mget = writeCommand(["MGET", ...Array.from({ length: 65 }, () => "big")]);
  assert.equal(await exchange(scene.port, mget), "");
  assert.equal(await exchange(scene.port, `HELLO 3\r\n${mget}PING\r\n`), "");
  assert.ok(scene.log.some(({ reason }) => reason === "answer-too-long"));
  await assertServes(scene);
});

test("pending answers together may exceed the maximum string length", async () => {
  const answer = bulk("x".repeat(16 * MIB));
  let resolve: (reply: Reply) => void = () => {};
  const first = new Promise<Reply>((settle) => {
    resolve = settle;
  });
  let calls = 0;
  const execute = () => (calls++ === 0 ? first : Promise.resolve(answer));

  const path = {
    databases: 16,
    records: true,
    writersOf: (_: number, keys: readonly string[]) => keys.map(() => ""),
    appliesAhead: false,
    decides: false,
    whenSafe: (reply: Reply) => reply,
    localData: { closedDates: null, writesDecided: () => false, inspect: () => assert.fail() },
    unsupported: ALL_COMMANDS_SUPPORTED,
    hold: () => true,
    keyCounts: [],
    expiredKeys: 0,
    changes: null,
    observeWrites() {},
    others: null,
    execute,
    send: execute,
    executeTogether: () => assert.fail(),
    sharing: <Result>(run: () => Result) => run(),
    executeInSteps: () => assert.fail(),
  };

  await using scene = await startResp({ path, limits: { maxOutputBytes: 64 * MIB } });
  using client = await RawClient.open(scene.port);
  client.send("GETDEL k\r\n".repeat(40));
  await until("all commands are running", () => calls === 40);

  resolve(answer);
  await client.rest();
  assert.ok(scene.log.some(({ reason }) => reason === "answer-too-long"));
});

test("a client that reads nothing for --idle-timeout is disconnected", async () => {
  await using scene = await startResp({ limits: { idleTimeout: 2000 } });
  assert.equal(await exchange(scene.port, `SET big ${"x".repeat(60_000)}\r\n`), "+OK\r\n");
  using nonReader = await RawClient.open(scene.port);
  nonReader.socket.pause();
  nonReader.send("GET big\r\n".repeat(200));
  await until("the connection is closed", () => scene.log.some(({ reason }) => reason === "output-stuck"));
  await assertServes(scene);
});

test("25 MB of commands that arrive together are answered, and other clients are served meanwhile", async () => {
  await using scene = await startResp();
  const socket = connect(scene.port, "127.0.0.1");
  await once(socket, "connect");

  const piece = Buffer.from("*1\r\n$4\r\nPING\r\n".repeat(75_000));
  const rounds = 25;
  let received = 0;
  const all = new Promise<void>((resolve) => {
    socket.on("data", (chunk) => {
      received += chunk.length;
      if (received === rounds * 75_000 * 7) resolve();
    });
  });

  for (let i = 0; i < rounds; i++) {
    if (!socket.write(piece)) await once(socket, "drain");
    if (i % 5 === 0) assert.equal(await exchange(scene.port, "PING\r\n"), "+PONG\r\n");
  }

  await all;
  socket.destroy();
  await assertServes(scene);
});

test("an announced argument of 511 MiB uses no memory, and the bytes of it that arrive are limited", async () => {
  await using scene = await startResp({ limits: { maxBufferedBytes: 16 * MIB } });
  using announced = await RawClient.open(scene.port);
  announced.send(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${511 * MIB}\r\nabc`);
  await until("the bytes have arrived", () => scene.listener.bufferedBytes > 0);
  assert.ok(scene.listener.bufferedBytes < MIB);
  using half = await RawClient.open(scene.port);
  half.send(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${511 * MIB}\r\n${"x".repeat(32 * MIB)}`);
  await half.rest();
  assert.ok(scene.log.some(({ reason }) => reason === "too-much-buffered"));
  assert.equal(announced.ended, false);
  announced.socket.destroy();
  await assertServes(scene);
});

/** Opens connections at the same time and closes them: idle, in a request, in a transaction, or before an answer. */
async function openAndDrop(port: number, count: number): Promise<void> {
  const beginnings = ["", "*2\r\n$3\r\nGET\r\n$100\r\nabc", "WATCH k\r\nMULTI\r\nGET k\r\n", "GET k\r\n"];
  const open = async (_: unknown, i: number) => {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    const beginning = beginnings[i % beginnings.length] as string;
    if (beginning !== "") await new Promise((sent) => socket.write(beginning, sent));
    if (i % 3 === 0) socket.destroy();
    else socket.resetAndDestroy();
  };
  await Promise.all(Array.from({ length: count }, open));
}

test("the memory of commands queued by MULTI is counted, and released", async () => {
  await using scene = await startResp({ limits: { maxBufferedBytes: 16 * MIB } });
  using greedy = await RawClient.open(scene.port);
  const set = writeCommand(["SET", "k", "x".repeat(MIB)]);
  greedy.send(`MULTI\r\n${set.repeat(8)}`);
  await until("the memory is counted", () => scene.listener.bufferedBytes > 8 * MIB);
  greedy.send("DISCARD\r\n");
  await until("the memory is released", () => scene.listener.bufferedBytes === 0);
  greedy.send(`MULTI\r\n${set.repeat(32)}`);
  await greedy.rest();
  assert.ok(scene.log.some(({ reason }) => reason === "too-much-buffered"));
  await assertServes(scene);
});

test("the daemon releases the memory of 10,000 connections that were opened and closed", async () => {
  await using scene = await startResp();
  // During the first connections V8 compiles the code.
  await openAndDrop(scene.port, 250);
  await assertServes(scene);
  const before = bytesInUse();
  for (let round = 0; round < 40; round++) await openAndDrop(scene.port, 250);
  await assertServes(scene);
  await until("the memory is released", () => bytesInUse() < before + 2 * MIB);
});

test("clients above --max-connections receive an error, and a client is accepted when another disconnects", async () => {
  await using scene = await startResp({ limits: { maxConnections: 1 } });
  using first = await RawClient.open(scene.port);
  first.send("PING\r\n");
  assert.equal(await first.read(7), "+PONG\r\n");
  using second = await RawClient.open(scene.port);
  assert.equal(await second.rest(), "-ERR max number of clients reached\r\n");
  first.socket.destroy();
  await until("a new client is served", async () => (await exchange(scene.port, "PING\r\n")) === "+PONG\r\n");
});

test("an idle connection is closed after --resp-idle-timeout", async () => {
  await using scene = await startResp({ limits: { respIdleTimeout: 100 } });
  using idle = await RawClient.open(scene.port);
  assert.equal(await idle.rest(), "");
});

test("garbage closes at most its own connection", async () => {
  await using scene = await startResp();
  const random = new SeededRandom(seed());
  const alphabet = [
    "*",
    "$",
    "-",
    "1",
    "3",
    "\r\n",
    "\n",
    '"',
    " ",
    "SET",
    "MULTI",
    "EXEC",
    "\0",
    "\xff",
    "HELLO 3",
  ];

  for (let round = 0; round < 300; round++) {
    const parts = Array.from({ length: random.below(40) }, () => random.oneOf(alphabet));
    await exchange(scene.port, parts.join(random.oneOf(["", " "])));
  }
  await assertServes(scene);
});
