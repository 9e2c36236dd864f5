/**
 * Tests three daemons with --order and a stream of a real nats-server. Each lock has one winner, even if processes
 * are killed or stopped, or other programs add messages to the stream.
 */
import assert from "node:assert/strict";
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { writeValue } from "../../daemon/timeline/entries/stored-value.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { NIL, OK, type Reply } from "../../protocol/reply.js";
import { runDbsync } from "../client/child.js";
import { makeFolder, startReplica } from "../daemon/program/replicas.js";
import { amount } from "../support/amount.js";
import { startDaemon } from "../support/daemon-process.js";
import { EnvelopeClient, makeKeyPair, type SignedEnvelope } from "../support/envelope-client.js";
import { freePort } from "../support/free-port.js";
import { NatsServer } from "../support/nats-server.js";
import { RedisConnection } from "../support/redis-connection.js";
import { skipWithout } from "../support/requirements.js";
import { Trio } from "../support/trio.js";
import { until } from "../support/until.js";

const skip = skipWithout("nats-server");
const DAEMONS = 3;
const CLIENTS = 20;
const ROUNDS = amount(5, 100);
/** The minimum number of entries between two snapshots. */
const SNAPSHOT_ENTRIES = 1000;

const app = makeKeyPair();
const root = makeKeyPair();
let nats: NatsServer;
let resp: number;
let admin: number;
let trio: Trio;
/** Further options of daemons, with which they start again. */
const more: (readonly string[])[] = [];

const optionsOf = (index: number) => [
  ...["--order", `nats://127.0.0.1:${nats.port}/writes`],
  ...(index === 0 ? ["--resp", String(resp), "--admin", String(admin)] : []),
  ...(more[index] ?? []),
];

before(async () => {
  if (skip !== false) return;
  nats = await NatsServer.start();
  resp = await freePort();
  admin = await freePort();
  trio = await Trio.start(optionsOf, DAEMONS, { isInMemory: true, arePeers: false, keys: "app", app });
});

after(async () => {
  if (skip !== false) return;
  await trio[Symbol.asyncDispose]();
  await nats[Symbol.asyncDispose]();
});

const open = (index: number) => EnvelopeClient.open(trio.ports[index] as number, app);

/** Sends a command to a daemon on a new connection. @returns null if the daemon is unreachable or refuses */
async function ask(index: number, ...argv: ByteString[]): Promise<Reply | null> {
  using client = await open(index);
  const answer = await client.ask([argv]);
  return answer.kind === "result" ? (answer.replies[0] ?? null) : null;
}

/**
 * Sends a read until it is answered without a flag. A daemon that has not reached NATS in time at its start serves what
 * it has, with a flag.
 */
async function currentReply(client: EnvelopeClient, ...argv: ByteString[]): Promise<Reply | null> {
  let reply: Reply | null = null;
  await until(`${argv.join(" ")} is answered without a flag`, async () => {
    const answer = await client.ask([argv]);
    if (answer.kind !== "result" || answer.flags[0] !== "") return false;
    reply = answer.replies[0] ?? null;
    return true;
  });
  return reply;
}

/** Waits until all daemons return the expected reply. */
async function all(expected: Reply, ...argv: ByteString[]): Promise<void> {
  for (let index = 0; index < DAEMONS; index++)
    await until(`daemon ${index} returns the expected reply to ${argv.join(" ")}`, async () => {
      const reply = await ask(index, ...argv).catch(() => null);
      return JSON.stringify(reply) === JSON.stringify(expected);
    });
}

const text = (bytes: string): Reply => ({ kind: "bulk", bytes });

