/** Tests version 2 in front of a real redis-server: order, transactions, unsupported commands, and failures. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { dbsyncSend } from "../../../client/dbsync-send.js";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { parseSpecifications, type RedisSpecification } from "../../../daemon/options/database-list.js";
import { RedisBackend } from "../../../faces/redis-behind/redis-backend.js";
import { writeFrame } from "../../../protocol/frame.js";
import { bulk, integer, type Reply } from "../../../protocol/reply.js";
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import { NO_KEY } from "../../../protocol/version-2/envelope.js";
import { writeBody } from "../../../protocol/version-2/envelope-body.js";
import { writeCommandMessage } from "../../../protocol/version-2/messages-v2.js";
import { startDaemonHere } from "../../support/daemon-here.js";
import { EnvelopeClient, makeKeyPair } from "../../support/envelope-client.js";
import { RawClient } from "../../support/raw-client.js";
import { startRedis } from "../../support/redis-server.js";
import { until } from "../../support/until.js";
import { startInProcess } from "./in-process.js";

const pair = makeKeyPair();
const multi = true;

/** Starts a daemon with its own redis-servers, and a client. */
async function start(servers = 1) {
  const redises = await Promise.all(Array.from({ length: servers }, () => startRedis()));
  const backends = redises.map(({ port }) => {
    const [specification] = parseSpecifications(`redis:127.0.0.1:${port}`) as RedisSpecification[];
    const shared = { timeout: 5000, environment: realEnvironment, log: pino({ level: "silent" }) };
    return new RedisBackend({ specification: specification as RedisSpecification, ...shared });
  });
  const daemon = await startInProcess({ backends, keys: [pair.file] });
  const client = await EnvelopeClient.open(daemon.port, pair);
  return {
    redises,
    client,
    async [Symbol.asyncDispose](): Promise<void> {
      client[Symbol.dispose]();
      await daemon[Symbol.asyncDispose]();
      await Promise.all(redises.map((redis) => redis[Symbol.asyncDispose]()));
    },
  };
}

const textOf = (reply: Reply | undefined) =>
  reply?.kind === "error" ? reply.text : `no error: ${reply?.kind}`;

test("commands and envelopes reach Redis in the order in which they were sent, without waiting for answers", async () => {
  await using scene = await start();
  const { client } = scene;
  const envelopes = Array.from({ length: 50 }, () =>
    client.sign([
      ["INCR", "n"],
      ["INCR", "n"],
      ["LPUSH", "n", "x"],
    ]),
  );
  client.raw.send(envelopes.map(({ frame }) => frame).join(""));
  for (let i = 0; i < envelopes.length; i++) {
    const message = await client.next();
    assert.ok(message?.kind === "result");
    assert.deepEqual(message.replies.slice(0, 2), [integer(2 * i + 1), integer(2 * i + 2)]);
    assert.match(textOf(message.replies[2]), /^WRONGTYPE/);
  }
});

test("multi is a transaction, and one invalid command prevents all commands from running", async () => {
  await using scene = await start(2);
  const { client } = scene;
  const [accepted] = await client.replies(
    [
      ["SET", "k", "1"],
      ["LPUSH", "k", "x"],
      ["INCR", "k"],
    ],
    { multi },
  );
  assert.ok(accepted?.kind === "array");
  assert.deepEqual([accepted.items[1]?.kind, accepted.items[2]], ["error", integer(2)]);

  const [wrong] = await client.replies([["SET", "k", "9"], ["NOSUCH"]], { multi });
  assert.match(textOf(wrong), /^ERR unknown command/);
  assert.deepEqual(await client.replies([["GET", "k"]]), [bulk("2")]);

  const [blocking] = await client.replies([["BLPOP", "l", "0"]], { multi });
  assert.match(textOf(blocking), /not supported in a transaction/);
});

test("commands that only Redis knows need a key without rules, and no key may administer Redis", async () => {
  await using scene = await start();
  const { client } = scene;
  const [acknowledged, denied, missing] = await client.replies([
    ["XACK", "s", "group", "1-1"],
    ["CONFIG", "GET", "*"],
    ["NOSUCH"],
  ]);
  assert.deepEqual(acknowledged, integer(0));
  assert.match(textOf(denied), /^NOPERM /);
  assert.match(textOf(missing), /^ERR unknown command/);
});

test("conditions, and databases other than 0, are refused with a code", async () => {
  await using scene = await start();
  const { client } = scene;
  const codeOf = async (header: Parameters<typeof client.ask>[1]) => {
    const message = await client.ask([["SET", "k", "v"]], header);
    return message.kind === "refused" ? `${message.code}, ${message.effect}` : message.kind;
  };
  assert.equal(await codeOf({ db: 1 }), "wrong-db, not-applied");
  assert.equal(await codeOf({ if: [{ db: 0, key: "k", writer: "" }] }), "if-not-carried, not-applied");
});

test("an envelope that arrives again while it runs is applied once", async () => {
  await using scene = await start();
  const { client } = scene;
  const { frame } = client.sign([["INCR", "n"]]);
  client.raw.send(frame + frame + frame);
  for (let i = 0; i < 3; i++) {
    const message = await client.next();
    assert.deepEqual(message?.kind === "result" && message.replies, [integer(1)]);
  }
});

