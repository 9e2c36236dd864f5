/** Tests the calls of a client while it learns that a daemon speaks only version 1. */
import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { test } from "node:test";
import type { VersionMessage } from "../../../client/calls/diagnostics-channels.js";
import { openClientWith } from "../../../client/dbsync-send.js";
import { readOptions } from "../../../client/settings/client-settings.js";
import { realEnvironment } from "../../../client/shared/client-environment.js";
import { until } from "../../support/until.js";
import { FakeServer } from "../fake-server.js";
import { HandClock } from "../hand-clock.js";
import { client2Of, ServedDaemon } from "../served-daemon.js";
import { errorOf, summary } from "../test-client.js";

/** Starts a version 1 server that closes the connection after the hello only when `close` is called. */
async function startOld() {
  const server = await FakeServer.start("answer");
  const hellos: Socket[] = [];
  server.hello = (socket) => void hellos.push(socket);
  return {
    server,
    hasHello: () => hellos.length > 0,
    close: () => {
      for (const socket of hellos.splice(0)) socket.end();
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

test("calls that are signed, being signed and not signed reach a version 1 daemon in their order", async () => {
  await using old = await startOld();
  await using daemon = await ServedDaemon.start();
  let isSigning = false;
  const signAsync = () => {
    isSigning = true;
    return new Promise<Buffer>(() => {});
  };
  await using client = client2Of([old.server, daemon], { versions: "1,2", signAsync });
  daemon.passes = (answers) => (daemon.daemon.applied.length > 0 ? [] : answers);

  const first = client.send("SET k 1");
  await until("the first envelope", () => daemon.envelopes.length === 1 && old.hasHello());
  const second = client.send("SET k 2");
  await until("the second signature", () => isSigning);
  const third = client.send("SET k 3");

  old.close();
  await Promise.all([first, second, third]);
  const sent = old.server.requests.map((request) => /SET k (\d)/.exec(request.toString("latin1"))?.[1]);
  assert.deepEqual(sent, ["1", "2", "3"]);
});

test("a version 1 daemon receives a call that another daemon has answered before its version was known", async () => {
  await using old = await startOld();
  await using daemon = await ServedDaemon.start();
  await using client = client2Of([old.server, daemon], { versions: "1,2" });
  await client.send("SET k 1");
  await until("the hello", old.hasHello);
  assert.equal(old.server.requests.length, 0);
  old.close();
  await until("the call", () => old.server.requests.length === 1);
});

test("after a minute, a call of a quiet client waits until the daemon has shown its version again", async () => {
  await using old = await startOld();
  const clock = new HandClock();
  await using client = client2Of([old.server], { versions: "1,2", clock });
  const first = client.send("SET k 1");
  await until("the hello", old.hasHello);
  old.close();
  await first;
  await client.send("SET k 2");
  assert.equal(old.server.requests.length, 2);
  clock.advance(61_000);
  const third = client.send("SET k 3");
  await until("another hello", old.hasHello);
  assert.equal(old.server.requests.length, 2);
  old.close();
  await third;
});

test("a batch of calls that version 1 does not support ends once for a version 1 daemon", async () => {
  await using old = await startOld();
  await using daemon = await ServedDaemon.start();
  const servers = [old.server.address, daemon.address];
  const settings = readOptions({ servers, key: false, versions: "1,2" }, () => assert.fail("no defaults"));
  const sign = () => Buffer.alloc(64);
  // There is a key, but version 1 does not support it.
  const signing = { sign: null, signer: { keyId: "k".repeat(32), sign, signAsync: async () => sign() } };
  const client = openClientWith(settings, realEnvironment, signing);
  daemon.passes = (answers) => (daemon.daemon.applied.length > 0 ? [] : answers);
  const calls = ["SET a 1", "SET b 2"].map((command) => errorOf(client.send(command)));
  await until("the envelope", () => daemon.envelopes.length === 1 && old.hasHello());
  assert.deepEqual(daemon.envelopes, [["SET a 1", "SET b 2"]]);

  let version = 0;
  const learn = (message: unknown) => void ({ version } = message as VersionMessage);
  subscribe("dbsync:version", learn);
  old.close();
  await until("the version", () => version === 1);
  unsubscribe("dbsync:version", learn);

  assert.ok(client.isBusy, "the other daemon has not answered");
  client.closeWith("closed");
  assert.ok(!client.isBusy);
  for (const { outcomes } of await Promise.all(calls))
    assert.deepEqual(outcomes.map(summary), ["version-1 not-applied", "closed unknown"]);
});
