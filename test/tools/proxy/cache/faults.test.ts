/**
 * Tests a cache with a server that is dead, slow or sends invalid data, and with clients that do not read their answers
 * or send too much.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { messageFrame } from "../../../../faces/sql/bytes/sql-frames.js";
import { SqlLineClient } from "../../../support/sql-line-client.js";
import { until } from "../../../support/until.js";
import { FakeSqlServer, HEARTBEAT, pageOf } from "../sql-server.js";
import { startCache } from "./scene.js";

const LOST = messageFrame("Erreur de connexion backend");

test("the cache reports a dead server, serves stored answers meanwhile, and detects its return", async () => {
  await using server = await FakeSqlServer.start(({ statement }) => pageOf(statement));
  await using cache = await startCache(server.port, { cache: { life: 60_000 } });
  using client = await SqlLineClient.open(cache.port);
  assert.equal(await client.ask("alaivo 2"), pageOf("alaivo 2"));
  await server.stop();
  await until("the cache knows that the server is dead", () => !cache.cache.isUp);
  assert.equal(await client.ask("alaivo 3"), LOST);
  assert.equal(await client.ask("manampia ao@ t (x) sanda (1)"), LOST);
  assert.equal(await client.ask("alaivo 2"), pageOf("alaivo 2"));
  await server.start();
  await until("the cache knows that the server is back", () => cache.cache.isUp);
  assert.equal(await client.ask("alaivo 3"), pageOf("alaivo 3"));
});

test("a read on a connection that the server had closed is sent again, but a write is not", async () => {
  const asked: string[] = [];
  await using server = await FakeSqlServer.start(({ statement, socket }) => {
    if (statement === HEARTBEAT) return pageOf("1");
    asked.push(statement);
    if (asked.filter((other) => other === statement).length > 1) return pageOf("second");
    socket.destroy();
    return null;
  });
  await using cache = await startCache(server.port);
  using client = await SqlLineClient.open(cache.port);
  assert.equal(await client.ask("alaivo 2"), pageOf("second"));
  assert.match(await client.ask("fafao ao@ t"), /it is not known whether the statement was executed\nEND\n$/);
  assert.deepEqual(asked, ["alaivo 2", "alaivo 2", "fafao ao@ t"]);
});

test("a slow answer delays no other statements, and times out", async () => {
  await using server = await FakeSqlServer.start(({ statement }) =>
    statement === "alaivo 9" ? null : pageOf(statement),
  );
  await using cache = await startCache(server.port, { upstream: { replyTimeout: 3000 } });
  using slow = await SqlLineClient.open(cache.port);
  using quick = await SqlLineClient.open(cache.port);
  const waiting = slow.ask("alaivo 9");
  await until("the slow statement has arrived", () => server.statements.includes("alaivo 9"));
  for (let i = 10; i < 30; i++) assert.equal(await quick.ask(`alaivo ${i}`), pageOf(`alaivo ${i}`));
  assert.equal(await waiting, LOST);
  assert.equal(await slow.ask("alaivo 10"), pageOf("alaivo 10"));
});

test("the cache reports invalid and overlong answers as errors, and does not store them", async () => {
  let answer = "HTTP/1.1 200 OK\r\n\r\n";
  await using server = await FakeSqlServer.start(({ statement }) =>
    statement === HEARTBEAT ? pageOf("1") : answer,
  );
  await using cache = await startCache(server.port, { upstream: { maxReplyBytes: 4096 } });
  using client = await SqlLineClient.open(cache.port);
  assert.equal(await client.ask("alaivo 2"), LOST);
  answer = pageOf("x".repeat(5000));
  assert.match(await client.ask("alaivo 2"), /the answer is too long\nEND\n$/);
  answer = pageOf("row");
  assert.equal(await client.ask("alaivo 2"), pageOf("row"));
  assert.equal(cache.figures.stored, 1);
});

test("the cache disconnects a client that does not read, and serves other clients meanwhile", async () => {
  const page = pageOf("x".repeat(200_000));
  await using server = await FakeSqlServer.start(({ statement }) =>
    statement === HEARTBEAT ? pageOf("1") : page,
  );
  await using cache = await startCache(server.port, {
    clients: { idleTimeout: 300, maxOutputBytes: 1 << 20 },
    cache: { life: 600_000 },
  });

  using deaf = await SqlLineClient.open(cache.port);
  deaf.raw.socket.pause();
  const { figures } = cache;
  deaf.raw.send("alaivo 2;".repeat(5_000));
  await until("the cache answers the client", () => figures.hits > 0);

  using other = await SqlLineClient.open(cache.port);
  assert.equal(await other.ask("alaivo 2"), page);
  await until("the client is closed", () => cache.lines.some(({ reason }) => reason === "output-stuck"));
  assert.ok(figures.hits < 1_000, `${figures.hits} answers for the client`);
  using last = await SqlLineClient.open(cache.port);
  assert.equal(await last.ask("alaivo 2"), page);
});

test("a statement that is too long, or a browser's request, ends its connection and reaches no server", async () => {
  await using server = await FakeSqlServer.start(({ statement }) => pageOf(statement.slice(0, 10)));
  await using cache = await startCache(server.port, { clients: { maxRequestBytes: 1000 } });
  using long = await SqlLineClient.open(cache.port);
  long.raw.send(`alaivo '${"x".repeat(5000)}';`);
  assert.match(await long.raw.rest(), /^RESULT_MESSAGE\nHadisoana : /);
  using browser = await SqlLineClient.open(cache.port);
  browser.raw.send("POST / HTTP/1.1\r\nHost: here\r\n\r\nravao ny tahiry toko;");
  assert.equal(await browser.raw.rest(), "");
  using open = await SqlLineClient.open(cache.port);
  open.raw.send("alaivo 'never ends");
  open.raw.socket.end();
  assert.match(await open.raw.rest(), /it contains an unterminated string or comment\nEND\n$/);
  assert.deepEqual(server.statements, []);
});

test("connections above the limit are refused with a message, and counted", async () => {
  await using server = await FakeSqlServer.start(({ statement }) => pageOf(statement));
  await using cache = await startCache(server.port, { clients: { maxConnections: 1 } });
  using first = await SqlLineClient.open(cache.port);
  assert.equal(await first.ask("alaivo 2"), pageOf("alaivo 2"));
  using second = await SqlLineClient.open(cache.port);
  assert.match(await second.raw.rest(), /too many connections/);
  const { connections, opened, answers, errors, refusals } = cache.clients;
  assert.deepEqual([connections, opened, answers, errors], [1, 1, 1, 0]);
  assert.deepEqual([...refusals], [["too-many-connections", 1]]);
});
