/** Tests that no listener executes lines that an attacker placed into messages of another protocol. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { MongoClient } from "mongodb";
import { dbsyncSend } from "../../client/dbsync-send.js";
import { foreignClient } from "../../daemon/net/connections/foreign-client.js";
import { BUILD } from "../../daemon/program/installed-faces.js";
import { runDbsync } from "../client/child.js";
import { makeFolder, type RunningReplica, startReplica } from "../daemon/program/replicas.js";
import { clientsOf, LISTENER_CASES } from "../support/all-listener-cases.js";
import { skipUnlessFull } from "../support/amount.js";
import { answerUntilClosed, clientHello } from "../support/client-hello.js";
import { startDaemonHere } from "../support/daemon-here.js";
import { freePort, listenAtFreePort } from "../support/free-port.js";
import type { ClientCase } from "../support/listener-cases.js";
import { RedisConnection } from "../support/redis-connection.js";
import { startRedis } from "../support/redis-server.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { run } from "../support/run-program.js";

/** The listeners whose requests are lines of text. */
const TEXTS = LISTENER_CASES.flatMap(({ option, text }) => (text === null ? [] : [{ option, ...text }]));

let replica: RunningReplica;
before(async () => {
  replica = await startReplica({ args: TEXTS.flatMap(({ option }) => [`--${option}`, "0"]) });
});
after(async () => await replica[Symbol.asyncDispose]());

const portOf = (name: string): number => replica.daemon.addressOf(name)?.port ?? 0;

const answerTo = async (name: string, bytes: Buffer | string) => await answerUntilClosed(portOf(name), bytes);

async function keysOf(): Promise<number> {
  using client = await RedisConnection.open(portOf("resp"));
  client.queue(["DBSIZE"]);
  const [reply] = await client.flush();
  return reply?.kind === "integer" ? Number(reply.value) : Number.NaN;
}

