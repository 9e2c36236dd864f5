/** Tests which daemons' clocks a client uses when they contradict each other, with fake daemons on loopback. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { NIL, type Reply } from "../../protocol/reply.js";
import { FakeServer } from "./fake-server.js";
import { client2Of, ServedDaemon } from "./served-daemon.js";
import { errorOf, summary } from "./test-client.js";

const DAY_MS = 86_400_000;

/** Starts a daemon on loopback whose clock is wrong by the given milliseconds. */
function off(milliseconds: number, id: number, reply: (name: string) => Reply): Promise<ServedDaemon> {
  const clock = () => Date.now() + milliseconds;
  return ServedDaemon.start({ id, clock, reply: ([name]) => reply(name as string) });
}

const hit = (): Reply => ({ kind: "bulk", bytes: "here" });
const miss = (): Reply => NIL;

/** Creates a client that follows the clock of the deviating daemon, because only that daemon has answered so far. */
const clientBy = (odd: ServedDaemon, others: readonly (ServedDaemon | FakeServer)[], options = {}) =>
  client2Of([odd, ...others], { wallOffset: -DAY_MS, cluster: "63".repeat(32), versions: "2", ...options });

test("a daemon with a wrong clock does not turn a value into nil: the read is dated by the other daemons' clocks", async () => {
  await using odd = await off(-DAY_MS, 1, miss);
  await using one = await off(0, 2, hit);
  await using two = await off(0, 3, hit);
  for (const others of [[one, two], [one]]) {
    await using client = clientBy(odd, others);
    for (let turn = 0; turn < 3; turn++) assert.equal(await client.send("GET a"), "here");
  }
});

test("a read that is signed again returns nil if the other daemons return nil, and each daemon answers once", async () => {
  await using odd = await off(-DAY_MS, 1, miss);
  await using one = await off(0, 2, miss);
  await using two = await off(0, 3, miss);
  await using client = clientBy(odd, [one, two]);
  assert.equal(await client.send("GET a"), null);
  const { outcomes } = await client.sendAll("GET b");
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ["ok", "ok", "ok"],
  );
});

test("calls of one envelope are handled separately if only some of them are signed again", async () => {
  const known = (name: string): Reply => (name === "GET" ? NIL : { kind: "status", text: "PONG" });
  await using odd = await off(-DAY_MS, 1, known);
  await using one = await off(0, 2, (name) => (name === "GET" ? hit() : known(name)));
  await using client = clientBy(odd, [one]);
  const calls = ["PING", "GET a", "PING", "GET b", "PING"].map((command) => client.send(command));
  assert.deepEqual(await Promise.all(calls), ["PONG", "here", "PONG", "here", "PONG"]);
});

test("a hung daemon does not prevent a read from being signed again for the other daemons", async () => {
  await using odd = await off(-DAY_MS, 1, miss);
  await using hung = await off(-DAY_MS, 2, miss);
  hung.passes = () => [];
  await using one = await off(0, 3, hit);
  await using silent = await FakeServer.start("hang");
  await using client = clientBy(odd, [hung, one, silent], { timeout: 10_000 });
  const startedAt = performance.now();
  assert.equal(await client.send("GET a"), "here");
  assert.ok(performance.now() - startedAt < 5_000);
});

test("one wrong clock among three neither delays nil nor causes an additional signature", async () => {
  await using one = await off(0, 1, miss);
  await using two = await off(0, 2, miss);
  await using odd = await off(-DAY_MS, 3, miss);
  const signatures = { count: 0 };
  await using client = client2Of([one, two, odd], { signatures });
  await client.sendAll("PING");
  signatures.count = 0;
  assert.equal(await client.send("SET a 1 NX"), null);
  assert.equal(signatures.count, 1);
});

test("a write that returned nil on a daemon with a wrong clock is not sent again, and is an error", async () => {
  await using odd = await off(-DAY_MS, 1, miss);
  await using one = await off(0, 2, hit);
  await using two = await off(0, 3, hit);
  await using client = clientBy(odd, [one, two]);
  const failure = await errorOf(client.send("LPOP queue"));
  assert.equal(failure.code, "clocks-differ");
  assert.equal(failure.effect, "unknown");
  assert.deepEqual(failure.outcomes.map(summary), ["ok null", "refused not-applied", "refused not-applied"]);
  assert.match(failure.message, /refused it \(skew: No\.\)/);
  assert.deepEqual([...one.envelopes, ...two.envelopes], []);
});

test("a call to daemons that refuse every date is signed only a limited number of times", async () => {
  await using odd = await off(-DAY_MS, 1, miss);
  await using one = await off(0, 2, hit);
  one.daemon.refusal = { code: "skew", effect: "not-applied" };
  const signatures = { count: 0 };
  await using client = client2Of([odd, one], { wallOffset: -DAY_MS, signatures });
  assert.equal((await errorOf(client.send("GET a"))).code, "clocks-differ");
  assert.ok(signatures.count <= 4, `${signatures.count} signatures`);
});