test("one of twenty clients on three daemons wins each SET NX, and all daemons have the value of that client", {
  skip,
}, async () => {
  const clients = await Promise.all(Array.from({ length: CLIENTS }, (_, index) => open(index % DAEMONS)));
  for (let round = 0; round < ROUNDS; round++) {
    const set = (index: number) => ["SET", `lock:${round}`, `client ${index}`, "NX"];
    const answer = await Promise.all(clients.map((client, index) => client.replies([set(index)])));
    const winners = answer.flatMap(([reply], index) => (reply?.kind === "status" ? [index] : []));
    assert.equal(winners.length, 1, `round ${round}: ${winners}`);
    // When a client receives an answer, its daemon has applied the winning command.
    for (let index = 0; index < DAEMONS; index++)
      assert.deepEqual(await ask(index, "GET", `lock:${round}`), text(`client ${winners[0]}`));
  }
  for (const client of clients) client[Symbol.dispose]();
});

/** Returns a metric of the first daemon. */
async function metric(name: string): Promise<number> {
  const lines = (await (await fetch(`http://127.0.0.1:${admin}/metrics`)).text()).split("\n");
  return Number(lines.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1));
}

test("a daemon reports that the disk of its folder is nearly full", { skip }, async (t) => {
  await using server = await NatsServer.start();
  const folder = makeFolder();
  t.after(() => folder[Symbol.dispose]());
  await using daemon = await startReplica({
    args: [
      ...["-s", app.file, "--root-key", root.file, "--order", `nats://127.0.0.1:${server.port}/writes`],
      ...["--data", join(folder.path, "data"), "--min-disk-free", "100000GiB"],
    ],
  });

  const low = /^WARN {2}127.*: its disk is nearly full: \d+ of \d+ MiB are free; free space there/m;
  const key = join(folder.path, "private.pem");
  writeFileSync(key, root.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });

  await until("dbsync status reports the disk", async () =>
    low.test((await runDbsync(["status", "-s", `127.0.0.1:${daemon.port}`, "-k", key])).stdout),
  );
  await until("the log reports the disk", () =>
    daemon.log.some(({ msg }) => msg === "the disk of the data folder is nearly full"),
  );
});

test("metrics report the state of a daemon's connection to the stream", { skip }, async () => {
  using client = await open(0);
  await client.replies([["SET", "counted", "0"]]);
  assert.equal(await metric("dbsyncd_order_connected"), 1);
  assert.ok((await metric("dbsyncd_order_applied")) >= 1);
  assert.equal(await metric("dbsyncd_order_disk_low"), 0);
  // The daemon may receive the message from the stream before its acknowledgement.
  for (const name of [
    'dbsyncd_order_publishes_total{outcome="stored"}',
    "dbsyncd_order_publish_seconds_count",
  ])
    await until(name, async () => (await metric(name)) >= 1);
});

test("an envelope sent to all daemons is applied once, and all daemons return the same answer", {
  skip,
}, async () => {
  const clients = await Promise.all(trio.ports.map((_, index) => open(index)));
  const { frame } = (clients[0] as EnvelopeClient).sign([["INCR", "counted:once"]]);
  const answer = await Promise.all(clients.map((client) => client.exchange(frame)));
  for (const one of answer) {
    assert.ok(one.kind === "result");
    assert.deepEqual([one.replies, one.flags], [[{ kind: "integer", value: 1 }], [""]]);
  }
  for (const client of clients) client[Symbol.dispose]();
});

test("the error of a command is final, not provisional", {
  skip,
}, async () => {
  using client = await open(1);
  const [set, push] = [
    ["SET", "text", "v"],
    ["LPUSH", "text", "v"],
  ];
  const answer = await client.ask([set, push]);
  assert.ok(answer.kind === "result");
  assert.deepEqual(answer.flags, ["", ""]);
});

test("Redis clients write through the stream with the key of their daemon", { skip }, async () => {
  using redis = await RedisConnection.open(resp);
  assert.deepEqual(await redis.call("SET", "redis", "v", "NX"), OK);
  assert.deepEqual(await redis.call("SET", "redis", "w", "NX"), { kind: "nil" });
  assert.deepEqual(await redis.call("EVAL", "return redis.call('INCRBY', KEYS[1], 5)", "1", "n"), {
    kind: "integer",
    value: 5,
  });
  await all(text("5"), "GET", "n");
});

