/**
 * Tests three daemons ordered by a stream of a real nats-server: each lock has one winner, whatever is killed, stopped
 * or added to the stream by other programs.
 */
import assert from "node:assert/strict";
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import type { ByteString } from "../../protocol/byte-string.js";
import { OK, type Reply } from "../../protocol/reply.js";
import { writeValue } from "../../timeline/entries/stored-value.js";
import { runDbsync } from "../client/child.js";
import { makeFolder, startReplica, until } from "../daemon/replicas.js";
import { amount } from "../support/amount.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { EnvelopeClient, makeKeyPair, type SignedEnvelope } from "../support/envelope-client.js";
import { freePort } from "../support/free-port.js";
import { NatsServer } from "../support/nats-server.js";
import { RedisConnection } from "../support/redis-connection.js";
import { skipWithout } from "../support/requirements.js";

const skip = skipWithout("nats-server");
const DAEMONS = 3;
const CLIENTS = 20;
const ROUNDS = amount(5, 100);
/** The minimum number of entries between two snapshots. */
const SNAPSHOT_ENTRIES = 1000;

const app = makeKeyPair();
const root = makeKeyPair();
let nats: NatsServer;
let ports: readonly number[];
let resp: number;
let admin: number;
const daemons: DaemonProcess[] = [];

const optionsOf = (index: number) => [
  ...["-s", app.file, "--order", `nats://127.0.0.1:${nats.port}/writes`, "-p", String(ports[index])],
  ...(index === 0 ? ["--resp", String(resp), "--admin", String(admin)] : []),
];

async function start(index: number): Promise<void> {
  daemons[index] = await startDaemon(optionsOf(index));
}

const daemonAt = (index: number) => daemons[index] ?? assert.fail();

before(async () => {
  if (skip !== false) return;
  nats = await NatsServer.start();
  ports = await Promise.all(Array.from({ length: DAEMONS }, freePort));
  resp = await freePort();
  admin = await freePort();
  await Promise.all(ports.map((_, index) => start(index)));
});

after(async () => {
  if (skip !== false) return;
  await Promise.all(daemons.map((daemon) => daemon[Symbol.asyncDispose]()));
  await nats[Symbol.asyncDispose]();
});

const open = (index: number) => EnvelopeClient.open(daemonAt(index).port, app);

/** Queries a daemon through a new connection; null: it is unreachable or refuses. */
async function ask(index: number, ...argv: ByteString[]): Promise<Reply | null> {
  using client = await open(index);
  const said = await client.ask([argv]);
  return said.kind === "result" ? (said.replies[0] ?? null) : null;
}

/** Waits until all daemons return the expected reply. */
async function all(expected: Reply, ...argv: ByteString[]): Promise<void> {
  for (let index = 0; index < DAEMONS; index++)
    await until(`daemon ${index}: ${argv.join(" ")}`, async () => {
      const reply = await ask(index, ...argv).catch(() => null);
      return JSON.stringify(reply) === JSON.stringify(expected);
    });
}

const text = (bytes: string): Reply => ({ kind: "bulk", bytes });

