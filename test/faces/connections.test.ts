/** Tests what closes connections of the version 1 listener, and that no connection delays another. */
import "../support/all-families.js";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { MemoryBackend } from "../../daemon/engine/backends/memory-backend.js";
import { realEnvironment } from "../../daemon/net/process/clock-and-randomness.js";
import { startInProcess } from "../daemon/program/in-process.js";
import { amount } from "../support/amount.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { RawClient } from "../support/raw-client.js";
import { until } from "../support/until.js";

const MIB = 1024 * 1024;
const REQUESTS = amount(15_000, 100_000);
const IDLE = amount(200, 1100);

const memory = () => [new MemoryBackend(realEnvironment)];
const residentBytes = ({ pid }: DaemonProcess) =>
  Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)])) * 1024;

const REFUSALS: readonly [bytes: string, reason: string, answers: string, offset?: number][] = [
  ["nonsense\r\n\r\n", "malformed", "", 0],
  ["ds:5:PING\0ds:x", "malformed", "ds:13:redis:5:PONG\0", 13],
  ["ds:5:PING\0ds:4:PINGds:5:PING\0", "malformed", "ds:13:redis:5:PONG\0"],
  ["ds:70000000:", "malformed", "", 10],
  ["ds:5:PING\0ds:2: \0ds:5:PING\0", "empty-command", "ds:13:redis:5:PONG\0"],
  ["ds:6:SET k\0ds:5:PING\0", "command-error", ""],
  ["ds:16:ds:5:PING\0 a sign", "not-due", ""],
];

for (const [bytes, reason, answers, offset] of REFUSALS) {
  test(`${JSON.stringify(bytes)} closes the connection and is logged as ${reason}`, async () => {
    await using daemon = await startInProcess({ backends: memory() });
    using client = await RawClient.open(daemon.port);
    client.send(bytes);
    assert.equal(await client.rest(), answers);
    const line = daemon.log.find((one) => one["reason"] === reason);
    assert.equal(line?.level, "warn");
    assert.equal(line?.["offset"], offset);
    assert.match(String(line?.["remote"]), /^127\.0\.0\.1:\d+$/);
  });
}

test("many refusals cause only a few lines in the log", async () => {
  await using daemon = await startInProcess({ backends: memory() });
  for (let i = 0; i < 200; i++) {
    using client = await RawClient.open(daemon.port);
    client.send("nonsense");
    assert.equal(await client.rest(), "");
  }
  assert.equal(daemon.log.filter(({ reason }) => reason === "malformed").length, 20);
});

test("frames after a refused frame are not executed", async () => {
  await using daemon = await startInProcess({ backends: memory() });
  using client = await RawClient.open(daemon.port);
  client.send("ds:7:INCR n\0ds:5:NONE\0ds:7:INCR n\0");
  assert.equal(await client.rest(), "ds:10:redis:2:1\0");
  using other = await RawClient.open(daemon.port);
  assert.equal(await other.ask("GET n"), "1");
});

test("a client that half-closes receives all its answers", async () => {
  await using daemon = await startInProcess({ backends: memory() });
  using client = await RawClient.open(daemon.port);
  client.send("ds:7:INCR n\0".repeat(500));
  client.socket.end();
  assert.equal((await client.rest()).match(/redis:/g)?.length, 500);
});

test("a client that disconnects during a large answer affects no other client", async () => {
  await using daemon = await startDaemon();
  using client = await RawClient.open(daemon.port);
  assert.equal(await client.ask(`SET big ${"x".repeat(8 * MIB)}`), "OK");
  for (let i = 0; i < 10; i++) {
    const leaver = await RawClient.open(daemon.port);
    leaver.command("GET big");
    await leaver.read(1);
    if (i % 2 === 0) leaver.socket.resetAndDestroy();
    else leaver.socket.destroy();
  }
  assert.equal(await client.ask("PING"), "PONG");
  assert.equal((await daemon.stop()).code, 0);
});

test("in close mode the daemon closes a connection after its first answer", async () => {
  await using daemon = await startInProcess({ backends: memory(), closeAfterAnswer: true });
  using client = await RawClient.open(daemon.port);
  client.send("ds:7:INCR n\0ds:7:INCR n\0");
  assert.equal(await client.rest(), "ds:10:redis:2:1\0");
});