for (const { option: name, write, answerTo: refusalOf = () => "" } of TEXTS) {
  test(`${name}: a TLS client is disconnected, and no line in its first message is executed`, async () => {
    assert.equal(await answerTo(name, await clientHello(write)), "");
    assert.equal(await keysOf(), 0);
  });

  test(`${name}: no line of an HTTP request is executed`, async () => {
    const body = `${write}\r\n`;
    for (const head of ["POST / HTTP/1.1", "POST /;x HTTP/1.1", "PUT /a HTTP/1.1"]) {
      const request = `${head}\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      assert.doesNotMatch(await answerTo(name, request), /OK|STORED|voaforona|"ok"/i, head);
      assert.equal(await keysOf(), 0, head);
    }
  });

  test(`${name}: a first byte that cannot begin a text request closes the connection`, async () => {
    for (const byte of [0x01, 0x16, 0x1b, 0x7f, 0x80, 0xc0, 0xff]) {
      const refusal = refusalOf(byte);
      if (refusal === null) continue;
      const bytes = Buffer.concat([Buffer.of(byte), Buffer.from(`\r\n${write}\r\n`)]);
      assert.equal(await answerTo(name, bytes), refusal, `0x${byte.toString(16)}`);
    }
    assert.equal(await keysOf(), 0);
  });
}

interface Speaker extends ClientCase {
  readonly protocol: string;
  /** The option that serves the protocol, with its dashes. */
  readonly option: string;
}

/** The clients of each protocol, which send their first bytes to all ports. */
const SPEAKERS: readonly Speaker[] = [
  {
    protocol: "http",
    option: "--admin",
    beginning: "GET /SECRET HTTP/1.1\r\nHost: SECRET\r\n\r\n",
    answer: /^HTTP\/1\.1 400 Bad Request\r\n(?:[^\r]+\r\n)*\r\n[^\r\n]+\n$/,
  },
  {
    protocol: "dbsync",
    option: "--port",
    beginning: "ds2:6:SECRET",
    answer: /^ds2:\d+:\*6\r\n\$7\r\nrefused\r\n\$0\r\n\r\n\$9\r\nmalformed\r\n/,
  },
  ...LISTENER_CASES.flatMap(({ option, clients }) =>
    Object.entries(clients).map(([protocol, client]) => ({ protocol, option: `--${option}`, ...client })),
  ),
];
/** The listeners of faces whose clients other ports recognize. */
const RECOGNIZED = LISTENER_CASES.filter(({ clients }) => Object.keys(clients).length > 0);

function speakerOf(name: string): Speaker {
  const speaker = SPEAKERS.find(({ protocol }) => protocol === name);
  assert.ok(speaker !== undefined, name);
  return speaker;
}

test("the cases of the listeners contain a client of each protocol that a face recognizes", () => {
  for (const { protocol } of BUILD.faces.flatMap(({ speaks }) => speaks?.protocols ?? []))
    speakerOf(protocol);
});

test("a line that people type to test a Redis server is recognized on ports that do not serve Redis", () => {
  for (const line of ["PING\r\n", "ping\n", "INFO server\r\n", "HELLO 3\r\n", "AUTH SECRET\r\n"])
    for (const here of ["dbsync", "http", "ws", ...RECOGNIZED.map(({ option }) => option)]) {
      if (here === "resp") continue;
      const { protocol, answer } = foreignClient(Buffer.from(line), here) ?? {};
      assert.equal(protocol, "resp", `${line} at ${here}`);
      assert.match(answer ?? "", /^-ERR this port serves .*; --resp serves Redis clients\r\n$/);
      assert.doesNotMatch(answer ?? "", /SECRET/);
    }
  assert.equal(foreignClient(Buffer.from("PING\r\n"), "resp"), null);
  for (const line of ["pinging\r\n", "information\r\n", "set a 0 0\r\n", "create table ping;\r\n"])
    assert.equal(foreignClient(Buffer.from(line), "json")?.protocol === "resp", false, line);
});

test("an SQL statement without ; is recognized on a Redis port", () => {
  for (const line of [
    "select * from SECRET\r\n",
    "SELECT a\nFROM t;\n",
    "show tables\n",
    "alaivo a #ao@ t\n",
  ])
    assert.match(foreignClient(Buffer.from(line), "resp")?.detail ?? "", /; --sql serves SQL/, line);
  for (const line of [
    "get a\r\n",
    "get a b\r\n",
    "set a 0 0\r\n",
    "select 1\r\n",
    "SELECT 1;\r\n",
    'select 1\r\nset msg "mail from bob; hi"\r\n',
    "append a 0\r\n",
  ])
    assert.equal(foreignClient(Buffer.from(line), "resp"), null, line);
});

test("a client on the wrong port receives one line in its protocol, which names the right option and quotes no input", async () => {
  await using all = await startDaemonHere([
    ...["--admin", "0"],
    ...RECOGNIZED.flatMap(({ option }) => [`--${option}`, "0"]),
  ]);

  const ports = new Map([
    ["dbsync", all.port],
    ["http", await all.portOf("/healthz and /metrics")],
  ]);
  for (const cases of RECOGNIZED) ports.set(cases.option, await all.portOf(clientsOf(cases)));

  for (const [here, port] of ports)
    for (const { protocol, option, beginning, answer: expected, servedAt = [] } of SPEAKERS) {
      if (here === protocol || servedAt.includes(here)) continue;
      const name = `${protocol} at ${here}`;
      const answer = await answerUntilClosed(port, beginning);
      assert.match(answer, expected, name);
      assert.doesNotMatch(answer, /SECRET/, name);
      assert.ok(answer.includes(` ${option}`), `${name}: ${answer}`);
      const line = await all.logged(({ detail }) => new RegExp(`; ${option} serves`).test(String(detail)));
      assert.doesNotMatch(JSON.stringify(line), /SECRET/);
    }

  // Truncated bytes must not crash a daemon.
  for (const port of ports.values())
    for (const { beginning } of SPEAKERS)
      for (const length of [1, 5, 15]) {
        const socket = connect({ host: "127.0.0.1", port }).on("error", () => {});
        socket.end(Buffer.from(beginning as string).subarray(0, length));
        await new Promise((resolve) => socket.resume().once("close", resolve));
      }
});

test("real clients on the wrong port report the option that serves them", async () => {
  await using all = await startDaemonHere(
    ["resp", "json", "mongo", "sql"].flatMap((name) => [`--${name}`, "0"]),
  );

  const ports = [all.port, await all.portOf("Redis clients"), await all.portOf("JSON clients")];
  for (const port of [...ports, await all.portOf("SQL clients")]) {
    const client = new MongoClient(`mongodb://127.0.0.1:${port}`, { serverSelectionTimeoutMS: 1_500 });
    await assert.rejects(client.connect(), /--mongo serves MongoDB's drivers/, `${port}`);
    await client.close();
  }

  for (const port of [...ports.slice(1), await all.portOf("MongoDB clients")]) {
    const settings = { servers: `127.0.0.1:${port}`, versions: "2", timeout: 5_000 } as const;
    await assert.rejects(
      dbsyncSend("PING", settings),
      /--port serves dbsync's protocol\); specify the daemon's --port instead/,
      `${port}`,
    );
  }

  for (const port of [...ports, await all.portOf("MongoDB clients")]) {
    const { code, stderr } = await runDbsync(["sql", `127.0.0.1:${port}`], { input: "show tables;" });
    assert.notEqual(code, 0);
    assert.match(stderr, /--sql serves SQL/, `${port}`);
  }
});

test("dbsync ping prints one line for a wrong port, with advice that depends on the server", async () => {
  await using all = await startDaemonHere(["--resp", "0", "--admin", "0"]);
  await using redis = await startRedis();
  const website = createServer();
  website.on("request", (_, response) => response.end("welcome"));

  const cases = [
    [
      await all.portOf("Redis clients"),
      /serves Redis clients \(--resp\), .*; specify the daemon's --port instead, /,
    ],
    [
      await all.portOf("/healthz and /metrics"),
      /serves HTTP \(--admin\), .*; specify the daemon's --port instead, /,
    ],
    [
      redis.port,
      /garbage: .*; this looks like a Redis server, at byte 0\); does dbsyncd listen on this port\?/,
    ],
    [
      await listenAtFreePort(website),
      /garbage: .*; this looks like an HTTP server, at byte 0\); does dbsyncd listen on this port\?/,
    ],
    [await freePort(), /connect: no connection \(ECONNREFUSED\); is dbsyncd running there\?/],
  ] as const;

  for (const [port, expected] of cases) {
    const { code, stdout, stderr } = await runDbsync(["ping", "-s", `127.0.0.1:${port}`]);
    assert.deepEqual([code, stderr], [1, ""]);
    assert.match(stdout, new RegExp(`^127\\.0\\.0\\.1:${port}: [^\\n]* \\[not applied there\\]\\n$`));
    assert.match(stdout, expected);
    assert.doesNotMatch(stdout, /log says|max-request-bytes/);
  }
  website.close();
});

