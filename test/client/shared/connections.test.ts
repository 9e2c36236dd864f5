/** Tests how a client uses its version 1 connections: order, limits, recovery. Uses real sockets on loopback. */
import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { test } from "node:test";
import { DELIVERY_LINGER_MS, STALL_MS } from "../../../client/shared/connections.js";
import { amount } from "../../support/amount.js";
import { refusingAddress } from "../../support/free-port.js";
import { until } from "../../support/until.js";
import { FakeServer } from "../fake-server.js";
import { HandClock } from "../hand-clock.js";
import { clientOf, errorOf, summary } from "../test-client.js";

test("each call has its own connection, which the client closes after the answer", async () => {
  await using server = await FakeServer.start();
  await using client = clientOf([server]);
  for (let call = 0; call < 3; call++) await client.send("PING");
  assert.equal(server.accepted, 3);
  await until("connections to be closed", () => server.sockets.size === 0);
});

test("simultaneous calls reach a daemon one at a time, in the order of the calls", async () => {
  await using server = await FakeServer.start("answer late");
  server.lateMs = 1;
  let connections = 0;
  server.value = () => {
    connections = Math.max(connections, server.sockets.size);
    return "OK";
  };
  await using client = clientOf([server]);
  const sent = Array.from({ length: 50 }, (_, call) => `SET k ${call}`);
  const values = await Promise.all(sent.map((command) => client.send(command)));
  assert.deepEqual(new Set(values), new Set(["OK"]));
  assert.deepEqual(server.commands, sent);
  assert.equal(connections, 1);
});

test("a call needs one signature for any number of servers, and each receives the same bytes", async () => {
  await using one = await FakeServer.start();
  await using two = await FakeServer.start();
  await using three = await FakeServer.start();
  let signatures = 0;
  const sign = (text: Buffer) => Buffer.from(`signature ${++signatures} of ${text.length} bytes`);
  await using client = clientOf([one, two, three], { sign });
  await client.sendAll("SET k v");
  assert.equal(signatures, 1);
  assert.deepEqual(one.frames, ["ds:35:ds:8:SET k v\0signature 1 of 8 bytes"]);
  assert.deepEqual([one.frames, one.frames], [two.frames, three.frames]);
});

test("commands that the caller awaits one by one arrive in that order at a slow daemon", async () => {
  await using quick = await FakeServer.start();
  await using slow = await FakeServer.start("answer late");
  slow.lateMs = 2;
  await using client = clientOf([quick, slow]);
  const sent = Array.from({ length: 100 }, (_, call) => `SET k ${call}`);
  for (const command of sent) await client.send(command);
  await until("the slow daemon to receive everything", () => slow.requests.length === sent.length);
  assert.deepEqual(slow.commands, sent);
});

test("a daemon that recovers receives the commands sent in the meantime, in order", async () => {
  await using good = await FakeServer.start();
  await using bad = await FakeServer.start("hang");
  await using client = clientOf([good, bad]);
  const sent = Array.from({ length: 50 }, (_, call) => `SET k ${call}`);
  for (const command of sent) await client.send(command);
  assert.equal(bad.accepted, 1);
  assert.equal(bad.requests.length, 1);
  bad.behaviour = "answer";
  for (const socket of bad.sockets) socket.write("ds:11:redis:3:OK\0");
  await until("the recovered daemon to receive everything", () => bad.requests.length === sent.length);
  assert.deepEqual(bad.commands, sent);
});

test("a slow daemon receives all commands, even if the client is connecting when the linger ends", async () => {
  await using good = await FakeServer.start();
  await using slow = await FakeServer.start("hang");
  const clock = new HandClock();
  await using client = clientOf([good, slow], { clock });

  const sent = Array.from({ length: 10 }, (_, call) => `SET k ${call}`);
  await Promise.all(sent.map((command) => client.send(command)));
  await until("the first command", () => slow.requests.length === 1);
  clock.advance(DELIVERY_LINGER_MS - 1);

  // The client connects again in the same turn in which it receives an answer.
  const endLinger = () => queueMicrotask(() => clock.advance(1));
  subscribe("dbsync:outcome", endLinger);
  slow.behaviour = "answer";
  for (const socket of slow.sockets) socket.write("ds:11:redis:3:OK\0");

  await until("all deliveries to end", () => !client.isBusy);
  unsubscribe("dbsync:outcome", endLinger);
  assert.deepEqual(slow.commands, sent);
});

test("the client opens no further connections to a hung daemon while others answer many callers", async () => {
  await using good = await FakeServer.start();
  await using bad = await FakeServer.start("hang");
  const clock = new HandClock();
  await using client = clientOf([good, bad], { clock });
  await client.send("PING");
  clock.advance(STALL_MS + 1);
  for (let round = 0; round < 20; round++)
    await Promise.all(Array.from({ length: 8 }, () => client.send("PING")));
  assert.equal(bad.accepted, 1);
});