test("a daemon refuses a unit that exceeds its limits, but applies it if another daemon has added it to the stream", {
  skip,
}, async () => {
  await using bounded = await startReplica({
    args: ["-s", app.file, "--order", `nats://127.0.0.1:${nats.port}/writes`, "--max-unit-steps", "10000"],
  });
  using client = await EnvelopeClient.open(bounded.port, app);
  assert.deepEqual(await currentReply(client, "GET", "large"), NIL);

  const grow = ["SETRANGE", "large", "2000000", "x"];
  const answer = await client.ask([grow]);
  assert.ok(answer.kind === "refused");
  assert.deepEqual([answer.code, answer.effect], ["too-much", "not-applied"]);
  await all({ kind: "integer", value: 0 }, "STRLEN", "large");

  using other = await open(0);
  assert.deepEqual(await other.replies([grow]), [{ kind: "integer", value: 2_000_001 }]);
  await until("the daemon has applied the unit", async () => {
    const [reply] = await client.replies([["STRLEN", "large"]]);
    return reply?.kind === "integer" && reply.value === 2_000_001;
  });
});

test("daemons apply signed messages of other programs in the stream, and skip unsigned messages", {
  skip,
}, async () => {
  const connection = await connect({ servers: `127.0.0.1:${nats.port}` });
  const stream = jetstream(connection);
  const put = ({ body, signature, id }: SignedEnvelope) =>
    stream.publish("dbsync.writes", writeValue(body, signature), {
      msgID: Buffer.from(id, "latin1").toString("base64url"),
    });

  using client = await open(0);
  const good = client.sign([["SET", "forged", "signed"]]);
  // The stream contains a bad message under the name of the good one before the good one arrives.
  await put({ ...good, signature: Buffer.alloc(64) });
  await stream.publish("dbsync.writes", Buffer.from("garbage"));

  const answer = await client.exchange(good.frame);
  assert.ok(answer.kind === "result");
  await all(text("signed"), "GET", "forged");

  await put(client.sign([["APPEND", "forged", "!"]]));
  // The message is sent again after the deduplication window of the stream.
  await stream.publish("dbsync.writes", writeValue(good.body, good.signature));
  await client.replies([["SET", "behind", "it"]]);
  await all(text("it"), "GET", "behind");
  await all(text("signed!"), "GET", "forged");
  await connection.close();
});

test("a stopped daemon catches up when it resumes, and a killed daemon catches up after its restart", {
  skip,
}, async () => {
  const [lagging, killed] = [1, 2];
  trio.daemon(lagging).kill("SIGSTOP");
  await trio.end(killed, "SIGKILL");
  using client = await open(0);
  for (let i = 1; i <= 100; i++) await client.replies([["INCR", "meanwhile"]]);
  trio.daemon(lagging).kill("SIGCONT");
  await trio.start(killed);
  using returned = await open(killed);
  assert.deepEqual(await currentReply(returned, "GET", "meanwhile"), text("100"));
  await all(text("100"), "GET", "meanwhile");
});

test("daemons without NATS refuse writes and flag reads; when NATS returns they have all acknowledged writes", {
  skip,
}, async () => {
  using client = await open(0);
  const acknowledged: string[] = [];
  let isOver = false;
  const writing = (async () => {
    for (let i = 0; !isOver; i++) {
      const answer = await client.ask([["SADD", "written", `w${i}`]]);
      if (answer.kind === "result") acknowledged.push(`w${i}`);
      else if (answer.effect === "not-applied") assert.equal(answer.code, "order-unavailable");
    }
  })();

  await until("some writes are acknowledged", () => acknowledged.length > 20);
  await nats.kill();

  using other = await open(1);
  const readState = async () => {
    const read = await other.ask([["GET", "n"]]);
    assert.ok(read.kind === "result");
    return read.flags[0];
  };
  await until("reads are flagged", async () => (await readState()) === "isolated");
  await until("the metric is zero", async () => (await metric("dbsyncd_order_connected")) === 0);

  const refused = await other.ask([["SET", "n", "6"]]);
  assert.ok(refused.kind === "refused");
  assert.deepEqual([refused.code, refused.effect], ["order-unavailable", "not-applied"]);

  // Daemons add messages that were in flight again, and answer them.
  await nats.start();
  isOver = true;
  await writing;
  await until("daemons accept writes again", async () => {
    const answer = await other.ask([["SET", "again", "v"]]);
    return answer.kind === "result" && answer.flags[0] === "";
  });

  for (let index = 0; index < DAEMONS; index++) {
    await until(
      "the daemon has caught up",
      async () => JSON.stringify(await ask(index, "GET", "again")) === JSON.stringify(text("v")),
    );
    const reply = await ask(index, "SMISMEMBER", "written", ...acknowledged);
    assert.ok(reply?.kind === "array");
    assert.ok(reply.items.every((one) => one.kind === "integer" && one.value === 1));
  }
});