/** A request for TLS, which a PostgreSQL client sends first. */
const TLS_REQUEST = Buffer.from("\0\0\0\x08\x04\xd2\x16\x2f", "latin1");

test("a PostgreSQL client that requests TLS receives a refusal and then the error, and the daemon logs one line", async () => {
  await using all = await startDaemonHere([
    ...["-s", join(repositoryRoot, "test", "vectors", "php-dbsync", "test-rsa2048-public.pem"), "--ws", "0"],
    ...["--sql", "0", "--admin", "0"],
  ]);

  const postgresql = speakerOf("postgresql");
  const listeners = ["WebSocket clients", "SQL clients", "/healthz and /metrics"] as const;
  // The ports of a daemon in its own process, and of the listeners in the test process.
  const ports = [all.port, ...TEXTS.map(({ option }) => portOf(option))];
  for (const served of listeners) ports.push(await all.portOf(served));

  for (const port of ports) {
    const socket = connect({ host: "127.0.0.1", port });
    socket.write(TLS_REQUEST);
    const [refused] = (await once(socket, "data")) as [Buffer];
    assert.equal(refused.toString("latin1"), "N", `${port}`);
    const answer = text(socket);
    socket.end(postgresql.beginning);
    assert.match(await answer, postgresql.answer, `${port}`);
  }

  await all.stop();
  const texts = all.log.map(({ msg, detail }) => `${msg} ${detail ?? ""}`).join("\n");
  for (const option of ["port", "ws", "sql", "admin"])
    assert.equal(texts.split(`(--${option}), and this is a PostgreSQL client`).length, 2, option);
});

test("psql at a wrong port prints the reason", { skip: skipUnlessFull || skipWithout("psql") }, async () => {
  await using all = await startDaemonHere(["--resp", "0"]);
  const resp = await all.portOf("Redis clients");
  for (const port of [all.port, resp])
    for (const mode of ["disable", "prefer"]) {
      const place = `host=127.0.0.1 port=${port} user=ada dbname=test sslmode=${mode}`;
      const { code, stderr } = await run("psql", [place, "-c", "select 1"]);
      assert.equal(code, 2);
      assert.match(stderr, /FATAL: {2}this port serves .* and this is a PostgreSQL client/, mode);
    }
});

test("a daemon reports a TLS client of a text listener, and executes no line that it sent", async () => {
  using folder = makeFolder();
  await using replica = await startReplica({ args: ["--json", "0", "--data", folder.path] });
  const port = replica.daemon.addressOf("json")?.port ?? 0;
  const hello = await clientHello('["set","stolen",{"a":1}]');
  assert.equal(await answerUntilClosed(port, Buffer.concat([hello, Buffer.from("\r\n[]\r\n")])), "");
  const line = replica.log.find(({ reason }) => reason === "malformed");
  assert.match(
    String(line?.["detail"]),
    /this is a TLS client; dbsyncd speaks TLS with --tls-cert and --tls-key/,
  );
  const resp = speakerOf("resp");
  assert.match(await answerUntilClosed(port, resp.beginning), resp.answer);
  const list = await answerUntilClosed(port, '{"action":"list"}\n');
  assert.match(list, /"status":"success"/);
  assert.doesNotMatch(list, /stolen/);
});