test("a client that reads slowly receives the complete last answer, however long it takes", async () => {
  let now = 0;
  const environment = { ...realEnvironment, uptime: () => now };
  const limits = { idleTimeout: 3000 };
  await using daemon = await startInProcess({
    backends: memory(),
    closeAfterAnswer: true,
    limits,
    environment,
  });

  using writer = await RawClient.open(daemon.port);
  assert.equal(await writer.ask(`SET big ${"x".repeat(20 * MIB)}`), "OK");
  using slow = await RawClient.open(daemon.port);
  slow.socket.pause();
  slow.command("GET big");
  using idle = await RawClient.open(daemon.port);
  now = 10_000;
  // By the time the daemon closes the idle connection, it has also checked the timeout of the slow connection.
  assert.equal(await idle.rest(), "");
  slow.socket.resume();
  assert.equal((await slow.rest()).length, "ds:20971536:redis:20971521:\0".length + 20 * MIB);
});

test("a command with millions of arguments is refused before it is split", async () => {
  await using daemon = await startInProcess({ backends: memory() });
  using client = await RawClient.open(daemon.port);
  client.command(`DEL ${"k ".repeat(2_000_000)}`);
  assert.equal(await client.rest(), "");
  assert.ok(daemon.log.some(({ reason }) => reason === "too-many-arguments"));
});

test("a connection without a complete request is closed after the idle time; a busy one is not", async () => {
  let uptime = 0;
  const environment = { ...realEnvironment, uptime: () => uptime };
  await using daemon = await startInProcess({
    backends: memory(),
    limits: { idleTimeout: 300 },
    environment,
  });

  using busy = await RawClient.open(daemon.port);
  using silent = await RawClient.open(daemon.port);
  using halfSent = await RawClient.open(daemon.port);
  halfSent.send("ds:5:P");
  for (; !silent.ended || !halfSent.ended; uptime += 10) {
    assert.equal(await busy.ask("PING"), "PONG");
    assert.ok(uptime >= 300 || (!silent.ended && !halfSent.ended), `closed after ${uptime} ms`);
  }
  assert.equal(await busy.ask("PING"), "PONG");
});

test("a frame must be complete within the idle time, however slowly its bytes arrive", async () => {
  await using daemon = await startInProcess({ backends: memory(), limits: { idleTimeout: 300 } });
  using client = await RawClient.open(daemon.port);
  client.send("ds:5000:");
  const dripping = setInterval(() => client.send("x"), 20);
  assert.equal(await client.rest(), "");
  clearInterval(dripping);
  assert.ok(daemon.log.some(({ reason }) => reason === "frame-unfinished"));
});

test("a connection above the limit is closed immediately if all clients have been served, but accepted once another closes", async () => {
  await using daemon = await startInProcess({ backends: memory(), limits: { maxConnections: 2 } });
  using first = await RawClient.open(daemon.port);
  const second = await RawClient.open(daemon.port);
  for (const client of [first, second]) assert.equal(await client.ask("PING"), "PONG");
  using third = await RawClient.open(daemon.port);
  assert.equal(await third.rest(), "");
  assert.ok(daemon.log.some(({ reason }) => reason === "too-many-connections"));
  assert.equal(await first.ask("PING"), "PONG");
  second.socket.destroy();
  for (let answer = ""; answer !== "PONG"; ) {
    using late = await RawClient.open(daemon.port);
    answer = await late.ask("PING");
  }
});

test("a request or an answer of the maximum length is accepted, but a longer one is not", async () => {
  const limits = { maxRequestBytes: 2000, maxOutputBytes: 3000 };
  await using daemon = await startInProcess({ backends: memory(), limits });
  using client = await RawClient.open(daemon.port);
  assert.equal(await client.ask(`SET k ${"x".repeat(2000 - 7)}`), "OK");
  assert.equal(await client.ask("APPEND k xxxxxxx"), "2000");
  assert.equal((await client.ask("GET k")).length, 2000);
  client.command("MGET k k");
  assert.equal(await client.rest(), "");
  assert.ok(daemon.log.some(({ reason }) => reason === "answer-too-long"));
  using other = await RawClient.open(daemon.port);
  other.command(`SET k ${"x".repeat(2000 - 6)}`);
  assert.equal(await other.rest(), "");
});

test("the daemon drops the largest of many incomplete requests before they use up the memory", async () => {
  const args = ["--max-request-bytes", "8MiB", "--max-buffered-bytes", "16MiB"];
  await using daemon = await startDaemon(args);
  using small = await RawClient.open(daemon.port);
  assert.equal(await small.ask("SET k v"), "OK");
  const before = residentBytes(daemon);
  const greedy = await Promise.all(Array.from({ length: 20 }, () => RawClient.open(daemon.port)));
  for (const client of greedy) client.send(`ds:${8 * MIB}:${"x".repeat(8 * MIB - 1)}`);
  await until("the greedy clients are cut off", () => greedy.filter(({ ended }) => ended).length >= 18, {
    pause: async () => assert.equal(await small.ask("GET k"), "v"),
  });
  await daemon.logged(({ reason }) => reason === "too-much-buffered");
  const grown = residentBytes(daemon) - before;
  assert.ok(grown < 150 * MIB, `${grown} bytes`);
  assert.equal(await small.ask("PING"), "PONG");
  for (const client of greedy) client.socket.destroy();
});