test("while a database is down, envelopes are answered as not applied, and are not applied later", async () => {
  await using scene = await start();
  const { client, redises } = scene;
  await client.replies([["PING"]]);
  await redises[0]?.[Symbol.asyncDispose]();

  const { frame } = client.sign([
    ["INCR", "n"],
    ["INCR", "n"],
  ]);
  let message = await client.exchange(frame);
  // The first attempt may still use the breaking connection.
  await until("the effect is known", () => message.kind !== "refused" || message.effect !== "unknown", {
    pause: async () => (message = await client.ask([["INCR", "n"]])),
  });

  assert.deepEqual(message.kind === "refused" && [message.code, message.effect], [
    "database-down",
    "not-applied",
  ]);
});

test("a daemon with a Redis accepts nothing dated before its start plus the window", async () => {
  await using redis = await startRedis();
  await using daemon = await startDaemonHere([
    "-s",
    pair.file,
    "-d",
    `redis:127.0.0.1:${redis.port}`,
    "--window",
    "30s,2s",
  ]);
  await daemon.logged(({ msg }) => msg === "database connected");

  using client = await EnvelopeClient.open(daemon.port, pair);
  assert.equal((await client.hello()).state, "catching-up");
  const early = await client.ask([["INCR", "n"]]);
  assert.deepEqual(early.kind === "refused" && [early.code, early.effect], ["catching-up", "not-applied"]);

  let message = early;
  await until("the daemon accepts the write", async () => {
    message = await client.ask([["INCR", "n"]]);
    return message.kind !== "refused" || !/^(catching-up|too-old)$/.test(message.code);
  });
  assert.deepEqual(message.kind === "result" && message.replies, [integer(1)]);
  assert.equal((await client.hello()).state, "live");
});

test("a daemon without keys accepts unsigned envelopes from its start, but none dated before it", async () => {
  await using redis = await startRedis();
  const place = `redis:127.0.0.1:${redis.port}`;
  const at = Date.now();
  await using daemon = await startDaemonHere(["-d", place, "--window", "10m,29s"]);
  await daemon.logged(({ msg }) => msg === "database connected");
  const servers = `127.0.0.1:${daemon.port}`;
  const send = (command: readonly string[]) => dbsyncSend(command, { servers, key: false, versions: "2" });
  assert.equal(await send(["INCR", "n"]), "1");
  const header = { key: NO_KEY, cluster: NO_KEY, at, seq: 0, nonce: "of another start" };
  const body = writeBody(header, [writeCommand(["INCR", "n"])]);
  using raw = await RawClient.open(daemon.port);
  raw.send(writeFrame(writeCommandMessage(body, ""), 2));
  assert.match(await raw.readTo("too-old"), /too-old$/);
  assert.equal(await send(["GET", "n"]), "1");
});

test("an application's key cannot make Redis connect to other servers or change settings, and the refusal names the rule", async () => {
  await using redis = await startRedis();
  await using elsewhere = await startRedis();
  const root = makeKeyPair();
  const place = `redis:127.0.0.1:${redis.port}`;
  await using daemon = await startDaemonHere(["-s", pair.file, "--root-key", root.file, "-d", place]);
  await daemon.logged(({ msg }) => msg === "database connected");

  using application = await EnvelopeClient.open(daemon.port, pair);
  // After its start, a daemon with a Redis accepts no envelopes until its window has passed.
  await until("the daemon is live", async () => (await application.hello()).state === "live");
  await application.replies([["SET", "k", "v"]]);

  const migrate = ["127.0.0.1", String(elsewhere.port), "k", "0", "1000"];
  const connecting = [
    ["MIGRATE", ...migrate],
    ["migrate", ...migrate],
    ["REPLICAOF", "127.0.0.1", String(elsewhere.port)],
    ["SLAVEOF", "127.0.0.1", String(elsewhere.port)],
    ["MODULE", "LOAD", "/tmp/m.so"],
    ["CONFIG", "SET", "dir", "/tmp"],
    ["DEBUG", "SLEEP", "0"],
    ["FAILOVER"],
  ];
  for (const argv of connecting) {
    const [reply] = await application.replies([argv]);
    assert.match(textOf(reply), /^NOPERM .*rule -@admin denies it/, argv.join(" "));
  }
  assert.deepEqual(await application.replies([["GET", "k"]]), [bulk("v")]);

  using administrator = await EnvelopeClient.open(daemon.port, root);
  const id = Buffer.from(pair.id, "latin1").toString("hex");
  const script = ["EVAL", "return 1", "0"];
  assert.deepEqual(await application.replies([script]), [integer(1)]);

  // docs/keys.md: scripts may do everything that Redis permits.
  const port = String(elsewhere.port);
  const migrating = [
    "EVAL",
    `return redis.call('MIGRATE', '127.0.0.1', '${port}', 'k', '0', '60000')`,
    "1",
    "k",
  ];
  assert.deepEqual(await application.replies([migrating]), [bulk("OK")]);

  await administrator.replies([["KEY", "RULES", id, "+@all", "-@admin", "-@scripting", "~*"]]);
  const [denied] = await application.replies([script]);
  assert.match(textOf(denied), /^NOPERM /);
});
