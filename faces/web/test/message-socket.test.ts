/**
 * Tests that the size of incomplete messages is counted, regardless of their contents and of the request before them.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import type { DaemonSocketHost } from "../../../daemon/listener/daemon-listener.js";
import { listenAtFreePort } from "../../../test/support/free-port.js";
import { until } from "../../../test/support/until.js";
import { MessageGauge, type MessageSocket } from "../message-socket.js";
import { WebSocketUpgrade } from "../ws-listener.js";

const MIB = 1024 * 1024;
const LAST = 0x80;
const TEXT = 0x01;
const PING = 0x09;
const BINARY = LAST | 0x02;
const MASKED = 0x80;
const LONG = 127;

const headOf = (more: string) =>
  "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
  `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: dbsync2\r\n${more}\r\n`;

/** Returns the head of a message that is masked with zeros. @param bytes  the length of the message */
function announced(bytes: number): Buffer {
  const head = Buffer.alloc(14);
  head.set([BINARY, MASKED | LONG]);
  head.writeBigUInt64BE(BigInt(bytes), 2);
  return head;
}

async function withClient(
  more: string,
  run: (socket: MessageSocket, write: (bytes: Buffer) => void, received: () => number) => Promise<void>,
): Promise<void> {
  const host = { limits: { maxRequestBytes: 64 * MIB } } as DaemonSocketHost;
  const doorway = new WebSocketUpgrade("127.0.0.1", [], host);

  let socket: MessageSocket | undefined;
  let received = 0;
  const server = createServer((raw) => {
    socket = doorway.admit(raw);
    socket.on("data", (data: Buffer) => (received += data.length));
    socket.on("error", () => {});
  });

  await listenAtFreePort(server);
  const address = server.address();
  const client = connect(typeof address === "object" ? (address?.port ?? 0) : 0, "127.0.0.1");
  try {
    client.write(headOf(more));
    const [welcome] = await once(client, "data");
    assert.match(String(welcome), /101 Switching/);
    await run(
      socket as unknown as MessageSocket,
      (bytes) => client.write(bytes),
      () => received,
    );
  } finally {
    client.destroy();
    socket?.destroy();
    server.close();
  }
}

// With these paddings of the request, the first frame begins at each of the four offsets modulo 4.
for (const padding of [0, 1, 2, 3])
  test(`after the upgrade a client has no incomplete message, and one that it begins is counted (${padding})`, () =>
    withClient(`X: ${"x".repeat(padding)}\r\n`, async (socket, write, received) => {
      assert.deepEqual([socket.isMidMessage, socket.unfinishedBytes], [false, 0]);
      write(announced(8 * MIB));
      // These bytes look like many complete, empty messages.
      const empty = Buffer.alloc(4 * MIB, Buffer.from([BINARY, 0]));
      write(empty);
      await until("the frame has arrived", () => socket.unfinishedBytes >= empty.length);
      assert.ok(socket.isMidMessage);
      write(empty);
      await until("the message is complete", () => received() === 8 * MIB);
      assert.deepEqual([socket.isMidMessage, socket.unfinishedBytes], [false, 0]);
    }));

test("a message in fragments is incomplete until its last one, and control frames between them change nothing", () => {
  const gauge = new MessageGauge();
  /** Counts a frame. @returns whether a message is incomplete then */
  const after = (first: number, text: string) => {
    gauge.push(Buffer.from([first, MASKED | text.length, 0, 0, 0, 0, ...Buffer.from(text)]));
    return gauge.isMidMessage;
  };
  for (const kind of [TEXT, BINARY - LAST]) {
    assert.equal(after(LAST | kind, "ab"), false);
    assert.equal(after(LAST | PING, "ab"), false);
    assert.equal(after(kind, "a"), true);
    assert.equal(after(LAST | PING, ""), true);
    assert.equal(after(0, "b"), true);
    assert.equal(after(LAST, "c"), false);
    assert.equal(gauge.bytes, 0);
  }
});

test("a frame without a mask is a fault, and not delivered", () =>
  withClient("", async (socket, write, received) => {
    write(Buffer.from([BINARY, 1, 0x61]));
    await until("the fault is found", () => socket.fault !== null);
    assert.match(socket.fault ?? "", /MASK must be set/);
    assert.equal(received(), 0);
  }));