test("the daemon stops reading from a client that does not read, and the client eventually receives everything", async () => {
  await using daemon = await startDaemon();
  using client = await RawClient.open(daemon.port);
  assert.equal(await client.ask(`SET big ${"x".repeat(MIB)}`), "OK");
  const before = residentBytes(daemon);
  using slow = await RawClient.open(daemon.port);
  slow.socket.pause();
  const requests = 200;
  slow.send("ds:8:GET big\0".repeat(requests));
  for (let n = 0; n < 500; n++) assert.equal(await client.ask("PING"), "PONG");
  const grown = residentBytes(daemon) - before;
  assert.ok(grown < 64 * MIB, `${grown} bytes`);

  let bytes = 0;
  slow.socket.removeAllListeners("data");
  slow.socket.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes >= requests * MIB) slow.socket.end();
  });
  slow.socket.resume();
  await once(slow.socket, "end");
  assert.equal(bytes, requests * (MIB + "ds:1048591:redis:1048577:\0".length));
});

test("a client that reads nothing of its answer is disconnected after the idle time", async () => {
  let now = 0;
  const environment = { ...realEnvironment, uptime: () => now };
  await using daemon = await startInProcess({
    backends: memory(),
    limits: { idleTimeout: 3000 },
    environment,
  });
  using client = await RawClient.open(daemon.port);
  using other = await RawClient.open(daemon.port);
  assert.equal(await client.ask(`SET big ${"x".repeat(20 * MIB)}`), "OK");
  client.socket.pause();
  client.command("GET big");
  // These requests arrived after the long one.
  for (let i = 0; i < 3; i++) assert.equal(await other.ask("PING"), "PONG");
  now = 10_000;
  await until("the connection is closed", () => daemon.log.some(({ reason }) => reason === "output-stuck"));
});

test("many requests that arrive together are answered in order while other clients are served", async () => {
  await using daemon = await startDaemon();
  using many = await RawClient.open(daemon.port);
  using other = await RawClient.open(daemon.port);
  assert.equal(await other.ask("PING"), "PONG");
  many.send("ds:7:INCR n\0".repeat(REQUESTS));
  let bytes = 0;
  for (let n = 1; n <= REQUESTS; n++) bytes += `ds:xx:redis:x:${n}\0`.length + (n >= 10 ** 8 ? 1 : 0);
  let isDone = false;
  const reading = many.read(bytes).finally(() => {
    isDone = true;
  });

  let turns = 0;
  for (; !isDone; turns++) assert.equal(await other.ask("PING"), "PONG");
  const answers = await reading;
  const values = [...answers.matchAll(/redis:\d+:(\d+)\0/g)].map((match) => Number(match[1]));
  assert.deepEqual(
    values,
    Array.from({ length: REQUESTS }, (_, i) => i + 1),
  );
  assert.ok(turns >= 5, `another client received ${turns} answers meanwhile`);
});

test("many idle connections and 100 incomplete requests block no other client", async () => {
  await using daemon = await startDaemon();
  using client = await RawClient.open(daemon.port);
  const idle = await Promise.all(Array.from({ length: IDLE }, () => RawClient.open(daemon.port)));
  for (const half of idle.slice(0, 100)) half.send("ds:5:PI");
  for (let n = 0; n < 500; n++) assert.equal(await client.ask("PING"), "PONG");
  for (const one of idle) one.socket.destroy();
});

test("the trace shows escaped and truncated frames", async () => {
  await using daemon = await startDaemon(["--log-level", "trace"]);
  using client = await RawClient.open(daemon.port);
  assert.equal(await client.ask(`SET k ${"\xff\\\n".repeat(200)}`), "OK");
  const received = await daemon.logged(({ direction }) => direction === "received");
  assert.match(String(received["bytes"]), /^ds:607:SET k \\xff\\\\\\n.*… \(614 bytes\)$/);
  const sent = await daemon.logged(({ direction }) => direction === "sent");
  assert.equal(sent["bytes"], "ds:11:redis:3:OK\\x00");
});
