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
import { runDbsync } from "../client/child.js";
import { makeFolder, type RunningReplica, startReplica } from "../daemon/program/replicas.js";
import { skipUnlessFull } from "../support/amount.js";
import { answerUntilClosed, clientHello } from "../support/client-hello.js";
import { startDaemon } from "../support/daemon-process.js";
import { freePort, listenAtFreePort } from "../support/free-port.js";
import { RedisConnection } from "../support/redis-connection.js";
import { startRedis } from "../support/redis-server.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { run } from "../support/run-program.js";

/** For each listener, a request that would write data if it were executed. */
const WRITES = {
  resp: "SET stolen 1",
  memcached: "set stolen 0 0 1\r\nx",
  json: '["set","stolen",{"a":1}]',
  sql: ";manamboara tahiry stolen;",
} as const;
type Name = keyof typeof WRITES;
const NAMES = Object.keys(WRITES) as Name[];

let replica: RunningReplica;
before(async () => {
  replica = await startReplica({ args: NAMES.flatMap((name) => [`--${name}`, "0"]) });
});
after(async () => await replica[Symbol.asyncDispose]());

const portOf = (name: Name): number => replica.daemon.addressOf(name)?.port ?? 0;

const answerTo = async (name: Name, bytes: Buffer | string) => await answerUntilClosed(portOf(name), bytes);

async function keysOf(): Promise<number> {
  using client = await RedisConnection.open(portOf("resp"));
  client.queue(["DBSIZE"]);
  const [reply] = await client.flush();
  return reply?.kind === "integer" ? Number(reply.value) : Number.NaN;
}