test("a daemon that starts while NATS is down flags its reads until it has received the stream", {
  skip,
}, async () => {
  await using server = await NatsServer.start();
  const args = ["-s", app.file, "--order", `nats://127.0.0.1:${server.port}/writes`];
  await using first = await startReplica({ args });
  using writer = await EnvelopeClient.open(first.port, app);
  assert.deepEqual(await writer.replies([["SET", "k", "v"]]), [OK]);

  await server.kill();
  await using late = await startReplica({ args });
  using reader = await EnvelopeClient.open(late.port, app);
  const early = await reader.ask([["GET", "k"]]);
  assert.ok(early.kind === "result");
  assert.deepEqual([early.flags[0], early.replies[0]], ["catching-up", NIL]);
  const refused = await reader.ask([["SET", "k", "w"]]);
  assert.ok(refused.kind === "refused");
  assert.deepEqual([refused.code, refused.effect], ["order-unavailable", "not-applied"]);

  await server.start();
  assert.deepEqual(await currentReply(reader, "GET", "k"), text("v"));
});

test("a daemon sends its password to NATS, reports unreadable credentials, and dbsync status shows the stream", {
  skip,
}, async (t) => {
  await using server = await NatsServer.start(["--user", "dbsync", "--pass", "s%cret"]);
  const at = (login: string) => [
    "-s",
    app.file,
    "--order",
    `nats://${login}@127.0.0.1:${server.port}/writes`,
  ];

  await using right = await startReplica({ args: [...at("dbsync:s%25cret"), "--root-key", root.file] });
  using client = await EnvelopeClient.open(right.port, app);
  assert.deepEqual(await client.replies([["SET", "k", "v"]]), [OK]);
  assert.ok(!JSON.stringify(right.log).includes("s%"));

  const folder = makeFolder();
  t.after(() => folder[Symbol.dispose]());
  const key = join(folder.path, "private.pem");
  writeFileSync(key, root.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  const status = () => runDbsync(["status", "-s", `127.0.0.1:${right.port}`, "-k", key]);

  const well = await status();
  assert.equal(well.code, 0, well.stdout + well.stderr);
  assert.match(
    well.stdout,
    /^STREAM OF .*ORDER .*APPLIED .*BEHIND .*WAITING\n127\.0\.0\.1:\d+ +connected +1 +0 +0$/m,
  );

  const administrator = await connect({
    servers: `127.0.0.1:${server.port}`,
    user: "dbsync",
    pass: "s%cret",
  });
  const manager = await jetstream(administrator).jetstreamManager();
  await manager.streams.delete("writes");
  await until("the daemon reports that the stream is missing", () =>
    right.log.some(({ reason }) => /no longer exists/.test(String(reason))),
  );
  await assert.rejects(manager.streams.info("writes"), /not found/);

  const withoutStream = await status();
  assert.equal(withoutStream.code, 1);
  assert.match(
    withoutStream.stdout,
    /FAIL {2}127.*: the stream of its --order: the stream writes no longer exists; check/,
  );
  await administrator.close();

  await using wrong = await startReplica({ args: at("dbsync:wrong") });
  using refusedThere = await EnvelopeClient.open(wrong.port, app);
  const answer = await refusedThere.ask([["SET", "k", "v"]]);
  assert.ok(answer.kind === "refused" && answer.code === "order-unavailable");
  assert.ok(wrong.log.some(({ reason }) => /Authorization Violation/i.test(String(reason))));

  await assert.rejects(
    startReplica({ args: [...at("dbsync:s%25cret"), "--order-credentials", "nowhere.creds"] }),
    /--order-credentials nowhere\.creds: it cannot be read \(ENOENT\)/,
  );
});

test("a daemon continues from the snapshot in its folder; without a folder it refuses a stream without its start", {
  skip,
}, async (t) => {
  const folder = makeFolder();
  t.after(() => folder[Symbol.dispose]());
  const [withFolder, withoutFolder] = [1, 2];
  more[withFolder] = ["--data", folder.path, "--snapshot-entries", String(SNAPSHOT_ENTRIES)];
  await trio.end(withFolder, "SIGTERM");
  await trio.start(withFolder);
  using client = await open(0);
  const add = ["INCR", "kept"];
  const frames = Array.from({ length: SNAPSHOT_ENTRIES }, () => client.sign([add]).frame);
  for (const frame of frames) client.raw.send(frame);
  for (const _ of frames) assert.equal((await client.next())?.kind, "result");
  const line = await trio
    .daemon(withFolder)
    .logged(({ msg }) => msg === "a snapshot of the state was stored");
  for (const index of [withFolder, withoutFolder]) await trio.end(index, "SIGTERM");

  const connection = await connect({ servers: `127.0.0.1:${nats.port}` });
  const manager = await jetstream(connection).jetstreamManager();
  await manager.streams.purge("writes", { seq: Number(line["seq"]) + 1 });
  await client.replies([add]);
  await trio.start(withFolder);
  using restarted = await open(withFolder);
  assert.deepEqual(await currentReply(restarted, "GET", "kept"), text(String(SNAPSHOT_ENTRIES + 1)));
  assert.deepEqual(await ask(withFolder, "INCR", "kept"), { kind: "integer", value: SNAPSHOT_ENTRIES + 2 });

  await trio.start(withoutFolder);
  using without = await open(withoutFolder);
  const answer = await without.ask([["SET", "k", "v"]]);
  assert.ok(answer.kind === "refused");
  assert.deepEqual([answer.code, answer.effect], ["order-unavailable", "not-applied"]);
  await trio.daemon(withoutFolder).logged(({ reason }) => /begins at .* removed/.test(String(reason)));
  await connection.close();
});

test("a daemon refuses a stream that has lost applied messages and continued without them", {
  skip,
}, async (t) => {
  const before = makeFolder();
  t.after(() => before[Symbol.dispose]());

  await using server = await NatsServer.start();
  const port = await freePort();
  const order = `nats://127.0.0.1:${server.port}/writes`;
  await using daemon = await startDaemon(["-s", app.file, "--order", order, "-p", String(port)]);
  using client = await EnvelopeClient.open(port, app);
  await client.replies([["SET", "k", "kept"]]);

  await server.kill();
  cpSync(server.folder, before.path, { recursive: true });
  await server.start();
  await until(
    "the daemon accepts writes again",
    async () => (await client.ask([["SET", "k", "lost"]])).kind === "result",
  );

  await server.kill();
  rmSync(server.folder, { recursive: true });
  cpSync(before.path, server.folder, { recursive: true });
  await server.start();

  // Other daemons write until the stream is longer than the part that this daemon has applied.
  const connection = await connect({ servers: `127.0.0.1:${server.port}` });
  for (let i = 0; i < 20; i++) await jetstream(connection).publish("dbsync.writes", Buffer.from("other"));
  await daemon.logged(({ reason }) => /lost messages, and new ones were added/.test(String(reason)));
  await until("the daemon refuses writes because of the lost messages", async () => {
    const answer = await client.ask([["SET", "k", "v"]]);
    return answer.kind === "refused" && answer.code === "order-unavailable";
  });
  await connection.close();
});
