/**
 * Tests the balancer with servers whose answers the test provides: which server it tries, and which statements it
 * retries.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { messageFrame } from "../../../../faces/sql/bytes/sql-frames.js";
import { bytesOfText } from "../../../../protocol/byte-string.js";
import { DEFAULT_ROUTING } from "../../../../tools/proxy/settings/balancer-settings.js";
import { until } from "../../../support/until.js";
import { FakeSqlServer, HEARTBEAT } from "../sql-server.js";
import { startBalancer } from "./scene.js";

/** Returns a server's answer to a statement: the usual one to USE, and its name to anything else. */
const named =
  (name: string) =>
  ({ statement }: { readonly statement: string }) => {
    const [, database] = /^(?:ampiasao|use) (\w+)$/.exec(statement) ?? [];
    return messageFrame(database === undefined ? name : `Ny tahiry : ${database} dia miasa ankehitriny`);
  };

async function startTwo() {
  const one = await FakeSqlServer.start(named("one"));
  const two = await FakeSqlServer.start(named("two"));
  const servers = [
    { id: "m1", port: one.port },
    { id: "m2", port: two.port },
  ];
  return {
    one,
    two,
    servers,
    async [Symbol.asyncDispose]() {
      await one.stop();
      await two.stop();
    },
  };
}

test("the balancer sends reads to all servers in turn, and a database's writes to one server", async () => {
  await using pair = await startTwo();
  await using scene = await startBalancer(pair.servers);
  using client = await scene.client();
  await client.told("use d;");
  const reads = [await client.told("select k from t;"), await client.told("select k from t;")];
  assert.deepEqual(reads.sort(), ["one", "two"]);
  const writers = new Set<string>();
  for (const table of ["a", "b", "c"]) writers.add(await client.told(`insert into ${table} values (1);`));
  assert.equal(writers.size, 1);
  for (const { statements } of [pair.one, pair.two])
    assert.match(statements[0] ?? "", /^(?:ampiasao|use) d$/);
});

test("a session reads from the server to which it has recently written", async () => {
  await using pair = await startTwo();
  await using scene = await startBalancer(pair.servers, { settings: { settleTime: 60_000 } });
  using client = await scene.client();
  const writer = await client.told("create database d;");
  await client.told("use d;");
  const answers = new Set<string>();
  for (let i = 0; i < 6; i++) answers.add(await client.told("select k from t;"));
  answers.add(await client.told("show databases;"));
  assert.deepEqual([...answers], [writer]);
});

test("a read that one server leaves unanswered is sent to the other server", async () => {
  await using pair = await startTwo();
  await using scene = await startBalancer(pair.servers);
  using client = await scene.client();
  pair.one.answering = ({ statement, socket }) => {
    if (statement === HEARTBEAT) return messageFrame("one");
    socket.destroy();
    return null;
  };
  for (let i = 0; i < 4; i++) assert.equal(await client.told("select k from t;"), "two");
  assert.ok(scene.balancer.counts.retried > 0);
});

test("a write that may have been executed is refused and not sent again", async () => {
  await using pair = await startTwo();
  await using scene = await startBalancer(pair.servers);
  using client = await scene.client();
  const writer = await client.told("insert into t values (1);");
  const [first, other] = writer === "one" ? [pair.one, pair.two] : [pair.two, pair.one];

  first.answering = ({ statement, socket }) => {
    if (statement === HEARTBEAT) return messageFrame("");
    socket.destroy();
    return null;
  };

  assert.match(
    await client.told("insert into t values (2);"),
    /^Hadisoana : Erreur de connexion backend : m[12] : it is not known whether the statement was executed$/,
  );
  assert.deepEqual(other.statements, []);
  assert.equal(scene.balancer.counts.unknown, 1);
});

test("writes move to another server while their server is down, and return once it is up again", async () => {
  await using pair = await startTwo();
  await using scene = await startBalancer(pair.servers);
  using client = await scene.client();
  const writer = await client.told("insert into t values (1);");
  const [first, other] = writer === "one" ? [pair.one, "two"] : [pair.two, "one"];

  await first.stop();
  const answers: string[] = [];
  await until("writes move to the other server", () => answers.at(-1) === other, {
    pause: async () => answers.push(await client.told("insert into t values (2);")),
  });
  // The open connection may have been closed while the statement was on it. That causes at most one error.
  assert.ok(answers.length <= 2, answers.join());
  assert.equal(await client.told("select k from t;"), other);

  await first.start();
  await until(
    "writes return to their server",
    async () => (await client.told("insert into t values (3);")) === writer,
  );
  assert.ok(scene.lines.some(({ msg }) => msg?.startsWith("Erreur connexion à ")));
});