for (const name of NAMES) {
  test(`${name}: a TLS client is disconnected, and no line in its first message is executed`, async () => {
    assert.equal(await answerTo(name, await clientHello(WRITES[name])), "");
    assert.equal(await keysOf(), 0);
  });

  test(`${name}: no line of an HTTP request is executed`, async () => {
    const body = `${WRITES[name]}\r\n`;
    for (const head of ["POST / HTTP/1.1", "POST /;x HTTP/1.1", "PUT /a HTTP/1.1"]) {
      const request = `${head}\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      assert.doesNotMatch(await answerTo(name, request), /OK|STORED|voaforona|"ok"/i, head);
      assert.equal(await keysOf(), 0, head);
    }
  });

  test(`${name}: a first byte that cannot begin a text request closes the connection`, async () => {
    const isBinary = (byte: number) => name === "memcached" && byte === 0x80;
    for (const byte of [0x01, 0x16, 0x1b, 0x7f, 0x80, 0xc0, 0xff].filter((one) => !isBinary(one))) {
      const bytes = Buffer.concat([Buffer.of(byte), Buffer.from(`\r\n${WRITES[name]}\r\n`)]);
      const isAnswered = name === "resp" && byte !== 0x16;
      const answer = isAnswered ? "-ERR Protocol error: the first byte is not text\r\n" : "";
      assert.equal(await answerTo(name, bytes), answer, `0x${byte.toString(16)}`);
    }
    assert.equal(await keysOf(), 0);
  });
}

/** The first bytes of clients, by protocol. `SECRET` must never be sent back. */
const BEGINNINGS = {
  http: "GET /SECRET HTTP/1.1\r\nHost: SECRET\r\n\r\n",
  resp: "*2\r\n$3\r\nGET\r\n$6\r\nSECRET\r\n",
  memcached: "get SECRET\r\n",
  json: '["get","SECRET"]\n',
  dbsync: "ds2:6:SECRET",
  sql: "select SECRET from SECRET where SECRET = 1;\n",
  // A startup message: its length, version 3.0, and the user's name.
  postgresql: "\0\0\0\x15\0\x03\0\0user\0SECRET\0\0",
} as const;

/** The answer to a client of each protocol, and the option that serves the protocol. */
const ANSWERS = {
  http: [/^HTTP\/1\.1 400 Bad Request\r\n(?:[^\r]+\r\n)*\r\n[^\r\n]+\n$/, "--admin"],
  resp: [/^-ERR [^\r\n]+\r\n$/, "--resp"],
  memcached: [/^CLIENT_ERROR [^\r\n]+\r\n$/, "--memcached"],
  json: [/^\{"status":"error","message":"[^"]+"\}\n\r$/, "--json"],
  mongo: [/ok\0{9}\x02errmsg\0[^\0]+\0[\s\S]*ProtocolError\0\0$/, "--mongo"],
  dbsync: [/^ds2:\d+:\*6\r\n\$7\r\nrefused\r\n\$0\r\n\r\n\$9\r\nmalformed\r\n/, "--port"],
  sql: [/^RESULT_MESSAGE\nHadisoana : [^\n]+\nEND\n$/, "--sql"],
  postgresql: [/^E[\s\S]{4}SFATAL\0VFATAL\0C08P01\0M[^\0]+\0\0$/, "--sql"],
} as const;
type Speaker = keyof typeof ANSWERS;
const PROTOCOLS = Object.keys(ANSWERS) as Speaker[];

test("a line that people type to test a Redis server is recognized on ports that do not serve Redis", () => {
  for (const line of ["PING\r\n", "ping\n", "INFO server\r\n", "HELLO 3\r\n", "AUTH SECRET\r\n"])
    for (const here of ["dbsync", "http", "json", "memcached", "mongo", "sql", "ws"] as const) {
      const { protocol, answer } = foreignClient(Buffer.from(line), here) ?? {};
      assert.equal(protocol, "resp", `${line} at ${here}`);
      assert.match(answer ?? "", /^-ERR this port serves .*; --resp serves Redis clients\r\n$/);
      assert.doesNotMatch(answer ?? "", /SECRET/);
    }
  assert.equal(foreignClient(Buffer.from("PING\r\n"), "resp"), null);
  for (const line of ["pinging\r\n", "information\r\n", "set a 0 0\r\n", "create table ping;\r\n"])
    assert.equal(foreignClient(Buffer.from(line), "memcached")?.protocol === "resp", false, line);
});

test("a memcached client and an SQL statement without ; are recognized on a Redis port", () => {
  for (const line of ["gets SECRET\r\n", "set SECRET 0 0 5\r\nhello\r\n", "stats\r\n", "version\r\n"])
    assert.match(foreignClient(Buffer.from(line), "resp")?.detail ?? "", /; --memcached serves/, line);
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
  await using all = await startDaemon([
    ...["resp", "memcached", "json", "mongo", "sql", "admin"].flatMap((name) => [`--${name}`, "0"]),
  ]);
  const ports = {
    dbsync: all.port,
    http: await all.portOf("/healthz and /metrics"),
    mongo: await all.portOf("MongoDB clients"),
    resp: await all.portOf("Redis clients"),
    memcached: await all.portOf("memcached clients"),
    json: await all.portOf("JSON clients"),
    sql: await all.portOf("SQL clients"),
  };
  for (const [here, port] of Object.entries(ports))
    for (const speaker of PROTOCOLS) {
      // The RESP listener interprets `get` as an inline command.
      if (here === speaker || (here === "resp" && speaker === "memcached")) continue;
      const [expected, option] = ANSWERS[speaker];
      const name = `${speaker} at ${here}`;
      const bytes = beginningOf(speaker);
      const answer = await answerUntilClosed(port, bytes);
      assert.match(answer, expected, name);
      assert.doesNotMatch(answer, /SECRET/, name);
      assert.ok(answer.includes(` ${option}`), `${name}: ${answer}`);
      const line = await all.logged(({ detail }) => new RegExp(`; ${option} serves`).test(String(detail)));
      assert.doesNotMatch(JSON.stringify(line), /SECRET/);
    }
  // Truncated bytes must not crash a daemon.
  for (const port of Object.values(ports))
    for (const speaker of PROTOCOLS)
      for (const length of [1, 5, 15]) {
        const socket = connect({ host: "127.0.0.1", port }).on("error", () => {});
        socket.end(Buffer.from(beginningOf(speaker)).subarray(0, length));
        await new Promise((resolve) => socket.resume().once("close", resolve));
      }
  assert.match(await answerUntilClosed(ports.sql, BEGINNINGS.resp), ANSWERS.resp[0]);
});

const beginningOf = (speaker: Speaker): string | Buffer =>
  speaker === "mongo" ? mongoHello() : BEGINNINGS[speaker];

test("real clients on the wrong port report the option that serves them", async () => {
  await using all = await startDaemon(["resp", "json", "mongo", "sql"].flatMap((name) => [`--${name}`, "0"]));
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
  await using all = await startDaemon(["--resp", "0", "--admin", "0"]);
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
  await using all = await startDaemon([
    ...["-s", join(repositoryRoot, "test", "vectors", "php-dbsync", "test-rsa2048-public.pem"), "--ws", "0"],
    ...["--sql", "0", "--admin", "0"],
  ]);
  const listeners = ["WebSocket clients", "SQL clients", "/healthz and /metrics"] as const;
  // The ports of a daemon in its own process, and of the listeners in the test process.
  const ports = [all.port, portOf("resp"), portOf("memcached")];
  for (const served of listeners) ports.push(await all.portOf(served));
  for (const port of ports) {
    const socket = connect({ host: "127.0.0.1", port });
    socket.write(TLS_REQUEST);
    const [refused] = (await once(socket, "data")) as [Buffer];
    assert.equal(refused.toString("latin1"), "N", `${port}`);
    const answer = text(socket);
    socket.end(BEGINNINGS.postgresql);
    assert.match(await answer, ANSWERS.postgresql[0], `${port}`);
  }
  const { stdout } = await all.stop();
  for (const option of ["port", "ws", "sql", "admin"])
    assert.equal(stdout.split(`(--${option}), and this is a PostgreSQL client`).length, 2, option);
});

test("psql at a wrong port prints the reason", { skip: skipUnlessFull || skipWithout("psql") }, async () => {
  await using all = await startDaemon(["--resp", "0"]);
  const resp = await all.portOf("Redis clients");
  for (const port of [all.port, resp])
    for (const mode of ["disable", "prefer"]) {
      const place = `host=127.0.0.1 port=${port} user=ada dbname=test sslmode=${mode}`;
      const { code, stderr } = await run("psql", [place, "-c", "select 1"]);
      assert.equal(code, 2);
      assert.match(stderr, /FATAL: {2}this port serves .* and this is a PostgreSQL client/, mode);
    }
});

/** A message of kind 2013 with an empty body. */
function mongoHello(): Buffer {
  const message = Buffer.alloc(21);
  message.writeInt32LE(message.length, 0);
  message.writeInt32LE(2013, 12);
  return message;
}

test("a daemon reports a TLS client of a text listener, and executes no line that it sent", async () => {
  using folder = makeFolder();
  await using replica = await startReplica({ args: ["--memcached", "0", "--data", folder.path] });
  const port = replica.daemon.addressOf("memcached")?.port ?? 0;
  const hello = await clientHello(WRITES.memcached);
  assert.equal(await answerUntilClosed(port, Buffer.concat([hello, Buffer.from("\r\nquit\r\n")])), "");
  const line = replica.log.find(({ reason }) => reason === "malformed");
  assert.match(
    String(line?.["detail"]),
    /this is a TLS client; dbsyncd speaks TLS with --tls-cert and --tls-key/,
  );
  assert.match(await answerUntilClosed(port, BEGINNINGS.resp), ANSWERS.resp[0]);
  assert.equal(await answerUntilClosed(port, "get stolen\r\nquit\r\n"), "END\r\n");
});
