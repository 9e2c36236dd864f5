/** Tests the detection of a server that is dead, hung, or available again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BALANCER_ERROR, errorFrame, messageFrame } from "../../../../faces/sql/bytes/sql-frames.js";
import { NEW_SESSION } from "../../../../tools/proxy/upstream/upstream-connection.js";
import { until } from "../../../support/until.js";
import { FakeSqlServer } from "../sql-server.js";
import { serverAt, shown } from "./parts.js";

/** The timeout leaves a busy machine enough time to answer heartbeats. */
const QUICK = { heartbeatInterval: 20, heartbeatTimeout: 1500, replyTimeout: 60_000 };

test("statements do not wait for a dead server, and its return is detected", async () => {
  await using fake = await FakeSqlServer.start();
  const changes: boolean[] = [];
  const server = serverAt(fake.port, QUICK, ({ isUp }) => void changes.push(isUp));
  server.start();
  assert.equal(shown(await server.execute(NEW_SESSION, "x")), messageFrame("done"));
  await fake.stop();
  await until("the stopped server is down without a statement", () => !server.isUp);
  assert.equal(shown(await server.execute(NEW_SESSION, "x")), "down, reached: no");
  await fake.start();
  await until("the server is up again", () => server.isUp);
  assert.equal(shown(await server.execute(NEW_SESSION, "x")), messageFrame("done"));
  assert.deepEqual(changes, [false, true]);
  server.stop();
});

test("a hung server is down after a missed heartbeat, and its waiting statements are answered; a slow server is not down", async () => {
  let answer: string | null = messageFrame("done");
  await using fake = await FakeSqlServer.start(({ statement }) => (statement === "slow" ? null : answer));
  const server = serverAt(fake.port, QUICK);
  server.start();
  const slow = server.execute(NEW_SESSION, "slow");
  await until("the slow statement has arrived", () => fake.statements.includes("slow"));
  await server.execute(NEW_SESSION, "x");
  assert.ok(server.isUp);
  answer = null;
  await until("a heartbeat is missing", () => !server.isUp);
  assert.equal(server.lastFailure?.why, "timeout");
  assert.match(shown(await slow), /, reached: unknown$/);
  answer = messageFrame("done");
  await until("the server answers again", () => server.isUp);
  server.stop();
});

test("a busy server needs no heartbeat", async () => {
  let beats = 0;
  await using fake = await FakeSqlServer.start(({ statement }) => {
    if (statement === "alaivo 1") beats++;
    return messageFrame("done");
  });
  const server = serverAt(fake.port, { heartbeatInterval: 60_000 });
  await server.execute(NEW_SESSION, "x");
  server.start();
  for (let i = 0; i < 20; i++) await server.execute(NEW_SESSION, "x");
  assert.equal(beats, 0);
  server.stop();
});

test("a statement is sent even if the USE before it fails, unless a balancer reports the error", async () => {
  let refusal = errorFrame("Tsy misy ny tahiry : toko");
  await using fake = await FakeSqlServer.start(({ statement }) =>
    statement.startsWith("ampiasao") ? refusal : messageFrame("done"),
  );
  const server = serverAt(fake.port);
  const session = { ...NEW_SESSION, database: "toko" };
  assert.equal(shown(await server.execute(session, "manamboara tahiry toko")), messageFrame("done"));
  refusal = messageFrame(BALANCER_ERROR);
  fake.asked.length = 0;
  assert.equal(shown(await server.execute(session, "manamboara tahiry toko")), refusal);
  assert.deepEqual(fake.statements, ["ampiasao toko"]);
  server.stop();
});