test("the balancer skips a server that is not ready; if no server is ready, statements wait", async () => {
  await using pair = await startTwo();
  await using scene = await startBalancer(pair.servers, { settings: { settleTime: 10_000 } });
  using first = await scene.client();
  const writer = await first.told("insert into t values (1);");
  const [its, other] = writer === "one" ? [pair.one, pair.two] : [pair.two, pair.one];

  const answering = its.answering;
  its.answering = () => messageFrame("Hadisoana : LOADING not yet");
  using client = await scene.client();
  const others = await client.told("insert into t values (2);");
  assert.equal(others, writer === "one" ? "two" : "one");

  let refused = 0;
  other.answering = () => {
    if (++refused === 3) its.answering = answering;
    return messageFrame("Hadisoana : LOADING not yet");
  };
  assert.equal(await client.told("insert into t values (3);"), writer);
});

test("statements wait for a server that is not ready if the other servers are down", async () => {
  await using pair = await startTwo();
  await using scene = await startBalancer(pair.servers, { settings: { settleTime: 10_000 } });
  using client = await scene.client();
  // From now on the balancer tries this server first.
  const writer = await client.told("insert into t values (1);");
  const [its, other] = writer === "one" ? [pair.one, pair.two] : [pair.two, pair.one];
  await other.stop();
  const answering = its.answering;
  let refused = 0;
  its.answering = () => {
    if (++refused === 3) its.answering = answering;
    return messageFrame("Hadisoana : LOADING not yet");
  };
  assert.equal(await client.told("insert into t values (2);"), writer);
});

test("the balancer answers every statement with the original's error if all servers are down", async () => {
  await using pair = await startTwo();
  await using scene = await startBalancer(pair.servers);
  using client = await scene.client();
  await pair.one.stop();
  await pair.two.stop();
  for (const statement of ["select k from t;", "insert into t values (1);", "use d;"])
    assert.equal(await client.told(statement), "Erreur de connexion backend", statement);
});

test("a refused USE does not change the session's database", async () => {
  await using pair = await startTwo();
  await using scene = await startBalancer(pair.servers);
  using client = await scene.client();
  await client.told("use d;");
  for (const server of [pair.one, pair.two])
    server.answering = ({ statement }) =>
      messageFrame(statement === "use e" ? "Hadisoana : Tsy misy" : statement === "ampiasao d" ? "" : "ok");
  assert.match(await client.told("use e;"), /^Hadisoana/);
  for (let i = 0; i < 4; i++) assert.equal(await client.told("select k from t;"), "ok");
  assert.ok(!pair.one.statements.concat(pair.two.statements).includes("ampiasao e"));
});

test("replicas receive only reads, and SINGLE_PRIMARY sends writes to the first primary", async () => {
  await using pair = await startTwo();
  const [one, two] = pair.servers as [{ id: string; port: number }, { id: string; port: number }];
  {
    await using scene = await startBalancer([one, { ...two, role: "REPLICA" }]);
    using client = await scene.client();
    const answers = [];
    for (let i = 0; i < 8; i++) answers.push(await client.told(`create database d${i};`));
    assert.deepEqual(new Set(answers), new Set(["one"]));
  }
  const routing = { ...DEFAULT_ROUTING, writes: "SINGLE_PRIMARY", readRoles: ["MASTER"] } as const;
  await using scene = await startBalancer(pair.servers, { settings: { routing } });
  using client = await scene.client();
  for (let i = 0; i < 8; i++) assert.equal(await client.told(`create database d${i};`), "one");
});

test("the balancer limits statements and clients, and disconnects a browser", async () => {
  await using pair = await startTwo();
  await using scene = await startBalancer(pair.servers, {
    clients: { maxRequestBytes: 100, maxConnections: 1 },
  });
  using client = await scene.client();
  assert.match(await client.told(`select '${"x".repeat(200)}';`), /at most 100 bytes/);
  using browser = await scene.client();
  assert.equal(await browser.ask("GET / HTTP/1.1;"), "");
});

test("a session uses the complete name of the database that the server reports, however USE was written", async () => {
  await using server = await FakeSqlServer.start(({ statement }) => {
    const [, name] = /^ampiasao ?(.+)$/.exec(statement) ?? [];
    return messageFrame(name === undefined ? "done" : `Ny tahiry : ${name} dia miasa ankehitriny`);
  });
  await using scene = await startBalancer([{ id: "m", port: server.port }], {
    upstream: { maxConnections: 1 },
  });
  using one = await scene.client();
  using other = await scene.client();
  for (const database of ["toko", "voilà", "Šibenik"]) {
    await one.told(`ampiasao${database === "toko" ? "" : " "}${database}`);
    await other.told("ampiasao other");
    server.asked.length = 0;
    await one.told("fafao ao@ t");
    assert.deepEqual(server.statements, [`ampiasao ${bytesOfText(database)}`, "fafao ao@ t"]);
  }
});
