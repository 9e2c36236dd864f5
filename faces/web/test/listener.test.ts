/** Tests --ws: messages of version 2, and invalid ones. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import * as ws from "ws";
import { WebSocket, WebSocketServer } from "ws";
import { NO_OBSERVER, type Observer } from "../../../daemon/engine/pipeline/pipeline-parts.js";
import { amount } from "../../../test/support/amount.js";
import { EnvelopeClient } from "../../../test/support/envelope-client.js";
import { until } from "../../../test/support/until.js";
import { MessageGauge } from "../message-socket.js";
import { closedOf, MessageLine, openClient, openSocket, pair, startWs } from "./scene.js";

const KIB = 1024;
const MIB = 1024 * KIB;

test("signed envelopes are answered as on TCP, with the same database", async () => {
  await using daemon = await startWs();
  using page = await openClient(daemon.wsPort);
  using other = await EnvelopeClient.open(daemon.port, pair);
  assert.equal(page.raw.socket.protocol, "dbsync2");
  const set = await page.replies([["SET", "k", "\0ÿ"]]);
  assert.deepEqual(set, [{ kind: "status", text: "OK" }]);
  assert.deepEqual(await other.replies([["GET", "k"]]), [{ kind: "bulk", bytes: "\0ÿ" }]);
  const { frame } = page.sign([["GET", "k"]], { at: Date.now() - 60_000 });
  const refused = await page.exchange(frame);
  assert.equal(refused.kind === "refused" && refused.code, "skew");
});

test("messages may be split anywhere, and answers may have any length", async () => {
  await using daemon = await startWs();
  using page = await openClient(daemon.wsPort);

  const long = "x".repeat(3 * MIB);
  const { frame } = page.sign([["SET", "k", long]]);
  for (let at = 0; at < frame.length; at += 100_000) page.raw.send(frame.slice(at, at + 100_000));
  assert.equal((await page.next())?.kind, "result");

  const two = [page.sign([["STRLEN", "k"]]), page.sign([["GET", "k"]])];
  page.raw.send(two.map((one) => one.frame).join(""));
  const answers = [await page.next(), await page.next()];
  assert.deepEqual(
    answers.map((one) => one?.kind),
    ["result", "result"],
  );

  // Fragments of one message, as browsers may send a long one.
  const pieces = Buffer.from(page.sign([["PING"]]).frame, "latin1");
  for (const at of pieces.keys())
    page.raw.socket.send(pieces.subarray(at, at + 1), { fin: at === pieces.length - 1 });
  assert.equal((await page.next())?.kind, "result");
});

const BAD: readonly [title: string, send: (socket: WebSocket) => void, code: number, detail: RegExp][] = [
  ["a text message", (socket) => socket.send("ds2:4:"), 1003, /text message/],
  ["a message that is too long", (socket) => socket.send(Buffer.alloc(70 * KIB)), 1009, /size exceeded/],
  ["too many pieces of a message", (socket) => pieces(socket, 2000), 1008, /fragments/],
  ["a frame of version 1", (socket) => socket.send(Buffer.from("ds:5:PING\0")), 1000, /"ds2:"/],
  ["an invalid frame", (socket) => socket.send(Buffer.from("GET /")), 1000, /"ds2:"/],
  [
    "an announced frame that is too long",
    (socket) => socket.send(Buffer.from("ds2:70000:")),
    1000,
    /announced/,
  ],
];

function pieces(socket: WebSocket, count: number): void {
  for (let i = 0; i < count; i++) socket.send(Buffer.alloc(1), { fin: false });
}

for (const [title, send, code, detail] of BAD) {
  test(`${title} closes the connection, and the log names the reason`, async () => {
    await using daemon = await startWs({ limits: { maxRequestBytes: 64 * KIB } });
    const socket = await openSocket(daemon.wsPort);
    send(socket);
    assert.equal((await closedOf(socket)).code, code);
    const line = daemon.log.find(({ reason }) => reason === "malformed");
    assert.match(String(line?.["detail"]), detail);
    using next = await openClient(daemon.wsPort);
    assert.deepEqual(await next.replies([["PING"]]), [{ kind: "status", text: "PONG" }]);
  });
}

test("messages are not compressed for a client that requests it", async () => {
  await using daemon = await startWs();
  using page = await openClient(daemon.wsPort);
  assert.equal(page.raw.socket.extensions, "");
  await page.replies([["SET", "k", "x".repeat(MIB)]]);
  assert.deepEqual(await page.replies([["GET", "k"]]), [{ kind: "bulk", bytes: "x".repeat(MIB) }]);
});

const NO_FRAMES: readonly [title: string, bytes: readonly number[], code: number][] = [
  ["reserved bits", [0xff, 0xff, 0xff, 0xff], 1002],
  ["a frame that is not masked", [0x82, 0x01, 0x00], 1002],
  ["an unknown opcode", [0x83, 0x80, 0, 0, 0, 0], 1002],
  ["a compressed frame without negotiated compression", [0xc2, 0x80, 0, 0, 0, 0], 1002],
  ["a ping in pieces", [0x09, 0x80, 0, 0, 0, 0], 1002],
  ["a ping that is too long", [0x89, 0xfe, 0x00, 0x7e, 0, 0, 0, 0], 1002],
  ["a continuation without a message", [0x80, 0x80, 0, 0, 0, 0], 1002],
  ["a length of 2^62", [0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0], 1009],
  ["a close frame with half a code", [0x88, 0x81, 0, 0, 0, 0, 0x03], 1002],
];

for (const [title, bytes, code] of NO_FRAMES) {
  test(`${title} closes only its own connection`, async () => {
    await using daemon = await startWs();
    using page = await openClient(daemon.wsPort);
    const socket = await openSocket(daemon.wsPort);
    const raw = (socket as unknown as { _socket: { write(bytes: Buffer): void } })._socket;
    raw.write(Buffer.from(bytes));
    assert.equal((await closedOf(socket)).code, code);
    assert.ok(daemon.log.some(({ reason }) => reason === "malformed"));
    assert.deepEqual(await page.replies([["PING"]]), [{ kind: "status", text: "PONG" }]);
  });
}

test("a client that reads no answers is served no further, and disconnected if it reads nothing for --idle-timeout", async () => {
  await using daemon = await startWs({ limits: { idleTimeout: 5000 } });
  using page = await openClient(daemon.wsPort);
  await page.replies([["SET", "k", "x".repeat(4 * MIB)]]);
  page.raw.socket.pause();
  const requests = 64;
  for (let i = 0; i < requests; i++) page.raw.send(page.sign([["GET", "k"]]).frame);
  await until("the connection is closed", () => daemon.log.some(({ reason }) => reason === "output-stuck"));
  const held = daemon.log.find(({ reason }) => reason === "output-stuck")?.["detail"];
  assert.ok(Number.parseInt(String(held), 10) < (requests / 4) * 4 * MIB, `${held}`);
});

test("a message that is incomplete after --idle-timeout closes the connection", async () => {
  await using daemon = await startWs({ limits: { idleTimeout: 200 } });
  const socket = await openSocket(daemon.wsPort);
  socket.send(Buffer.alloc(10), { fin: false });
  await closedOf(socket);
  assert.ok(daemon.log.some(({ reason }) => reason === "frame-unfinished"));
});

test("incomplete messages count towards the limit of unauthenticated clients, and the slowest are dropped", async () => {
  await using daemon = await startWs({ limits: { maxRequestBytes: 64 * KIB, maxUnprovenBytes: 128 * KIB } });
  using page = await openClient(daemon.wsPort);
  await page.replies([["PING"]]);
  const sockets = await Promise.all(Array.from({ length: 20 }, () => openSocket(daemon.wsPort)));
  let closed = 0;
  for (const socket of sockets) socket.on("close", () => closed++);
  for (const socket of sockets) socket.send(Buffer.alloc(30 * KIB), { fin: false });
  await until("the limit is exceeded", () => daemon.log.some(({ reason }) => reason === "too-much-buffered"));
  await until("the slowest clients are disconnected", () => closed >= 16);
  assert.deepEqual(await page.replies([["PING"]]), [{ kind: "status", text: "PONG" }]);
  for (const socket of sockets) socket.terminate();
});

test("a client that answers heartbeats stays; a silent unauthenticated client and a client that does not answer are disconnected", async () => {
  await using daemon = await startWs({ limits: { idleTimeout: 2000, wsPing: 100 } });
  using page = await openClient(daemon.wsPort);
  await page.replies([["PING"]]);
  const unauthenticated = await openSocket(daemon.wsPort);
  const unresponsive = new WebSocket(`ws://127.0.0.1:${daemon.wsPort}/`, { autoPong: false });
  await once(unresponsive, "open");
  using proven = await EnvelopeClient.over(new MessageLine(unresponsive), pair);
  await proven.replies([["PING"]]);
  await Promise.all([closedOf(unauthenticated), once(unresponsive, "close")]);
  assert.deepEqual(await page.replies([["PING"]]), [{ kind: "status", text: "PONG" }]);
});

test("above --max-connections only unauthenticated clients are disconnected", async () => {
  // Both ends are in this process, which may have 20,000 files open.
  const most = amount(100, 9_900);
  await using daemon = await startWs({ limits: { maxConnections: most } });
  using page = await openClient(daemon.wsPort);
  await page.replies([["PING"]]);
  const sockets: WebSocket[] = [];
  for (let i = 0; i < most + 20; i++) sockets.push(await openSocket(daemon.wsPort));
  const closed = () => sockets.filter(({ readyState }) => readyState === WebSocket.CLOSED).length;
  await until("the clients are disconnected", () => closed() >= 21);
  assert.deepEqual(await page.replies([["PING"]]), [{ kind: "status", text: "PONG" }]);
  for (const socket of sockets) socket.terminate();
});

test("units, connections and refusals are counted for ws", async () => {
  const counted: string[] = [];
  const observer: Observer = {
    ...NO_OBSERVER,
    served: (listener, units) => counted.push(`${units} served at ${listener}`),
    refused: (listener, code) => counted.push(`${code} at ${listener}`),
    connected: (listener, change) => counted.push(`${change} at ${listener}`),
  };
  await using daemon = await startWs({ observer });
  using page = await openClient(daemon.wsPort);
  await page.replies([["PING"], ["PING"]]);
  await page.ask([["PING"]], { cluster: "x".repeat(32) });
  assert.deepEqual(counted, ["1 at ws", "2 served at ws", "wrong-cluster at ws"]);
});

test("a daemon that stops answers received requests, and sends a close frame", async () => {
  const daemon = await startWs();
  using page = await openClient(daemon.wsPort);
  const { frame } = page.sign([["INCR", "n"]]);
  page.raw.send(frame);
  assert.equal((await page.next())?.kind, "result");
  const closed = closedOf(page.raw.socket);
  await daemon[Symbol.asyncDispose]();
  assert.equal((await closed).code, 1000);
});

/** The package's receiver, which its types do not declare. */
const { Receiver } = ws as unknown as { readonly Receiver: { readonly prototype: object } };