test("SET NX by twenty clients at three daemons: one OK in each round, and all daemons know whose", {
  skip,
}, async () => {
  const clients = await Promise.all(Array.from({ length: CLIENTS }, (_, place) => open(place % DAEMONS)));
  for (let round = 0; round < ROUNDS; round++) {
    const set = (place: number) => ["SET", `lock:${round}`, `client ${place}`, "NX"];
    const said = await Promise.all(clients.map((client, place) => client.replies([set(place)])));
    const winners = said.flatMap(([reply], place) => (reply?.kind === "status" ? [place] : []));
    assert.equal(winners.length, 1, `round ${round}: ${winners}`);
    // Each daemon has applied it by the time that one of its own clients receives an answer.
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

test("metrics tell how a daemon stands to the stream", { skip }, async () => {
  using client = await open(0);
  await client.replies([["SET", "counted", "0"]]);
  assert.equal(await metric("dbsyncd_order_connected"), 1);
  assert.ok((await metric("dbsyncd_order_applied")) >= 1);
  // The message may come back before its acknowledgement.
  for (const name of [
    'dbsyncd_order_publishes_total{outcome="stored"}',
    "dbsyncd_order_publish_seconds_count",
  ])
    await until(name, async () => (await metric(name)) >= 1);
});

test("an envelope that comes to all daemons is one write, and all give its answer", { skip }, async () => {
  const clients = await Promise.all(daemons.map((_, index) => open(index)));
  const { frame } = (clients[0] as EnvelopeClient).sign([["INCR", "counted:once"]]);
  const said = await Promise.all(clients.map((client) => client.exchange(frame)));
  for (const one of said) {
    assert.ok(one.kind === "result");
    assert.deepEqual([one.replies, one.flags], [[{ kind: "integer", value: 1 }], [""]]);
  }
  for (const client of clients) client[Symbol.dispose]();
});

test("a command that fails is final too: nothing of it is provisional", {
  skip,
}, async () => {
  using client = await open(1);
  const [set, push] = [
    ["SET", "text", "v"],
    ["LPUSH", "text", "v"],
  ];
  const said = await client.ask([set, push]);
  assert.ok(said.kind === "result");
  assert.deepEqual(said.flags, ["", ""]);
});

test("Redis clients write through the stream, by the daemon's own key", { skip }, async () => {
  using redis = await RedisConnection.open(resp);
  assert.deepEqual(await redis.call("SET", "redis", "v", "NX"), OK);
  assert.deepEqual(await redis.call("SET", "redis", "w", "NX"), { kind: "nil" });
  assert.deepEqual(await redis.call("EVAL", "return redis.call('INCRBY', KEYS[1], 5)", "1", "n"), {
    kind: "integer",
    value: 5,
  });
  await all(text("5"), "GET", "n");
});

test("a daemon refuses a unit that does too much before it is in the stream, and applies one of another daemon", {
  skip,
}, async () => {
  await using bounded = await startReplica({
    args: ["-s", app.file, "--order", `nats://127.0.0.1:${nats.port}/writes`, "--max-unit-steps", "10000"],
  });
  using client = await EnvelopeClient.open(bounded.port, app);
  const grow = ["SETRANGE", "large", "2000000", "x"];
  const said = await client.ask([grow]);
  assert.ok(said.kind === "refused");
  assert.deepEqual([said.code, said.effect], ["too-much", "not-applied"]);
  await all({ kind: "integer", value: 0 }, "STRLEN", "large");
  using other = await open(0);
  assert.deepEqual(await other.replies([grow]), [{ kind: "integer", value: 2_000_001 }]);
  await until("the daemon has it", async () => {
    const [reply] = await client.replies([["STRLEN", "large"]]);
    return reply?.kind === "integer" && reply.value === 2_000_001;
  });
});

test("what others put into the stream counts if a key has signed it, and is skipped by all if none has", {
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
  // It is in the stream under the good message's name before that arrives.
  await put({ ...good, signature: Buffer.alloc(64) });
  await stream.publish("dbsync.writes", Buffer.from("garbage"));
  const said = await client.exchange(good.frame);
  assert.ok(said.kind === "result");
  await all(text("signed"), "GET", "forged");
  await put(client.sign([["APPEND", "forged", "!"]]));
  // Again, after the stream's deduplication window.
  await stream.publish("dbsync.writes", writeValue(good.body, good.signature));
  await client.replies([["SET", "behind", "it"]]);
  await all(text("it"), "GET", "behind");
  await all(text("signed!"), "GET", "forged");
  await connection.close();
});

test("a daemon that lags catches up, one that was killed comes back with all of it", { skip }, async () => {
  const [lagging, killed] = [1, 2];
  daemonAt(lagging).kill("SIGSTOP");
  daemonAt(killed).kill("SIGKILL");
  await daemonAt(killed).ended();
  using client = await open(0);
  for (let i = 1; i <= 100; i++) await client.replies([["INCR", "meanwhile"]]);
  daemonAt(lagging).kill("SIGCONT");
  await start(killed);
  assert.deepEqual(await ask(killed, "GET", "meanwhile"), text("100"));
  await all(text("100"), "GET", "meanwhile");
});

test("without NATS nothing is written and what is read is marked; with it again all that was acknowledged is there", {
  skip,
}, async () => {
  using client = await open(0);
  const acknowledged: string[] = [];
  let isOver = false;
  const writing = (async () => {
    for (let i = 0; !isOver; i++) {
      const said = await client.ask([["SADD", "written", `w${i}`]]);
      if (said.kind === "result") acknowledged.push(`w${i}`);
      else if (said.effect === "not-applied") assert.equal(said.code, "order-unavailable");
    }
  })();
  await until("some are written", () => acknowledged.length > 20);
  await nats.kill();
  using other = await open(1);
  const standing = async () => {
    const read = await other.ask([["GET", "n"]]);
    assert.ok(read.kind === "result");
    return read.flags[0];
  };
  await until("reads are marked", async () => (await standing()) === "isolated");
  await until("the metric says so", async () => (await metric("dbsyncd_order_connected")) === 0);
  const refused = await other.ask([["SET", "n", "6"]]);
  assert.ok(refused.kind === "refused");
  assert.deepEqual([refused.code, refused.effect], ["order-unavailable", "not-applied"]);
  // Messages that were on their way are added again, and answered.
  await nats.start();
  isOver = true;
  await writing;
  await until("daemons write again", async () => {
    const said = await other.ask([["SET", "again", "v"]]);
    return said.kind === "result" && said.flags[0] === "";
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

test("NATS is shown the password, credentials that cannot be read are told, and dbsync status says how the stream is", {
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
  await until("it tells that the stream is gone", () =>
    right.log.some(({ reason }) => /no longer exists/.test(String(reason))),
  );
  await assert.rejects(manager.streams.info("writes"), /not found/);
  const gone = await status();
  assert.equal(gone.code, 1);
  assert.match(
    gone.stdout,
    /FAIL {2}127.*: the stream of its --order: the stream writes no longer exists; look at/,
  );
  await administrator.close();
  await using wrong = await startReplica({ args: at("dbsync:wrong") });
  using refusedThere = await EnvelopeClient.open(wrong.port, app);
  const said = await refusedThere.ask([["SET", "k", "v"]]);
  assert.ok(said.kind === "refused" && said.code === "order-unavailable");
  assert.ok(wrong.log.some(({ reason }) => /Authorization Violation/i.test(String(reason))));
  await assert.rejects(
    startReplica({ args: [...at("dbsync:s%25cret"), "--order-credentials", "nowhere.creds"] }),
    /--order-credentials nowhere\.creds: it cannot be read \(ENOENT\)/,
  );
});

test("a daemon with a folder goes on from its snapshot; a stream that begins behind it is not read on without", {
  skip,
}, async (t) => {
  const folder = makeFolder();
  t.after(() => folder[Symbol.dispose]());
  const [kept, lacking] = [1, 2];
  const keeping = [...optionsOf(kept), "--data", folder.path, "--snapshot-entries", String(SNAPSHOT_ENTRIES)];
  await daemonAt(kept).stop();
  daemons[kept] = await startDaemon(keeping);
  using client = await open(0);
  const add = ["INCR", "kept"];
  const frames = Array.from({ length: SNAPSHOT_ENTRIES }, () => client.sign([add]).frame);
  for (const frame of frames) client.raw.send(frame);
  for (const _ of frames) assert.equal((await client.next())?.kind, "result");
  const line = await daemonAt(kept).logged(({ msg }) => msg === "a snapshot of the state was stored");
  for (const index of [kept, lacking]) await daemonAt(index).stop();

  const connection = await connect({ servers: `127.0.0.1:${nats.port}` });
  const manager = await jetstream(connection).jetstreamManager();
  await manager.streams.purge("writes", { seq: Number(line["seq"]) + 1 });
  await client.replies([add]);
  daemons[kept] = await startDaemon(keeping);
  assert.deepEqual(await ask(kept, "GET", "kept"), text(String(SNAPSHOT_ENTRIES + 1)));
  assert.deepEqual(await ask(kept, "INCR", "kept"), { kind: "integer", value: SNAPSHOT_ENTRIES + 2 });

  daemons[lacking] = await startDaemon(optionsOf(lacking));
  using without = await open(lacking);
  const said = await without.ask([["SET", "k", "v"]]);
  assert.ok(said.kind === "refused");
  assert.deepEqual([said.code, said.effect], ["order-unavailable", "not-applied"]);
  await daemonAt(lacking).logged(({ reason }) => /begins at .* removed/.test(String(reason)));
  await connection.close();
});

test("a stream that lost what was applied and went on without it is not read on", { skip }, async (t) => {
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
  await until("it writes again", async () => (await client.ask([["SET", "k", "lost"]])).kind === "result");
  await server.kill();
  rmSync(server.folder, { recursive: true });
  cpSync(before.path, server.folder, { recursive: true });
  await server.start();
  // Other daemons continue until the stream is longer than what this daemon has.
  const connection = await connect({ servers: `127.0.0.1:${server.port}` });
  for (let i = 0; i < 20; i++) await jetstream(connection).publish("dbsync.writes", Buffer.from("other"));
  await daemon.logged(({ reason }) => /lost messages, and new ones were added/.test(String(reason)));
  await until("writes are refused for it", async () => {
    const said = await client.ask([["SET", "k", "v"]]);
    return said.kind === "refused" && said.code === "order-unavailable";
  });
  await connection.close();
});
