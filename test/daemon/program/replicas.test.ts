/** Tests daemons that are each other's peers, as clients see them: the pipeline with a timeline and peers. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openClientWith } from "../../../client/dbsync-send.js";
import { type Client, createClient } from "../../../client/public-api.js";
import { readOptions } from "../../../client/settings/client-settings.js";
import { frameOf, loadSigningKey } from "../../../client/settings/signing-key.js";
import { signCommand } from "../../../keys/signatures.js";
import { bulk, integer, NIL, OK } from "../../../protocol/reply.js";
import { FakeServer } from "../../client/fake-server.js";
import { HandClock } from "../../client/hand-clock.js";
import { EnvelopeClient, makeKeyPair } from "../../support/envelope-client.js";
import { freePort } from "../../support/free-port.js";
import { RawClient } from "../../support/raw-client.js";
import { until } from "../../support/until.js";
import { makeFolder, type RunningReplica, settingsFrom, startReplica, startReplicas } from "./replicas.js";

const app = makeKeyPair("rsa");
const root = makeKeyPair();

const portsOf = (replicas: readonly RunningReplica[]) => replicas.map(({ port }) => port);

test("a write to one daemon can be read on the other daemons, where `after` waits for it", async () => {
  await using cluster = await startReplicas(3, ["-s", app.file]);
  const [first = 0, second = 0, third = 0] = portsOf(cluster);
  using writer = await EnvelopeClient.open(first, app);
  using reader = await EnvelopeClient.open(second, app);
  await until("the daemons are connected", async () => (await reader.hello()).members === 2);
  assert.deepEqual(await writer.replies([["SET", "k", "v"]]), [OK]);
  await using client = clientOf([first]);
  await client.send("SET later 1");
  await using other = clientOf([third]);
  assert.equal(await other.send("GET later", { after: client.lastWrite ?? "" }), "1");
  await until("the second daemon has the write", async () => {
    const [reply] = await reader.replies([["GET", "k"]]);
    return reply?.kind === "bulk" && reply.bytes === "v";
  });
});

test("if a member's copy of an envelope arrives before the client's, the client receives the fold's answer", async () => {
  await using cluster = await startReplicas(2, ["-s", app.file]);
  const [first = 0, second = 0] = portsOf(cluster);
  using one = await EnvelopeClient.open(first, app);
  using other = await EnvelopeClient.open(second, app);
  await until("the daemons are connected", async () => (await other.hello()).members === 1);
  assert.deepEqual(await one.replies([["INCR", "n"]]), [integer(1)]);
  const increment = one.sign([["INCR", "n"]]);
  const message = await one.exchange(increment.frame);
  await until("the second daemon has the write", async () => {
    const [reply] = await other.replies([["GET", "n"]]);
    return reply?.kind === "bulk" && reply.bytes === "2";
  });
  const again = await other.exchange(increment.frame);
  assert.ok(message.kind === "result" && again.kind === "result");
  assert.deepEqual([again.id, again.replies, again.flags], [message.id, [integer(2)], [""]]);
});

function clientOf(ports: readonly number[]): Client {
  return createClient({ servers: ports.map((port) => `127.0.0.1:${port}`), key: app.privateKey });
}

test("a daemon without a timeline refuses to wait", async () => {
  await using daemon = await startReplica({ args: ["-s", app.file] });
  await using client = clientOf([daemon.port]);
  await assert.rejects(client.send("SET k v", { stable: true }), /cannot-wait/);
  await assert.rejects(client.send("SET k v", { replicated: 1 }), /cannot-wait/);
  assert.throws(() => settingsFrom(["--v1", "gateway"]), /--data, --peer or --order/);
});

test("an unmet condition on a live daemon with peers ends a call immediately", async () => {
  await using replicas = await startReplicas(2, ["-s", app.file]);
  const [port = 0] = portsOf(replicas);
  await using silent = await FakeServer.start("hang");
  await until("the daemons are connected", async () => {
    using hello = await EnvelopeClient.open(port, app);
    return (await hello.hello()).members === 1;
  });

  const key = loadSigningKey({ key: app.privateKey, passphrase: undefined });
  const servers = [`127.0.0.1:${port}`, silent.address];
  const cluster = replicas[0]?.daemon.cluster ?? "";
  const settings = readOptions({ key: false, servers, cluster }, () => assert.fail("no defaults"));
  // The client's clock does not advance, so waiting for other daemons would never end.
  const { environment } = new HandClock();
  await using client = openClientWith(settings, environment, key);

  await client.send("SET k v");
  for (let i = 0; i < 20; i++) assert.equal(await client.send("GET absent"), null);
});

/** Signs a version 1 frame. */
function version1(line: string): string {
  return frameOf(line, (text) => signCommand(text, app.privateKey)).toString("latin1");
}