const THROWING: readonly [where: string, object: object, method: string][] = [
  ["the gauge of messages", MessageGauge.prototype, "push"],
  ["the package's receiver", Receiver.prototype, "_write"],
];

for (const [where, object, method] of THROWING)
  test(`an exception in ${where} closes the connection that caused it, and nothing else`, async (context) => {
    await using daemon = await startWs();
    using served = await openClient(daemon.wsPort);
    assert.equal((await served.exchange(served.sign([["PING"]]).frame)).kind, "result");
    const failing = await openSocket(daemon.wsPort);
    const fail = (): never => {
      throw new TypeError("Cannot read properties of null");
    };
    const fault = context.mock.method(object as Record<string, () => void>, method, fail, { times: 1 });
    failing.send(Buffer.from("ds2:4:PING"));
    await closedOf(failing);
    fault.mock.restore();
    const line = daemon.log.find(({ reason }) => reason === "internal-error");
    assert.match(String(line?.["detail"]), /TypeError: Cannot read properties of null\n +at /);
    assert.equal((await served.exchange(served.sign([["PING"]]).frame)).kind, "result");
  });

test("an exception during a client's upgrade closes its connection, and nothing else", async (context) => {
  await using daemon = await startWs();
  const raw = connect(daemon.wsPort, "127.0.0.1");
  raw.resume();
  await once(raw, "connect");

  const closed = once(raw, "close");
  const fault = context.mock.method(
    WebSocketServer.prototype,
    "handleUpgrade",
    () => {
      throw new TypeError("Cannot read properties of null");
    },
    { times: 1 },
  );

  raw.write(
    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  await closed;
  fault.mock.restore();

  const line = daemon.log.find(({ reason }) => reason === "internal-error");
  assert.match(String(line?.["detail"]), /TypeError: Cannot read properties of null/);

  using page = await openClient(daemon.wsPort);
  assert.equal((await page.exchange(page.sign([["PING"]]).frame)).kind, "result");
});
