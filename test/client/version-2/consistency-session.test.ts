/**
 * Tests read-your-own-writes: what a client requires of daemons that may be missing its writes, with fake daemons on
 * loopback.
 */
import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { test } from "node:test";
import type { Reply } from "../../../protocol/reply.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import { until } from "../../support/until.js";
import { client2Of, ServedDaemon } from "../served-daemon.js";
import { errorOf } from "../test-client.js";

const value = (bytes: string): Reply => ({ kind: "bulk", bytes });

/** Returns, for each daemon, the `after` fields of its last envelopes. */
const afterOf = (...daemons: readonly ServedDaemon[]) =>
  daemons.map(({ daemon }) => {
    const after = daemon.applied.at(-1)?.envelope.after ?? null;
    return after === null ? null : hexOf(after);
  });

/** Starts two daemons with members. The daemons answer reads with different values. */
async function startPair() {
  const daemons = [await ServedDaemon.start({ id: 1 }), await ServedDaemon.start({ id: 2 })] as const;
  for (const [index, { daemon }] of daemons.entries()) {
    daemon.members = 1;
    daemon.reply = ([name]) =>
      name === "GET" ? value(index === 0 ? "new" : "old") : { kind: "status", text: "OK" };
  }
  return daemons;
}

test("reads name a write that one daemon has not accepted, until that daemon proves that it has the write", async () => {
  const [one, two] = await startPair();
  await using _one = one;
  await using _two = two;
  await using client = client2Of([one, two], { isSession: true });
  await client.send("SET k old", { policy: "all" });
  await client.send("GET k");
  assert.deepEqual(afterOf(one), [null]);
  two.daemon.refusal = { code: "catching-up", effect: "not-applied" };
  assert.equal((await errorOf(client.send("SET k new", { policy: "all" }))).code, "not-all-answered");
  const written = client.lastWrite;
  two.daemon.refusal = null;
  await client.sendAll("GET k");
  assert.deepEqual(afterOf(one, two), [written, written]);
  await client.sendAll("GET k");
  assert.deepEqual(afterOf(one, two), [null, null]);
});

test("reads also name a write that one daemon refused before another daemon accepted it", async () => {
  const [one, two] = await startPair();
  await using _one = one;
  await using _two = two;
  await using client = client2Of([one, two], { isSession: true });

  await client.send("SET k old", { policy: "all" });
  two.daemon.refusal = { code: "catching-up", effect: "not-applied" };
  const held: Buffer[] = [];
  one.passes = (answers) => {
    held.push(...answers);
    return [];
  };

  const written = client.send("SET k new");
  const isRefused = new Promise<void>((resolve) => {
    const told = (message: unknown) => {
      if (!JSON.stringify(message).includes("catching-up")) return;
      unsubscribe("dbsync:outcome", told);
      resolve();
    };
    subscribe("dbsync:outcome", told);
  });
  await isRefused;
  one.passes = (answers) => [...held.splice(0), ...answers];
  two.daemon.refusal = null;
  await client.send("PING");
  await written;

  await client.sendAll("GET k");
  assert.deepEqual(afterOf(two), [client.lastWrite]);
});

test("reads name a placed write until the daemon that has not answered it proves that it has the write", async () => {
  const [one, two] = await startPair();
  await using _one = one;
  await using _two = two;
  await using client = client2Of([one, two], { isSession: true });

  await client.send("SET k old", { policy: "all" });
  for (const { daemon } of [one, two]) daemon.unit = (reply) => ({ reply, flags: "placed" });
  two.passes = () => [];
  assert.equal(await client.send("SET k new"), "OK");

  one.passes = () => [];
  two.passes = (answers) => answers;
  for (const { daemon } of [one, two]) daemon.unit = (reply) => ({ reply, flags: "" });
  await client.send("GET k");
  assert.deepEqual(afterOf(two), [client.lastWrite]);
  await client.send("GET k");
  assert.deepEqual(afterOf(two), [null]);
});

test("a read that was signed before its client knew of a refusal is signed again for the daemon that refused", async () => {
  const [one, two] = await startPair();
  await using _one = one;
  await using _two = two;
  await using client = client2Of([one, two], { isSession: true });

  await client.send("SET k old", { policy: "all" });
  two.daemon.refusal = { code: "catching-up", effect: "not-applied" };
  const held: Buffer[] = [];
  two.passes = (answers) => {
    held.push(...answers);
    return [];
  };

  assert.equal(await client.send("SET k new"), "OK");
  await until("the refusal", () => held.length === 1);

  two.daemon.refusal = null;
  one.passes = () => [];
  const read = client.send("GET k", { timeout: 700 });
  await until("the answer with the old value", () => held.length === 2);
  two.passes = (answers) => [...held.splice(0), ...answers];
  void client.send("PING").catch(() => null);
  await read;
  assert.deepEqual(
    afterOf(two),
    [client.lastWrite],
    "the daemon answers once it has the write that the read names",
  );
});

