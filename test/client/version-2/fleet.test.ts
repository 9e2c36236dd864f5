/** Tests a client of fake daemons on loopback that differ in version, cluster or clock. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CONNECT_MS } from "../../../client/shared/connections.js";
import { DbsyncError } from "../../../client/shared/errors.js";
import { startDaemon } from "../../../daemon/program/testing.js";
import { writeFrame } from "../../../protocol/frame.js";
import { KNOWS_UNSIGNED, writeHello } from "../../../protocol/version-2/messages-v2.js";
import { amount } from "../../support/amount.js";
import { until } from "../../support/until.js";
import { FakeServer } from "../fake-server.js";
import { client2Of, ServedDaemon } from "../served-daemon.js";
import { errorOf, summary } from "../test-client.js";

test("in a fleet of two versions each daemon receives each command in its version", async () => {
  await using old = await FakeServer.start();
  await using daemon = await ServedDaemon.start();
  await using client = client2Of([old, daemon], { versions: "1,2" });
  const { outcomes } = await client.sendAll("SET a 1");
  assert.deepEqual(outcomes.map(summary), ["ok OK", "ok OK"]);
  assert.deepEqual(
    outcomes.map((outcome) => outcome.status === "ok" && outcome.version),
    [1, 2],
  );
  await Promise.all(["SET a 2", "SET a 3", "SET a 4"].map((command) => client.send(command)));
  await until("the old daemon to receive everything", () => old.requests.length === 4);
  assert.deepEqual(daemon.envelopes.flat(), ["SET a 1", "SET a 2", "SET a 3", "SET a 4"]);
  const again = await client.sendAll(["SET", "a", "b c"]);
  assert.deepEqual(again.outcomes.map(summary), ["version-1 not-applied", "ok OK"]);
  assert.deepEqual(await client.multi(["SET a 5"]), ["OK"]);
});

test("if every daemon speaks version 1, calls use version 1, and those that require version 2 fail immediately", async () => {
  await using old = await FakeServer.start();
  for (const versions of ["1", "1,2"] as const) {
    await using client = client2Of([old], { versions });
    assert.equal(await client.send("SET a 1"), "OK");
    assert.equal(await client.call("SET a 1"), "OK");
    for (const call of [client.multi(["PING"]), client.call("PING", { db: 1 })]) {
      const failure = await errorOf(call);
      assert.equal(failure.code, "bad-command");
      assert.match(failure.message, /version 2/);
    }
  }
});

test("a daemon that has spoken version 2 never silently receives version 1", async () => {
  const daemon = await ServedDaemon.start();
  const { port } = daemon;
  await using client = client2Of([daemon], { versions: "1,2" });
  await client.send("SET a 1");
  await daemon[Symbol.asyncDispose]();
  await using old = await FakeServer.start("answer", port);
  await until("the port", () => old.port === port);
  const failure = await errorOf(client.send("SET a 2"));
  assert.equal(summary(failure.outcomes[0]), "downgrade unknown");
  assert.deepEqual(old.requests, []);
});

test("a daemon that reports that it has no keys receives no signed commands, and the error says so", async () => {
  const hello = writeHello({
    kind: "hello",
    versions: [1, 2],
    daemon: "",
    cluster: "",
    clock: 1,
    state: "live",
    role: "daemon",
    members: null,
    knows: [KNOWS_UNSIGNED],
  });
  for (const required of [false, true]) {
    await using daemon = await ServedDaemon.start();
    daemon.passes = () => [Buffer.from(writeFrame(hello, 2), "latin1")];
    await using client = client2Of([daemon], required ? { versions: "2" } : {});
    const failure = await errorOf(client.send("SET a 1"));
    assert.equal(summary(failure.outcomes[0]), "refused not-applied");
    assert.match(failure.message, /This daemon has no keys/);
    assert.equal(daemon.accepted, 1);
  }
});

test("a daemon that was restarted without keys has not applied the later commands", async () => {
  await using daemon = await ServedDaemon.start();
  await using client = client2Of([daemon]);
  await client.send("SET a 1");
  const { port } = daemon;
  await daemon[Symbol.asyncDispose]();
  await using keyless = await startDaemon({ key: false, args: ["--port", String(port)] });
  assert.equal(keyless.port, port);
  // After this call, the client has noticed the loss of the earlier connection.
  await errorOf(client.send("PING"));
  const failure = await errorOf(client.send("SET a 2"));
  assert.equal(summary(failure.outcomes[0]), "refused not-applied");
  assert.match(failure.message, /This daemon has no keys/);
});

const clusters = ["c".repeat(32), "d".repeat(32)] as const;

test("a list with equally many servers from two clusters is an error that names both", async () => {
  await using one = await ServedDaemon.start({ cluster: clusters[0] });
  await using two = await ServedDaemon.start({ cluster: clusters[1] });
  await using client = client2Of([one, two]);
  const failure = await errorOf(client.send("SET a 1"));
  assert.equal(failure.code, "clusters-differ");
  for (const part of [one.address, two.address, "63".repeat(32), "64".repeat(32)])
    assert.ok(failure.message.includes(part), failure.message);
  assert.doesNotMatch(failure.message, /closed|in time/);
  assert.deepEqual([failure.effect, failure.outcomes], ["not-applied", []]);
  assert.deepEqual([...one.envelopes, ...two.envelopes], []);
});

test("one daemon of another cluster is skipped and reported", async () => {
  await using other = await ServedDaemon.start({ cluster: clusters[1] });
  await using one = await ServedDaemon.start({ cluster: clusters[0] });
  await using two = await ServedDaemon.start({ cluster: clusters[0] });
  await using client = client2Of([other, one, two]);

  // On a busy machine the third hello may be read only after the conflict between the first two was decided.
  const isHeard = () =>
    client.send("SET a 1").then(
      (answer) => answer === "OK",
      (error: unknown) => {
        if (error instanceof DbsyncError && error.code === "clusters-differ") return false;
        throw error;
      },
    );
  await until("the client has read the hellos of one cluster", isHeard);

  const { outcomes } = await client.sendAll("SET a 2");
  assert.deepEqual(outcomes.map(summary), ["wrong-cluster not-applied", "ok OK", "ok OK"]);
  assert.deepEqual(other.envelopes, []);
});

test("a client with a configured cluster sends to no other cluster", async () => {
  await using daemon = await ServedDaemon.start({ cluster: clusters[1] });
  await using client = client2Of([daemon], { cluster: "63".repeat(32) });
  const failure = await errorOf(client.send("SET a 1"));
  assert.equal(summary(failure.outcomes[0]), "wrong-cluster not-applied");
  assert.deepEqual(daemon.envelopes, []);
});

test("a hung daemon delays the first call of a client only briefly", async () => {
  await using hung = await FakeServer.start("hang");
  await using daemon = await ServedDaemon.start();
  await using client = client2Of([hung, daemon]);
  const startedAt = performance.now();
  assert.equal(await client.send("SET a 1"), "OK");
  assert.ok(performance.now() - startedAt < CONNECT_MS, "the call does not wait for the other hello");
});

test("a client with a wrong clock is correct after the first hello", async () => {
  await using daemon = await ServedDaemon.start();
  await using client = client2Of([daemon], { wallOffset: -3_600_000 });
  assert.equal(await client.send("SET a 1"), "OK");
  const [applied] = daemon.daemon.applied;
  assert.ok(Math.abs((applied?.envelope.at ?? 0) - (applied?.clock ?? 0)) < 60_000);
});

test("a command that is refused because of its date is signed again and applied once", async () => {
  await using daemon = await ServedDaemon.start();
  const signatures = { count: 0 };
  await using client = client2Of([daemon], {
    cluster: "63".repeat(32),
    versions: "2",
    wallOffset: 3_600_000,
    signatures,
  });
  assert.equal(await client.send("INCR n"), "OK");
  assert.deepEqual(daemon.envelopes, [["INCR n"]]);
  assert.equal(new Set(daemon.daemon.arrived).size, signatures.count);
});

test("the writes of clients with wrong clocks on different daemons are dated in the order of their turns", async () => {
  let newest = 0;
  const started = await Promise.all(
    [-400, 0, 400].map((offset, id) => ServedDaemon.start({ id: id + 1, clock: () => Date.now() + offset })),
  );
  await using _one = started[0] as ServedDaemon;
  await using _two = started[1] as ServedDaemon;
  await using _three = started[2] as ServedDaemon;
  const clients = [-60_000, -7, 11_000, 60_000].map((wallOffset) => client2Of(started, { wallOffset }));

  let last = { at: 0, seq: 0 };
  let inversions = 0;
  for (let turn = 0; turn < amount(120, 300); turn++) {
    const client = clients[turn % clients.length] ?? assert.fail();
    // Each client has received an answer from a daemon that has the write of the previous turn.
    await client.sendAll("GET turn");
    await client.sendAll(`SET turn ${turn}`);
    const { envelope } = started[turn % 3]?.daemon.applied.at(-1) ?? assert.fail();
    if (envelope.at < last.at || (envelope.at === last.at && envelope.seq <= last.seq)) inversions++;
    last = envelope;
    newest = Math.max(newest, envelope.at);
  }

  await Promise.all(clients.map((client) => client.close()));
  assert.equal(inversions, 0);
  assert.ok(newest < Date.now() + 5_000);
});

test("the client warns once about a cluster that is not configured, unless the daemons are on this machine", async () => {
  await using daemon = await ServedDaemon.start();
  const warnings: string[] = [];
  await using client = client2Of([daemon], { warn: (warning) => warnings.push(warning) });
  await client.send("PING");
  assert.deepEqual(warnings, []);
});

test("if the keys of the daemons change while a client runs, the client queries them again and signs the call again", async () => {
  await using one = await ServedDaemon.start({ id: 1, cluster: clusters[0] });
  await using two = await ServedDaemon.start({ id: 2, cluster: clusters[0] });
  await using three = await ServedDaemon.start({ id: 3, cluster: clusters[0] });
  for (const daemons of [[one], [one, two], [one, two, three]]) {
    for (const { daemon } of daemons) daemon.cluster = clusters[0];
    const signatures = { count: 0 };
    await using client = client2Of(daemons, { policy: "all", signatures });
    assert.equal(await client.send("INCR n"), "OK");
    for (const { daemon } of daemons) daemon.cluster = clusters[1];
    const calls = Array.from({ length: 50 }, () => client.send("INCR n"));
    assert.deepEqual(new Set(await Promise.all(calls)), new Set(["OK"]));
    const counted = signatures.count;
    assert.equal(await client.send("INCR n"), "OK");
    assert.equal(signatures.count, counted + 1);
  }
  assert.deepEqual(
    [one, two, three].map(({ envelopes }) => envelopes.flat().length),
    [156, 104, 52],
  );
});

test("the client again queries daemons that were restarted with other keys", async () => {
  for (const count of [1, 2, 3]) {
    const daemons = await Promise.all(
      Array.from({ length: count }, (_, i) => ServedDaemon.start({ id: i + 1, cluster: clusters[0] })),
    );
    try {
      await using client = client2Of(daemons, { policy: "all" });
      assert.equal(await client.send("INCR n"), "OK");
      for (const { daemon } of daemons) daemon.cluster = clusters[1];
      for (const daemon of daemons) daemon.disconnect();
      const result: unknown = await client.send("INCR n").catch((error: unknown) => error);
      // If the command was written before the close, the lost daemon may have applied it, so the client does not sign
      // it again.
      if (result instanceof DbsyncError) assert.equal(result.effect, "unknown");
      else assert.equal(result, "OK");
      assert.equal(await client.send("INCR n"), "OK");
      for (const daemon of daemons) assert.deepEqual(daemon.envelopes.at(-1), ["INCR n"]);
    } finally {
      await Promise.all(daemons.map((daemon) => daemon[Symbol.asyncDispose]()));
    }
  }
});

test("the client adopts the new cluster of a server with other keys while its other server is down", async () => {
  const stopped = await ServedDaemon.start({ id: 1, cluster: clusters[0] });
  await using daemon = await ServedDaemon.start({ id: 2, cluster: clusters[0] });
  await using client = client2Of([stopped, daemon]);
  assert.equal(await client.send("INCR n"), "OK");
  await stopped[Symbol.asyncDispose]();
  assert.equal(await client.send("INCR n"), "OK");
  daemon.daemon.cluster = clusters[1];
  assert.equal(await client.send("INCR n"), "OK");
});

test("the client follows daemons that receive other keys one after the other", async () => {
  await using one = await ServedDaemon.start({ id: 1, cluster: clusters[0] });
  await using two = await ServedDaemon.start({ id: 2, cluster: clusters[0] });
  await using three = await ServedDaemon.start({ id: 3, cluster: clusters[0] });
  const daemons = [one, two, three];
  await using client = client2Of(daemons);
  await client.sendAll("INCR n");
  for (const { daemon } of daemons) {
    daemon.cluster = clusters[1];
    for (let i = 0; i < 5; i++) assert.equal(await client.send("INCR n"), "OK");
  }
  const areAllBack = async () =>
    (await client.sendAll("INCR n")).outcomes.every(({ status }) => status === "ok");
  await until("all daemons answer", areAllBack);
});

test("the client again queries servers whose clusters differed", async () => {
  await using one = await ServedDaemon.start({ id: 1, cluster: clusters[0] });
  await using two = await ServedDaemon.start({ id: 2, cluster: clusters[1] });
  await using client = client2Of([one, two]);
  assert.equal((await errorOf(client.send("INCR n"))).code, "clusters-differ");
  one.daemon.cluster = clusters[1];
  const isAgreed = () =>
    client.send("INCR n").then(
      () => true,
      ({ code }: { code: string }) => assert.equal(code, "clusters-differ") ?? false,
    );
  await until("the servers name one cluster", isAgreed);
});

test("a configured cluster never changes, and the client does not query a contradictory daemon forever", async () => {
  await using daemon = await ServedDaemon.start({ cluster: clusters[0] });
  const signatures = { count: 0 };
  await using told = client2Of([daemon], { cluster: "63".repeat(32), signatures });
  await using asking = client2Of([daemon], { signatures });
  await told.send("PING");
  await asking.send("PING");
  signatures.count = 0;
  daemon.daemon.refusal = { code: "wrong-cluster", effect: "not-applied" };
  assert.equal(summary((await errorOf(told.send("INCR n"))).outcomes[0]), "refused not-applied");
  assert.equal(signatures.count, 1);
  assert.equal(summary((await errorOf(asking.send("INCR n"))).outcomes[0]), "refused not-applied");
  assert.ok(signatures.count <= 5, `${signatures.count} signatures`);
});
