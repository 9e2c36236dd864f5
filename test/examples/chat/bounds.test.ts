/**
 * Tests requests that are malformed, too large, too frequent, too slow or foreign. The server refuses each of them
 * with a reason, without disturbing other clients.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { Redis } from "ioredis";
import WebSocket from "ws";
import { until } from "../../support/until.js";
import { FrameLine, Line, startServer, startStore } from "./scene.js";

let store: Awaited<ReturnType<typeof startStore>>;
let server: Awaited<ReturnType<typeof startServer>>;

const limits = {
  FRAME_BYTES: 4096,
  TEXT_CHARS: 100,
  STRIKES: 20,
  FLOOD_COUNT: 50,
  CONNECTIONS_PER_ADDRESS: 12,
  WAITING_BYTES: 20_000,
  HISTORY_COUNT: 3,
};

before(async () => {
  store = await startStore();
  server = await startServer({ redis: store.port, limits });
});

after(async () => {
  await server.stop();
  await store[Symbol.asyncDispose]();
});

const say = (text: unknown, id: unknown = randomUUID()) => ({ do: "say", id, text });

test("the server closes only the connection that sends a frame which is too large, binary or not UTF-8", async () => {
  using other = new FrameLine(server.address);
  await other.begin("Other", "quiet");
  const cases: readonly [frame: string | Buffer, code: number][] = [
    ["x".repeat(4097), 1009],
    [Buffer.from("Hello|Ann"), 1003],
  ];
  for (const [frame, code] of cases) {
    using line = new Line(server.address);
    await line.say(frame);
    assert.equal(await line.closed, code);
  }

  using wrong = new FrameLine(server.address);
  await once(wrong.socket, "open");
  wrong.socket.send(Buffer.from([0xff, 0xfe]), { binary: false });
  assert.equal(await wrong.closed, 1007);

  await other.ask(say("still here"));
  assert.equal((await other.frame("kept")).message.text, "still here");
});

test("the server closes a connection that does not send a name", async () => {
  await using hasty = await startServer({ redis: store.port, limits: { HELLO_MS: 300 } });
  using line = new Line(hasty.address);
  assert.equal(await line.next(), "You must choose un nametag");
  using frames = new FrameLine(hasty.address);
  assert.equal((await frames.frame("rejected")).why, "not-understood");
});

test("the server refuses a meaningless frame, and closes the connection after too many of them", async () => {
  using line = new FrameLine(server.address);
  await line.begin("Nonsense");
  const frames = [
    "{",
    "[]",
    "null",
    "1",
    '{"do":"fly"}',
    JSON.stringify(say("x", "no uuid")),
    '{"do":"earlier"}',
    ...["", "x", "-", "zz-1", "0123456789ab", `0123456789ab-${"0".repeat(36)}`, 7, null].map((before) =>
      JSON.stringify({ do: "earlier", before }),
    ),
  ];

  for (const frame of frames) {
    await line.say(frame);
    assert.equal((await line.frame("refused")).why, "not-understood", frame);
  }

  for (let i = 0; i < limits.STRIKES; i++) await line.say("{");
  assert.equal(await line.closed, 1008);
});

test("the server refuses an empty text, a text that is too long and a value that is no text, with its id", async () => {
  using line = new FrameLine(server.address);
  await line.begin("Wordy");
  for (const text of ["", " \n ", "\u0000", "x".repeat(101), 7]) {
    const message = say(text);
    await line.ask(message);
    assert.deepEqual(await line.frame("refused"), {
      is: "refused",
      why: "no-text",
      id: message.id,
      afterMs: 0,
    });
  }
});

test("a message contains no half of a character, which no history could store", async () => {
  using line = new FrameLine(server.address);
  await line.begin("Emoji");
  await line.ask(say("cut \ud83d, whole \u{1f600}"));
  assert.equal((await line.frame("kept")).message.text, "cut , whole \u{1f600}");
  const half = say("\ude00");
  await line.ask(half);
  assert.equal((await line.frame("refused")).id, half.id);
});

test("a session that is no text is unknown", async () => {
  for (const session of [{ toString: null }, 7, null, ["x"]]) {
    using line = new FrameLine(server.address);
    await line.ask({ do: "resume", session } as unknown as Parameters<FrameLine["ask"]>[0]);
    assert.equal((await line.frame("rejected")).why, "unknown-session");
  }
});

test("the server refuses an invalid name of a room", async () => {
  using line = new FrameLine(server.address);
  await line.begin("Mover");
  for (const room of ["", "a b", "x".repeat(33), "a:b", 7]) {
    await line.ask({ do: "room", room });
    assert.equal((await line.frame("refused")).why, "no-room", String(room));
  }
});

test("a client that exceeds its rate receives the time to wait, and the server stores no refused message", async () => {
  // The time until a burst is available again. A minute would be too short for a busy machine.
  const FLOOD_MS = 300_000;
  await using strict = await startServer({ redis: store.port, limits: { FLOOD_COUNT: 5, FLOOD_MS } });
  using line = new FrameLine(strict.address);
  await line.begin("Flood", "flood");
  const flood = Array.from({ length: 8 }, (_, index) => say(`number ${index}`));
  for (const message of flood) await line.ask(message);
  const { id, why, afterMs } = await line.frame("refused");
  assert.equal(why, "flood");
  assert.ok(afterMs > 0 && afterMs <= FLOOD_MS);
  await until("a message is stored again", () => line.received.some((text) => text.includes('"is":"kept"')));
  using other = new FrameLine(strict.address);
  await other.begin("Reader", "flood");
  const { messages } = await other.frame("history");
  assert.ok(messages.length > 0 && messages.every((message) => message.id !== id));
});

test("the server admits programs and its own pages by any name of this machine, but no pages of other sites", async () => {
  const { port } = new URL(server.address);
  const codes = new Map([
    ["https://evil.example", 403],
    [`https://127.0.0.1:${port}`, 403],
    ["http://127.0.0.1:1", 403],
    ["null", 403],
    [`http://localhost:${port}`, 101],
    [`http://127.0.0.1:${port}`, 101],
  ]);

  for (const [origin, code] of codes) {
    using line = new Line(server.address, undefined, origin);
    const answer = await new Promise<number>((resolve) => {
      line.socket.once("open", () => resolve(101));
      line.socket.once("unexpected-response", (_, { statusCode }) => resolve(statusCode ?? 0));
    });
    assert.equal(answer, code, origin);
  }

  await using named = await startServer({ redis: store.port, settings: { ORIGINS: "https://chat.example" } });
  using line = new Line(named.address, undefined, "https://chat.example");
  await once(line.socket, "open");
});

test("the server closes a refused connection, even if the client does not close it", async () => {
  const { port } = new URL(server.address);
  const socket = connect({ host: "127.0.0.1", port: Number(port), allowHalfOpen: true });
  const socketError = new Promise<string>((resolve) =>
    socket.on("error", ({ code = "" }: NodeJS.ErrnoException) => resolve(code)),
  );

  const upgradeRequest = [
    "GET / HTTP/1.1",
    "Host: x",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Origin: https://evil.example",
  ];
  socket.write(`${upgradeRequest.join("\r\n")}\r\n\r\n`);
  await once(socket.resume(), "end");

  const writing = setInterval(() => socket.write("still here"), 5);
  assert.match(await socketError, /^(ECONNRESET|EPIPE)$/);
  clearInterval(writing);
  socket.destroy();
});

test("the server limits the connections of an address, and admits new ones when others have ended", async () => {
  const lines: Line[] = [];
  const refused = async (): Promise<boolean> => {
    const line = new Line(server.address);
    lines.push(line);
    return await new Promise((resolve) => {
      line.socket.once("open", () => resolve(false));
      line.socket.once("unexpected-response", (_, { statusCode }) => resolve(statusCode === 429));
    });
  };
  try {
    let opened = 0;
    while (opened <= limits.CONNECTIONS_PER_ADDRESS && !(await refused())) opened++;
    assert.ok(opened <= limits.CONNECTIONS_PER_ADDRESS, `${opened} connections of one address`);
    for (const line of lines) line.socket.terminate();
    await until("the server admits a new connection", async () => !(await refused()));
  } finally {
    for (const line of lines) line[Symbol.dispose]();
  }
});

test("the server sends each message once, even if many clients come and go", async () => {
  await using looking = await startServer({ redis: store.port, limits: { HISTORY_COUNT: 3, SIGN_MS: 50 } });
  using line = new Line(looking.address);
  await line.say("Hello|Onlooker");
  await line.until("a rejoint");

  using other = new FrameLine(looking.address);
  await other.begin("Speaker");
  await other.frame("present");
  await other.ask(say("said once"));
  await line.until("said once");

  const redis = new Redis(store.port);
  for (let i = 0; i < 20; i++) {
    const event = {
      kind: "joined",
      id: `visit ${i}`,
      at: Date.now(),
      from: "f",
      pseudo: `Visitor ${i}`,
      color: 1,
    };
    await redis.publish("chat:room:chatroom", JSON.stringify(event));
  }
  redis.disconnect();
  await line.until("Visitor 19");

  // The client receives the missed messages before the list of users.
  other.received.length = 0;
  await until(
    "the list of users was read only twice",
    () => other.received.filter((text) => text.includes('"present"')).length > 2,
  );
  assert.equal(line.received.filter((text) => text.includes("said once")).length, 1);
});

test("the server disconnects a client that does not answer its pings", async () => {
  await using pinging = await startServer({ redis: store.port, limits: { PING_MS: 50 } });
  const silent = new WebSocket(pinging.address, { autoPong: false });
  const [code] = await once(silent, "close");
  // Without a close frame: the connection was terminated.
  assert.equal(code, 1006);
});

test("the server disconnects a client that does not read, and its room does not wait for it", async () => {
  const { hostname, port } = new URL(server.address);
  const slow = connect(Number(port), hostname);
  slow.on("error", () => {});
  await once(slow, "connect");

  const head = ["Host: a", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"];
  slow.write(
    `GET / HTTP/1.1\r\n${[...head, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="].join("\r\n")}\r\n\r\n`,
  );
  await once(slow, "data");
  slow.pause();

  const hello = Buffer.from("Hello|Slow");
  // The mask of the frame is zero.
  slow.write(Buffer.concat([Buffer.from([0x81, 0x80 | hello.length, 0, 0, 0, 0]), hello]));

  await using quick = await startServer({
    redis: store.port,
    limits: { FLOOD_COUNT: 1_000_000, TEXT_CHARS: 8000 },
  });
  using line = new FrameLine(quick.address);
  await line.begin("Quick");
  await line.until('"Slow"');

  const text = "x".repeat(7000);
  let sent = 0;
  await until("the server has disconnected it", async () => {
    for (let i = 0; i < 100; i++) await line.ask(say(text));
    for (let i = 0; i < 100; i++) await line.frame("kept");
    sent += 100;
    return server.log.some((one) => one.startsWith("a client does not read"));
  });
  assert.ok(sent > 0);
  slow.destroy();
});