test("a daemon with peers refuses version 1, or records its writes and sends them to peers", async () => {
  await using cluster = await startReplicas(2, (index) => [
    ...["-s", app.file],
    ...(index === 0 ? ["--v1", "gateway"] : []),
  ]);
  const [first = 0, second = 0] = portsOf(cluster);
  await using php = createClient({ servers: `127.0.0.1:${first}`, key: app.privateKey });
  assert.equal(await php.send("SET k v"), "OK");

  using raw = await RawClient.open(second);
  raw.send(version1("GET k"));
  assert.equal(await raw.read(1), "", "the daemon closes the connection without a message");

  using old = await RawClient.open(first);
  old.send(version1("INCR n") + version1("INCR n") + version1("GET n"));
  const answers = [await old.answer(), await old.answer(), await old.answer()];
  assert.deepEqual(answers, ["redis:2:1\0", "redis:2:2\0", "redis:2:2\0"]);

  using reader = await EnvelopeClient.open(second, app);
  await until("the peer has the write", async () => {
    const [reply] = await reader.replies([["GET", "n"]]);
    return reply?.kind === "bulk" && reply.bytes === "2";
  });
});

test("with administrators, a gateway's writes are refused until one authorizes its key", async () => {
  using folder = makeFolder();
  await using daemon = await startReplica({
    args: ["-s", app.file, "--root-key", root.file, "--data", folder.path],
  });
  const advice = daemon.log.find(({ msg }) => /until an administrator signs this command/.test(msg));
  const command = String(advice?.["command"]);

  using old = await RawClient.open(daemon.port);
  old.send(version1("INCR n"));
  assert.equal(await old.answer(), "", "the daemon closes the connection without a message");
  const refusals = daemon.log.filter((line) => JSON.stringify(line).includes("not-let-in"));
  assert.ok(JSON.stringify(refusals).includes(command), JSON.stringify(refusals));

  using administrator = await EnvelopeClient.open(daemon.port, root);
  await administrator.replies([command.split(" ")]);
  using again = await RawClient.open(daemon.port);
  again.send(version1("INCR n"));
  assert.equal(await again.answer(), "redis:2:1\0");
  using reader = await EnvelopeClient.open(daemon.port, app);
  assert.deepEqual(await reader.replies([["GET", "n"]]), [bulk("1")]);
});

test("a failed command is reported as provisional, and succeeds when an earlier write arrives", async () => {
  using folder = makeFolder();
  await using replica = await startReplica({ args: ["-s", app.file, "--data", folder.path] });
  using client = await EnvelopeClient.open(replica.port, app);
  const now = Date.now();
  const flagsOf = async (command: string, at: number) => {
    const message = await client.ask([command.split(" ")], { at });
    assert.ok(message.kind === "result");
    return [message.replies[0]?.kind, ...message.flags];
  };
  assert.deepEqual(await flagsOf("SET k text", now - 3000), ["status", ""]);
  assert.deepEqual(await flagsOf("LPUSH k a", now - 1000), ["error", "provisional"]);
  assert.deepEqual(await flagsOf("LPUSH k", now - 900), ["error", ""]);
  assert.deepEqual(await flagsOf("DEL k", now - 2000), ["integer", "late"]);
  assert.deepEqual(await client.replies([["LINDEX", "k", "0"]]), [bulk("a")]);
});

// These tests wait for seconds, so they run at the same time.
describe("while a peer is down, or the order is not final", { concurrency: true }, () => {
  test("an answer waits until N daemons have the write, unless the cluster has fewer daemons", async () => {
    const unreachable = `127.0.0.1:${await freePort()}`;
    await using cluster = await startReplicas(2, ["-s", app.file, "--peer", unreachable]);
    await using client = clientOf([cluster[0]?.port ?? 0]);
    assert.equal(await client.send("SET k v", { replicated: 2 }), "OK");
    assert.equal(await client.call("INCR n", { replicated: 1 }), 1);
    await assert.rejects(client.send("GET k", { replicated: 2 }), /cannot-wait/);
    await assert.rejects(
      client.send("SET k w", { replicated: 3, timeout: 1000 }),
      /timeout: .*waiting for other daemons to store the write: dbsync status/,
    );
    await assert.rejects(
      client.send("SET k x", { replicated: 9 }),
      /too-few-daemons.*Wait for fewer.*not applied/,
    );
    assert.equal(await client.send("GET k"), "w", "a write that waits for too many daemons is not applied");
  });

  test("an answer waits until the order up to the write is final", async () => {
    await using cluster = await startReplicas(2, [
      ...["-s", app.file, "--window", "1s,500ms", "--tail-seconds", "5s"],
    ]);
    await using client = clientOf([cluster[0]?.port ?? 0]);
    assert.equal(await client.send("SET k v", { stable: true, timeout: 60_000 }), "OK");
  });

  test("a daemon without connected peers reports this with each answer, and still accepts writes", async () => {
    await using cluster = await startReplicas(3, ["-s", app.file]);
    const [alone, ...others] = cluster;
    assert.ok(alone !== undefined);
    for (const { daemon } of others) await daemon.stop();
    await until("the daemon is isolated", () => alone.daemon.health.state === "isolated");
    using client = await EnvelopeClient.open(alone.port, app);
    const message = await client.ask([
      ["INCR", "n"],
      ["GET", "absent"],
    ]);
    assert.ok(message.kind === "result");
    assert.deepEqual(message.replies, [integer(1), NIL]);
    assert.deepEqual(message.flags, ["isolated", "isolated"]);
  });
});
