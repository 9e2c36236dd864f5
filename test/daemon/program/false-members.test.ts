/** Tests that a process on this machine without a key of the cluster cannot affect its daemons. */
import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { introductionOf } from "../../../daemon/cluster/replica/own-envelopes.js";
import { identityOf, makeIdentity } from "../../../daemon/engine/trust/identity.js";
import { readClusterSecret, writeClusterSecret } from "../../../keys/cluster-secret-file.js";
import { OK } from "../../../protocol/reply.js";
import { knowsSecret, secretFile } from "../../support/cluster-secret.js";
import { EnvelopeClient, makeKeyPair } from "../../support/envelope-client.js";
import { freePort } from "../../support/free-port.js";
import { until } from "../../support/until.js";
import { FalseMember } from "./false-member.js";
import { makeFolder, settingsFrom, startReplica } from "./replicas.js";

const app = makeKeyPair();
const root = makeKeyPair();

test("a daemon with a folder and without --peer admits no member, not even on this machine", async () => {
  using folder = makeFolder();
  await using daemon = await startReplica({ args: ["-s", app.file, "--data", folder.path] });
  using client = await EnvelopeClient.open(daemon.port, app);
  for (const secret of [null, readClusterSecret(secretFile).secret]) {
    using attacker = new FalseMember(daemon.port);
    assert.equal(await attacker.enter(client.cluster, secret), "no-peers");
    assert.deepEqual(
      attacker.received.map(({ kind }) => kind),
      ["bye"],
      "the attacker receives no data",
    );
  }
});

test("a daemon with a secret admits only members that prove it", async () => {
  const args = ["-s", app.file, "--peer", `127.0.0.1:${await freePort()}`, ...knowsSecret];
  await using daemon = await startReplica({ args });
  using client = await EnvelopeClient.open(daemon.port, app);
  for (const secret of [null, Buffer.alloc(32), Buffer.alloc(32, 1)]) {
    using attacker = new FalseMember(daemon.port);
    assert.equal(await attacker.enter(client.cluster, secret), "other-secret");
    assert.ok(!attacker.received.some(({ kind }) => kind === "proof" || kind === "status"));
  }
  using member = new FalseMember(daemon.port);
  assert.equal(await member.enter(client.cluster, readClusterSecret(secretFile).secret), null);
});

test("a daemon's own key gives it orders about lists, but cannot write, read, or add itself", async () => {
  using folder = makeFolder();
  await using daemon = await startReplica({ args: ["-s", app.file, "--data", folder.path] });
  await until("the daemon accepts commands", () => daemon.daemon.health.state !== "catching-up");

  const identity = identityOf(createPrivateKey(readFileSync(join(folder.path, "daemon.pem"))));
  const pair = { privateKey: identity.key, id: identity.id, file: "", pem: "" };
  using operator = await EnvelopeClient.open(daemon.port, pair);
  assert.equal((await operator.replies([["CLUSTER", "MEMBERS"]]))[0]?.kind, "array");

  for (const commands of [
    [["GET", "k"]],
    [["SET", "k", "v"]],
    [["KEY", "LIST"]],
    [["PUBLISH", "c", "m"]],
    [
      ["CLUSTER", "MEMBERS", "FOUND"],
      ["SET", "k", "v"],
    ],
    [["CLUSTER", "MEMBERS", "FOUND", "x", "y", "z"]],
    [["CLUSTER", "MEMBERS", "no list"]],
    [introductionOf(identity)],
    [["SET", "k", "v"]],
  ]) {
    const message = await operator.ask(commands);
    const isRefused =
      message.kind === "refused" ||
      (message.kind === "result" &&
        message.replies.every((reply) => reply.kind === "error" && /^(NOPERM|ERR)/.test(reply.text)));
    assert.ok(isRefused, JSON.stringify([commands, message]));
  }
});

