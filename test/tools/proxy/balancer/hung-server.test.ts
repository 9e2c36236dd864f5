/**
 * Tests a server that hangs: it accepts connections but never answers. The balancer answers the waiting statements when
 * it declares the server down.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { messageFrame } from "../../../../faces/sql/bytes/sql-frames.js";
import { startDaemon } from "../../../support/daemon-process.js";
import { until } from "../../../support/until.js";
import { FakeSqlServer, HEARTBEAT } from "../sql-server.js";
import { startBalancer } from "./scene.js";

const UNKNOWN = /it is not known whether the statement was executed/;
/** A timeout in milliseconds that no statement reaches. */
const NEVER_MS = 3_600_000;
const LIMITS = { heartbeatInterval: 20, heartbeatTimeout: 100, replyTimeout: NEVER_MS };
const CLIENTS = 8;
const BEATS = 10;

/** Starts a server that answers until the test makes it hang. */
async function startFake(name: string) {
  let isHung = false;
  const server = await FakeSqlServer.start(() => (isHung ? null : messageFrame(name)));
  return { server, hang: () => (isHung = true) };
}

test("the outcome of writes that a hung server has received is unknown; unsent writes go to the next server", async () => {
  const [one, two] = [await startFake("one"), await startFake("two")];
  await using first = one.server;
  await using second = two.server;

  const servers = [
    { id: "m1", port: first.port },
    { id: "m2", port: second.port },
  ];
  // On a busy machine, the other server must answer in time.
  const upstream = { ...LIMITS, heartbeatTimeout: 1_000, maxConnections: CLIENTS / 2 };
  await using scene = await startBalancer(servers, { upstream });

  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => scene.client()));
  const [writer] = await Promise.all(clients.map((client) => client.told("insert into t values (1);")));
  const [hung, other] = writer === "one" ? [one, "two"] : [two, "one"];

  hung.hang();
  const answers = await Promise.all(clients.map((client) => client.told("insert into t values (2);")));
  const unknown = answers.filter((answer) => UNKNOWN.test(answer));
  assert.ok(unknown.length > 0 && unknown.length <= CLIENTS / 2, answers.join("\n"));
  assert.equal(answers.filter((answer) => answer === other).length, CLIENTS - unknown.length);

  for (const client of clients) {
    assert.equal(await client.told("insert into t values (3);"), other);
    client[Symbol.dispose]();
  }
});

test("a server that executes a slow statement is not down while it answers heartbeats", async () => {
  let finish: (answer: string) => void = () => {};
  const slow = new Promise<string>((resolve) => {
    finish = resolve;
  });

  let beats = 0;
  await using server = await FakeSqlServer.start(({ statement }) => {
    if (statement === HEARTBEAT) beats++;
    return statement.startsWith("insert") ? slow : messageFrame("done");
  });
  await using scene = await startBalancer([{ id: "m1", port: server.port }], { upstream: LIMITS });
  using client = await scene.client();

  const answer = client.told("insert into t values (1);");
  const before = beats;
  await until("the server has answered several heartbeats", async () => beats > before + BEATS);
  finish(messageFrame("at last"));
  assert.equal(await answer, "at last");
});

test("a daemon that is stopped by SIGSTOP delays writers for less than --reply-timeout", async () => {
  await using daemon = await startDaemon(["--sql", "0"]);
  const port = await daemon.portOf("SQL clients");
  const upstream = { ...LIMITS, heartbeatTimeout: 1_000 };
  await using scene = await startBalancer([{ id: "m1", port }], { upstream });
  using client = await scene.client();
  assert.match(await client.told("create database d;"), /d/);
  daemon.kill("SIGSTOP");
  assert.match(await client.told("create database e;"), UNKNOWN);
  daemon.kill("SIGCONT");
  await until("the server is used again", async () =>
    (await client.told("create database f;")).includes("f"),
  );
});
