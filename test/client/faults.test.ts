/**
 * Tests how a client reacts to each kind of fault, with only the faulty daemon and with another daemon that answers.
 * The sockets are real, on loopback.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MISS_LINGER_MS } from "../../client/shared/connections.js";
import { refusingAddress } from "../support/free-port.js";
import { NAMELESS } from "../support/nameless.js";
import { until } from "../support/until.js";
import { type Behaviour, FakeServer } from "./fake-server.js";
import { HandClock } from "./hand-clock.js";
import { clientOf, errorOf, hearOutcomes, summary } from "./test-client.js";

/** A timeout in milliseconds, by a clock that the test controls. */
const TIMEOUT_MS = 200;

/** The behaviours; `alone` is the outcome on the faulty daemon. */
const ROWS: [behaviour: Behaviour, alone: string, message: RegExp][] = [
  ["hang", "timeout unknown", /timeout: no answer in time; .* \[may have been applied there\]/],
  [
    "close on request",
    "no-reason unknown",
    /no-reason: closed without an answer; version 1 cannot report the reason: a wrong or missing key/,
  ],
  ["reset on request", "no-reason unknown", /no-reason: closed without an answer \(ECONNRESET\)/],
  [
    "close in mid-frame",
    "garbage unknown",
    /garbage: the answer is not a dbsync message \(closed in the middle of an answer\)/,
  ],
  ["garbage", "garbage unknown", /garbage: .*at byte 0/],
  ["garbage in a frame", "garbage unknown", /garbage: .*expected a chunk/],
  ["huge length", "garbage unknown", /garbage: .*a frame of over 67108864 bytes was announced/],
];

for (const [behaviour, alone, message] of ROWS) {
  describe(`a daemon that does "${behaviour}"`, { concurrency: true }, () => {
    test("alone makes the call fail with its stage and a remedy", async () => {
      await using server = await FakeServer.start(behaviour);
      const clock = new HandClock();
      await using client = clientOf([server], { timeout: TIMEOUT_MS, clock });
      const failure = errorOf(client.send("SET k v"));
      await until("the request", () => server.requests.length === 1);
      if (behaviour === "hang") clock.advance(TIMEOUT_MS);
      const error = await failure;
      assert.equal(error.code, "all-failed");
      assert.equal(summary(error.outcomes[0]), alone);
      assert.match(error.message, message);
      assert.ok(error.message.includes(server.address));
    });

    test("neither affects nor delays calls that another daemon answers", async () => {
      await using bad = await FakeServer.start(behaviour);
      await using good = await FakeServer.start();
      // The client's clock does not move, so a wait for a time would never end.
      await using client = clientOf([bad, good], { clock: new HandClock() });
      for (let call = 0; call < 20; call++) assert.equal(await client.send(`SET k ${call}`), "OK");
      assert.deepEqual(good.commands.at(-1), "SET k 19");
    });
  });
}

test("the outcome of an unreachable daemon is immediately connect, not applied", async () => {
  const dead = await refusingAddress();
  await using good = await FakeServer.start();
  await using client = clientOf([dead, good]);
  const { outcomes } = await client.sendAll("PING");
  assert.deepEqual(outcomes.map(summary), ["connect not-applied", "ok OK"]);
  await using alone = clientOf([dead]);
  const error = await errorOf(alone.send("PING"));
  assert.match(
    error.message,
    /connect: no connection \(ECONNREFUSED\); is dbsyncd running there\? \[not applied there\]/,
  );
});

test("an unknown host name fails with stage dns", async () => {
  await using client = clientOf([NAMELESS]);
  const error = await errorOf(client.send("PING"));
  assert.equal(summary(error.outcomes[0]), "dns not-applied");
});

test("if all daemons fail, the message and the outcomes of the error list them in order", async () => {
  const dead = await refusingAddress();
  await using hung = await FakeServer.start("hang");
  await using closing = await FakeServer.start("close on request");
  const clock = new HandClock();
  await using client = clientOf([dead, hung, closing], { timeout: TIMEOUT_MS, clock });
  using outcomes = hearOutcomes();
  const failure = errorOf(client.send("SET k v"));
  await until("the other outcomes", () => hung.requests.length === 1 && outcomes.told.length === 2);
  clock.advance(TIMEOUT_MS);

  const error = await failure;
  assert.deepEqual(error.outcomes.map(summary), [
    "connect not-applied",
    "timeout unknown",
    "no-reason unknown",
  ]);

  const lines = error.message.split("\n");
  assert.equal(lines[0], "No daemon answered (SET k):");
  assert.deepEqual(
    lines.slice(1).map((line) => line.trim().split(": ", 2).join(" ")),
    [`${dead} connect`, `${hung.address} timeout`, `${closing.address} no-reason`],
  );
});

test("daemons with the same failure are listed together", async () => {
  const [one, two] = [await refusingAddress(), await refusingAddress()];
  await using hung = await FakeServer.start("hang");
  const clock = new HandClock();
  await using client = clientOf([one, hung, two], { timeout: TIMEOUT_MS, clock });
  using outcomes = hearOutcomes();
  const failure = errorOf(client.send("SET k v"));
  await until("the other outcomes", () => outcomes.told.length === 2);
  clock.advance(TIMEOUT_MS);
  const { message } = await failure;
  const lines = message.split("\n").map((line) => line.trim().split(" (", 1)[0]);
  assert.equal(lines[1], `${one}, ${two}: connect: no connection`);
  assert.equal(lines.length, 3);
});