test("a changed secret disconnects members that proved the old one", async () => {
  using folder = makeFolder();
  const newer = `${folder.path}/newer.secret`;
  writeClusterSecret(newer);
  const args = ["-s", app.file, "--peer", `127.0.0.1:${await freePort()}`];
  await using daemon = await startReplica({ args: [...args, ...knowsSecret] });
  using client = await EnvelopeClient.open(daemon.port, app);
  using member = new FalseMember(daemon.port);
  assert.equal(await member.enter(client.cluster, readClusterSecret(secretFile).secret), null);

  await assert.rejects(
    daemon.daemon.reload(settingsFrom([...args, "--cluster-secret", `${folder.path}/none`])),
    /--cluster-secret: .*none does not exist/,
  );

  await daemon.daemon.reload(settingsFrom([...args, ...knowsSecret]));
  assert.ok(!member.isClosed, "the secret has not changed yet");
  await daemon.daemon.reload(settingsFrom([...args, "--cluster-secret", newer]));
  await until("the member is disconnected", () => member.isClosed);

  using again = new FalseMember(daemon.port);
  assert.equal(await again.enter(client.cluster, readClusterSecret(newer).secret), null);
});

test("a restarted member is admitted although 90 idle connections use its name", async () => {
  using folder = makeFolder();
  const args = ["-s", app.file, "--data", folder.path, ...knowsSecret];
  const [port, unreachable] = [await freePort(), await freePort()];
  // The daemon's configured peer does not listen, so the member must connect.
  const own = ["-s", app.file, "-p", String(port), "--peer", `127.0.0.1:${unreachable}`, ...knowsSecret];
  await using daemon = await startReplica({ args: own });
  using client = await EnvelopeClient.open(daemon.port, app);
  const isConnected = async () => (await client.hello()).members === 1;

  let id = "";
  for (let start = 0; start < 2; start++) {
    const idlers = Array.from({ length: start * 90 }, () => new FalseMember(port));
    for (const idler of idlers) idler.greet(client.cluster, id);
    for (const idler of idlers) await idler.hears("challenge");

    await using member = await startReplica({ args: [...args, "--peer", `127.0.0.1:${port}`] });
    await until("the member is admitted", isConnected);
    assert.ok(
      idlers.every(({ isClosed }) => !isClosed),
      "no idle connection was closed",
    );

    using asking = await EnvelopeClient.open(member.port, app);
    id = (await asking.hello()).daemon;
    for (const idler of idlers) idler[Symbol.dispose]();
  }
});

// These tests wait until a daemon gives up its peer, so they run at the same time.
describe("while no peer is there", { concurrency: true }, () => {
  test("with unpinned peers and a root key, an unknown daemon is refused before it proves anything", async () => {
    const peer = `127.0.0.1:${await freePort()}`;
    await using daemon = await startReplica({
      args: ["-s", app.file, "--root-key", root.file, "--peer", peer],
    });
    using client = await EnvelopeClient.open(daemon.port, app);
    using attacker = new FalseMember(daemon.port);
    assert.equal(await attacker.enter(client.cluster), "not-a-member");
    using administrator = await EnvelopeClient.open(daemon.port, root);
    const identity = makeIdentity();
    await until("the daemon accepts commands", () => daemon.daemon.health.state !== "catching-up");
    assert.equal((await administrator.replies([introductionOf(identity)]))[0]?.kind, "bulk");
    using added = new FalseMember(daemon.port, identity);
    assert.equal(await added.enter(client.cluster), null);
  });

  test("a key cannot add itself over a client's connection, and its envelopes are refused", async () => {
    using folder = makeFolder();
    const peer = `127.0.0.1:${await freePort()}`;
    for (const more of [[], ["--peer", peer, ...knowsSecret, "--resp", "0"]]) {
      await using daemon = await startReplica({ args: ["-s", app.file, "--data", folder.path, ...more] });
      await until("the daemon accepts commands", () => daemon.daemon.health.state !== "catching-up");
      using client = await EnvelopeClient.open(daemon.port, app);
      assert.deepEqual(await client.replies([["SET", "k", "v"]]), [OK]);
      const identity = makeIdentity();
      const pair = { privateKey: identity.key, id: identity.id, file: "", pem: "" };
      using attacker = await EnvelopeClient.open(daemon.port, pair);
      for (const commands of [
        [introductionOf(identity)],
        [["FLUSHALL"]],
        [introductionOf(identity), ["FLUSHALL"]],
      ]) {
        const message = await attacker.ask(commands);
        assert.ok(message.kind === "refused" && message.code === "unknown-key", JSON.stringify(message));
      }
      const [denied] = await client.replies([introductionOf(identity)]);
      assert.match(denied?.kind === "error" ? denied.text : "", /^NOPERM/);
      assert.equal((await client.replies([["GET", "k"]]))[0]?.kind, "bulk");
    }
  });
});
