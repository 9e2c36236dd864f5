/** Tests that no daemon applies a call that the client has reported as not applied. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { test } from "node:test";
import { dbsyncReset, dbsyncSend } from "../../../client/dbsync-send.js";
import { CONNECT_MS } from "../../../client/shared/connections.js";
import { until } from "../../support/until.js";
import { FakeServer } from "../fake-server.js";
import { HandClock } from "../hand-clock.js";
import { client2Of, ServedDaemon } from "../served-daemon.js";
import { errorOf, summary } from "../test-client.js";

const CLUSTER = "63".repeat(32);
/** Limits the real time of a test whose clock is controlled, in which a call that waits for its deadline never ends. */
const LIMIT = { timeout: 60_000 };

/** Returns an address that refuses connections. */
async function refusing(): Promise<string> {
  await using daemon = await ServedDaemon.start();
  return daemon.address;
}

for (const position of [0, 1, 2])
  test(`a unit with a condition that only server ${position} of three receives may have been applied`, async () => {
    await using daemon = await ServedDaemon.start();
    const servers: (ServedDaemon | string)[] = [await refusing(), await refusing()];
    servers.splice(position, 0, daemon);
    // The clock does not advance, so no backoff ends between the calls.
    await using client = client2Of(servers, { clock: new HandClock() });
    const condition = { if: [{ key: "k", writer: null }] };
    for (let call = 0; call < 3; call++) {
      const failure = await errorOf(client.call(`SET k ${call}`, condition));
      assert.equal(failure.effect, "unknown");
      // The first two have failed before the third is tried: the call does not end before that.
      if (position === 2) {
        assert.equal(failure.code, "too-few-answers");
        assert.deepEqual(failure.outcomes.map(summary).at(-1), "ok OK");
      }
      await until("the envelope", () => daemon.envelopes.length === call + 1);
    }
  });

for (const options of [{}, { cluster: CLUSTER }]) {
  const call = "cluster" in options ? "a call for a given cluster" : "a call for no given cluster";

  test(`${call} fails as soon as the last daemon has refused the connection`, LIMIT, async () => {
    const servers = [await refusing(), await refusing()];
    await using client = client2Of(servers, { ...options, clock: new HandClock() });
    const failure = await errorOf(client.send("SET k 1"));
    assert.deepEqual(failure.outcomes.map(summary), ["connect not-applied", "connect not-applied"]);
    assert.equal(failure.effect, "not-applied");
  });

  test(`${call} was not applied by a daemon that has not answered the hello`, LIMIT, async () => {
    await using daemon = await ServedDaemon.start();
    let hellos = 0;
    daemon.passes = ({ length }) => {
      hellos += length;
      return [];
    };
    const clock = new HandClock();
    await using client = client2Of([daemon], { ...options, clock });
    const failed = errorOf(client.send("SET k 1"));
    await until("the hello", () => hellos === 1);
    clock.advance(CONNECT_MS);
    const failure = await failed;
    assert.deepEqual(failure.outcomes.map(summary), ["timeout not-applied"]);
    assert.equal(failure.effect, "not-applied");
  });
}

test("a majority's failure does not wait for a daemon that does not answer the hello", LIMIT, async () => {
  const reply = () => ({ kind: "error", text: "WRONGTYPE No." }) as const;
  await using one = await ServedDaemon.start({ reply });
  await using two = await ServedDaemon.start({ reply });
  await using silent = await ServedDaemon.start();
  silent.passes = () => [];
  const options = { cluster: CLUSTER, policy: "majority", clock: new HandClock() } as const;
  await using client = client2Of([one, two, silent], options);
  const failure = await errorOf(client.send("INCR k"));
  assert.equal(failure.code, "reply");
  assert.deepEqual(failure.outcomes.map(summary), [
    "reply not-applied",
    "reply not-applied",
    "not-awaited unknown",
  ]);
});

test("an aborted call that is queued for a daemon of version 1 may be applied", async () => {
  await using old = await FakeServer.start("hang");
  await using daemon = await ServedDaemon.start();
  const signAsync = () => Promise.reject(new Error("No."));
  await using client = client2Of([old, daemon], { versions: "1,2", signAsync });
  daemon.passes = (answers) => (daemon.daemon.arrived.length > 0 ? [] : answers);
  const first = errorOf(client.send("SET k 1"));
  await until("the first call", () => old.requests.length === 1 && daemon.envelopes.length > 0);
  const failure = await errorOf(client.send("SET k 2"));
  assert.equal(failure.code, "bad-key");
  assert.deepEqual(failure.outcomes.map(summary), ["not-awaited unknown"]);
  assert.equal(failure.effect, "unknown");
  for (const socket of old.sockets) socket.destroy();
  await until("the second call", () => old.requests.length === 2);
  await client.close();
  assert.equal((await first).code, "closed");
});

test(
  "a call for differing clusters may be applied by a daemon that turns out to speak version 1",
  LIMIT,
  async () => {
    await using one = await ServedDaemon.start({ id: 1, cluster: "c".repeat(32) });
    await using two = await ServedDaemon.start({ id: 2, cluster: "d".repeat(32) });
    await using old = await FakeServer.start("hang");
    const hellos: Socket[] = [];
    old.hello = (socket) => void hellos.push(socket);
    await using client = client2Of([one, two, old], { versions: "1,2", clock: new HandClock() });

    const greeted = new Set<unknown>();
    const greet = (message: unknown) => void greeted.add((message as { address: string }).address);
    subscribe("dbsync:version", greet);
    const failed = errorOf(client.send("SET k 1"));
    const isGreeted = ({ address }: ServedDaemon) => greeted.has(address);
    await until("the hellos", () => isGreeted(one) && isGreeted(two) && hellos.length > 0);
    unsubscribe("dbsync:version", greet);

    for (const socket of hellos) socket.end();
    const failure = await failed;
    assert.equal(failure.code, "clusters-differ");
    assert.equal(failure.effect, "unknown");
    await until("the call", () => old.requests.length === 1);
  },
);

test("dbsyncSend does not use a client that was opened for another cluster", async () => {
  await using daemon = await ServedDaemon.start();
  const { privateKey: key } = generateKeyPairSync("ed25519");
  const options = { servers: daemon.address, key, timeout: 20_000 };
  try {
    assert.equal(await dbsyncSend("SET k 1", options), "OK");
    const failure = await errorOf(dbsyncSend("SET k 2", { ...options, cluster: "64".repeat(32) }));
    assert.equal(failure.effect, "not-applied");
    assert.equal(await dbsyncSend("SET k 3", { ...options, cluster: CLUSTER }), "OK");
    assert.deepEqual(daemon.envelopes.flat(), ["SET k 1", "SET k 3"]);
  } finally {
    dbsyncReset();
  }
});