test("a failed read is always reported as not applied", async () => {
  await using hung = await FakeServer.start("hang");
  const clock = new HandClock();
  await using client = clientOf([hung], { timeout: TIMEOUT_MS, clock });
  const failure = errorOf(client.send("GET k"));
  await until("the request", () => hung.requests.length === 1);
  clock.advance(TIMEOUT_MS);
  const error = await failure;
  assert.equal(summary(error.outcomes[0]), "timeout not-applied");
  assert.equal(error.effect, "not-applied");
});

test("a late answer replaces an early failure", async () => {
  await using closing = await FakeServer.start("close on request");
  await using late = await FakeServer.start("answer late");
  await using client = clientOf([closing, late]);
  assert.equal(await client.send("GET k"), "OK");
});

test("nil is the result unless a value arrives soon afterwards", async () => {
  await using nil = await FakeServer.start("nil");
  await using other = await FakeServer.start("answer late");
  other.lateMs = 10;
  const clock = new HandClock();
  await using client = clientOf([nil, other], { clock });
  using outcomes = hearOutcomes();
  assert.equal(await client.send("GET k"), "OK");
  assert.deepEqual(
    outcomes.told.map(({ address }) => address),
    [nil.address, other.address],
  );

  other.behaviour = "hang";
  const call = client.send("GET k");
  await until("nil", () => outcomes.told.length === 3);
  clock.advance(MISS_LINGER_MS);
  assert.equal(await call, null);
});

test("if every daemon returns nil, the result is immediately null, in both formats", async () => {
  await using nil = await FakeServer.start("nil");
  await using client = clientOf([nil]);
  assert.equal(await client.send("GET k"), null);
  await using php = clientOf([nil], { format: "php-dbsync" });
  assert.equal(await php.send("GET k"), null);
});

test("an answer that arrives byte by byte is complete", async () => {
  await using server = await FakeServer.start("byte by byte");
  await using client = clientOf([server]);
  assert.equal(await client.send("GET k"), "OK");
});

for (const behaviour of ["answer and close", "two answers"] as const) {
  test(`the answer of a daemon that does "${behaviour}" counts, and does not affect the next call`, async () => {
    await using server = await FakeServer.start(behaviour);
    await using client = clientOf([server]);
    assert.equal(await client.send("PING"), "OK");
    await until("the client to have closed its side", () => server.sockets.size === 0);
    server.behaviour = "answer";
    server.value = "fresh";
    assert.equal(await client.send("PING"), "fresh");
    assert.equal(server.accepted, 2);
  });
}

test("a daemon that closes the connection after each answer executes every call", async () => {
  await using server = await FakeServer.start("answer and close");
  await using client = clientOf([server]);
  for (let call = 0; call < 10; call++) assert.equal(await client.send(`SET k ${call}`), "OK");
  assert.equal(server.requests.length, 10);
});

test("a command error, after which the daemon closes the connection, does not affect the next call", async () => {
  await using server = await FakeServer.start("close on request");
  await using client = clientOf([server]);
  await errorOf(client.send("INCR text"));
  server.behaviour = "answer";
  assert.equal(await client.send("PING"), "OK");
});

test("a call that was never sent, because others were ahead of it, fails as not applied", async () => {
  await using hung = await FakeServer.start("hang");
  const clock = new HandClock();
  await using client = clientOf([hung], { clock });
  const first = errorOf(client.send("SET k 1", { timeout: 2 * TIMEOUT_MS }));
  await until("the request", () => hung.requests.length === 1);
  const second = errorOf(client.send("SET k 2", { timeout: TIMEOUT_MS }));
  clock.advance(TIMEOUT_MS);
  const error = await second;
  assert.equal(summary(error.outcomes[0]), "timeout not-applied");
  assert.match(error.message, /never sent: other calls were ahead of it/);
  clock.advance(TIMEOUT_MS);
  assert.equal(summary((await first).outcomes[0]), "timeout unknown");
});

test("policy all-equal returns the value that all daemons sent, otherwise it lists each outcome", async () => {
  await using one = await FakeServer.start();
  await using two = await FakeServer.start();
  const clock = new HandClock();
  await using client = clientOf([one, two], { policy: "all-equal", timeout: TIMEOUT_MS, clock });
  using outcomes = hearOutcomes();
  assert.equal(await client.send("GET k"), "OK");
  two.value = "other";
  const differs = await errorOf(client.send("GET k"));
  assert.equal(differs.code, "answers-differ");
  assert.equal(differs.effect, "not-applied");
  assert.deepEqual(differs.outcomes.map(summary), ["ok OK", "ok other"]);
  two.behaviour = "hang";
  const failure = errorOf(client.send("GET k"));
  await until("the other outcomes", () => two.requests.length === 3 && outcomes.told.length === 5);
  clock.advance(TIMEOUT_MS);
  const missing = await failure;
  assert.equal(missing.code, "not-all-answered");
  assert.match(missing.message, /answered "OK"\n.*timeout/);
});