test("a daemon that recovers after all deadlines is used again once it has answered the first call", async () => {
  await using good = await FakeServer.start();
  await using bad = await FakeServer.start("hang");
  const clock = new HandClock();
  await using client = clientOf([good, bad], { timeout: 100, clock });
  for (; clock.time < 400; clock.advance(1)) assert.equal(await client.send("SET k early"), "OK");
  assert.deepEqual([bad.accepted, bad.requests.length], [1, 1]);
  bad.behaviour = "answer";
  for (const socket of bad.sockets) socket.write("ds:11:redis:3:OK\0");
  await until("the daemon is used again", () => bad.commands.includes("SET k late"), {
    pause: () => client.send("SET k late"),
  });
});

test("a client does not send written bytes again when the connection closes", async () => {
  await using server = await FakeServer.start("close on request");
  await using client = clientOf([server]);
  const error = await errorOf(client.send("INCR n"));
  assert.equal(summary(error.outcomes[0]), "no-reason unknown");
  assert.deepEqual(server.commands, ["INCR n"]);
});

test("a daemon that has just been started is reached, even during the backoff", async () => {
  const address = await refusingAddress();
  await using client = clientOf([address]);
  for (let call = 0; call < 8; call++) await errorOf(client.send("PING"));
  await using server = await FakeServer.start("answer", Number(address.split(":")[1]));
  assert.equal(await client.send("PING"), "OK");
  assert.equal(server.accepted, 1);
});

test("a daemon that was down is used again while another one answers", async () => {
  await using good = await FakeServer.start();
  const address = await refusingAddress();
  await using client = clientOf([good, address]);
  for (let call = 0; call < 20; call++) assert.equal(await client.send("PING"), "OK");
  await using back = await FakeServer.start("answer", Number(address.split(":")[1]));
  await until("the daemon that was down is used", async () => {
    await client.send("PING");
    return back.requests.length > 0;
  });
});

test("a call fails immediately with busy only for the daemon whose queue is full", async () => {
  await using good = await FakeServer.start();
  await using bad = await FakeServer.start("hang");
  await using client = clientOf([good, bad]);
  await client.send("PING");
  const large = `SET k ${"x".repeat(amount(22, 30) * 1024 * 1024)}`;
  for (let call = 0; call < 3; call++) assert.equal(await client.send(large), "OK");
  const { outcomes } = await client.sendAll(large);
  assert.deepEqual(outcomes.map(summary), ["ok OK", "busy not-applied"]);
});

test("sendAll returns every daemon's outcome with address, value and time", async () => {
  await using one = await FakeServer.start();
  await using two = await FakeServer.start("nil");
  await using client = clientOf([one, two]);
  const { outcomes } = await client.sendAll(["GET", "k"]);
  assert.deepEqual(
    outcomes.map((outcome) => ({ ...outcome, ms: 0 })),
    [
      { address: one.address, status: "ok", value: "OK", values: ["OK"], version: 1, flags: [], ms: 0 },
      { address: two.address, status: "ok", value: null, values: [], version: 1, flags: [], ms: 0 },
    ],
  );
  assert.ok(outcomes.every(({ ms }) => ms > 0 && ms < 3_000));
});

test("a closed client fails calls in flight and later ones, and closing it twice is harmless", async () => {
  await using server = await FakeServer.start("hang");
  const client = clientOf([server]);
  const call = errorOf(client.send("SET k v"));
  await until("the request", () => server.requests.length === 1);
  await client.close();
  const error = await call;
  assert.equal(error.code, "closed");
  assert.equal(summary(error.outcomes[0]), "closed unknown");
  assert.equal((await errorOf(client.send("PING"))).code, "closed");
  await client.close();
  await until("the connection to be closed", () => server.sockets.size === 0);
});

for (const [command, message] of [
  [["SET", "k", "a b"], /argument 2 contains a space/],
  [["SET", "k", ""], /argument 2 is empty/],
  [["SET", "k", "a\0b"], /NUL/],
  ["SET k a\0b", /NUL/],
  ["  ", /empty/],
  [[], /empty/],
  [7, /it is 7; pass a line/],
  [["SET", "k", null], /\(SET k\): argument 2 is null; arguments are text, finite numbers, bigints or bytes/],
  [["SET", "k", "a\ud83d"], /argument 2 is text with half of a character .* cut texts between characters/],
  [["SET", "\udc00b", "é"], /argument 1 is text with half of a character/],
  ["SET k \ud83d", /the line is text with half of a character/],
  [["SET", "k", { secret: 1 }], /^(?!.*secret).*argument 2 is an object/],
] as const) {
  test(`the command ${JSON.stringify(command)} is an error before anything is sent`, async () => {
    await using server = await FakeServer.start();
    await using client = clientOf([server]);
    const error = await errorOf(client.send(command as string));
    assert.equal(error.code, "bad-command");
    assert.match(error.message, message);
    assert.equal(server.accepted, 0);
  });
}