test("a daemon with a new connection must prove that it has the newest write", async () => {
  const [one, two] = await startPair();
  await using _one = one;
  await using _two = two;
  await using client = client2Of([one, two], { isSession: true });
  await client.send("SET k new", { policy: "all" });
  two.disconnect();
  await until("the first connection", () => two.accepted === 1);
  await client.sendAll("GET other");
  assert.equal(two.accepted, 2, "another connection");
  assert.deepEqual(afterOf(two), [client.lastWrite]);
  await client.sendAll("GET k");
  assert.deepEqual(afterOf(one, two), [null, null]);
});

test("each of two daemons must prove that it has its missed write before it answers a read", async () => {
  const [one, two] = await startPair();
  await using _one = one;
  await using _two = two;
  await using client = client2Of([one, two], { isSession: true });
  await client.send("SET k old", { policy: "all" });

  const missed: (string | null)[] = [];
  // Each daemon refuses the write that the other daemon accepts.
  for (const daemon of [two, one]) {
    daemon.daemon.refusal = { code: "catching-up", effect: "not-applied" };
    await errorOf(client.send("SET k new", { policy: "all" }));
    missed.push(client.lastWrite);
    daemon.daemon.refusal = null;
  }

  const before = one.daemon.applied.length;
  // The call is signed again until each daemon has proved that it has the write that it missed.
  await client.sendAll("GET k");
  const named = one.daemon.applied.slice(before).map(({ envelope }) => hexOf(envelope.after ?? ""));
  assert.deepEqual(new Set(named), new Set(missed));

  await client.sendAll("GET k");
  assert.deepEqual(afterOf(one, two), [null, null]);
});

test("a read in flight to a lost daemon is signed again, and names the write", async () => {
  const [one, two] = await startPair();
  await using _one = one;
  await using _two = two;
  await using client = client2Of([one, two], { isSession: true });
  await client.send("SET k new", { policy: "all" });
  // The first daemon sends nothing. The other daemon loses its connection during the read, and answers on the next.
  one.passes = () => [];
  let lost = 0;
  two.passes = (answers) => (lost++ === 0 ? null : answers);
  const read = client.send("GET k", { timeout: 700 });
  await read;
  assert.deepEqual(afterOf(two), [client.lastWrite]);
});

test("calls without a session, plain writes, and calls to one daemon or to daemons without a timeline name no write", async () => {
  const [one, two] = await startPair();
  await using _one = one;
  await using _two = two;
  const alone = await ServedDaemon.start({ id: 3 });
  await using _alone = alone;

  const fleets = [
    { daemons: [one, two], isSession: false, command: "GET k" },
    { daemons: [one, two], isSession: true, command: "SET k 2" },
    { daemons: [one], isSession: true, command: "GET k" },
    { daemons: [one, alone], isSession: true, command: "GET k" },
  ];

  for (const { daemons, isSession, command } of fleets) {
    await using client = client2Of(daemons, { isSession });
    await client.send("SET k 1", { policy: "all" });

    const [last] = daemons.slice(-1) as [ServedDaemon];
    const { accepted } = last;
    last.disconnect();
    await client.sendAll("PING");
    await until("another connection", () => last.accepted > accepted);

    await client.sendAll(command);
    assert.deepEqual(
      afterOf(...daemons),
      daemons.map(() => null),
    );
  }
});

test("a unit with conditions also names the write, and the caller's `after` has precedence", async () => {
  const [one, two] = await startPair();
  await using _one = one;
  await using _two = two;
  await using client = client2Of([one, two], { isSession: true });
  two.daemon.refusal = { code: "catching-up", effect: "not-applied" };
  await errorOf(client.send("SET k new", { policy: "all" }));
  const written = client.lastWrite as string;
  two.daemon.refusal = null;
  const condition = { if: [{ key: "k", writer: null }] };
  await client.sendAll("SET k newer", condition);
  assert.deepEqual(afterOf(one, two), [written, written]);
  const own = `${"0".repeat(15)}1${"0".repeat(76)}`;
  await client.sendAll("GET k", { after: own });
  assert.deepEqual(afterOf(one, two), [own, own]);
});

test("one daemon's report does not settle a unit with conditions, even if its position was final", async () => {
  const [one, two] = await startPair();
  await using _one = one;
  await using _two = two;
  await using client = client2Of([one, two]);
  await client.send("SET k old", { policy: "all" });
  two.passes = () => [];
  const options = { if: [{ key: "k", writer: null }], timeout: 700 };
  const error = await errorOf(client.send("SET k new", { ...options, stable: true }));
  assert.equal(error.code, "too-few-answers");
  assert.equal(error.effect, "unknown");
});

test("a read is answered after the loss of all connections, whether it was signed before or after that", async () => {
  const [one, two] = await startPair();
  await using _one = one;
  await using _two = two;
  await using client = client2Of([one, two], { isSession: true });
  await client.send("SET k new", { policy: "all" });
  for (const daemon of [one, two]) daemon.disconnect();
  // These daemons answer every GET with their own value.
  assert.match(String(await client.send("GET k")), /^(new|old)$/);
  const read = client.sendAll("GET k");
  for (const daemon of [one, two]) daemon.disconnect();
  const { outcomes } = await read;
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.status === "ok" ? outcome.value : outcome.stage)),
    ["new", "old"],
  );
});
