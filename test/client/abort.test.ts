/** Tests calls and subscriptions with an AbortSignal: when they fail, with which effect, and what daemons receive. */
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { createClient, DbsyncError, dbsyncReset, dbsyncSend } from "../../client/public-api.js";
import { startDaemon } from "../support/daemon-process.js";
import { until } from "../support/until.js";
import { FakeServer } from "./fake-server.js";
import { client2Of, ServedDaemon } from "./served-daemon.js";
import { clientOf, errorOf, summary } from "./test-client.js";

const CLUSTER = "63".repeat(32);

/** A daemon that receives everything and answers nothing after its hello. */
async function startSilent(): Promise<ServedDaemon> {
  const served = await ServedDaemon.start();
  served.passes = (answers) => (served.daemon.applied.length > 0 ? [] : answers);
  return served;
}

/** Withholds all answers of a daemon. @returns the withheld answers */
function hold(served: ServedDaemon): readonly Buffer[] {
  const held: Buffer[] = [];
  served.passes = (answers) => {
    held.push(...answers);
    return [];
  };
  return held;
}

/** Makes a daemon answer again, on new connections. */
function release(served: ServedDaemon): void {
  served.passes = (answers) => answers;
  served.disconnect();
}

test("a call whose signal is aborted fails at once, with the reason as its cause", async () => {
  await using served = await startSilent();
  await using client = client2Of([served]);
  const abort = new AbortController();
  const failed = errorOf(client.send("SET k v", { signal: abort.signal }));
  await until("the command to be applied", () => served.daemon.applied.length > 0);
  const reason = new Error("the visitor left");
  abort.abort(reason);
  const failure = await failed;
  assert.deepEqual([failure.code, failure.command, failure.effect], ["aborted", "SET k", "unknown"]);
  assert.equal(failure.cause, reason);
  assert.match(failure.message, /^The call was aborted \(SET k\): the visitor left:\n {2}127/);
  assert.deepEqual(failure.outcomes.map(summary), ["not-awaited unknown"]);
});

test("a read that is aborted has changed nothing", async () => {
  await using served = await startSilent();
  await using client = client2Of([served]);
  const failed = errorOf(client.call("GET k", { signal: AbortSignal.timeout(1) }));
  const failure = await failed;
  assert.deepEqual([failure.code, failure.effect], ["aborted", "not-applied"]);
  assert.equal((failure.cause as Error).name, "TimeoutError");
});

test("a call with a signal that was aborted before is not sent", async () => {
  await using served = await ServedDaemon.start();
  await using client = client2Of([served]);
  const signal = AbortSignal.abort();
  const calls = [
    client.send("SET k 1", { signal }),
    client.call("SET k 2", { signal }),
    client.multi(["SET k 3", "SET k 4"], { signal }),
    client.sendAll("SET k 5", { signal }),
  ];
  for (const call of calls) {
    const { code, effect, outcomes, cause } = await errorOf(call);
    assert.deepEqual([code, effect, outcomes, cause], ["aborted", "not-applied", [], signal.reason]);
  }
  assert.equal(await client.send("GET k"), "OK");
  assert.deepEqual(served.envelopes, [["GET k"]]);
});

test("a call that is aborted before its envelope is signed is left out of the envelope", async () => {
  await using served = await ServedDaemon.start();
  await using client = client2Of([served]);
  const abort = new AbortController();
  const { signal } = abort;
  const sent = [client.send("SET k 1"), client.send("SET k 2", { signal }), client.send("SET k 3")];
  abort.abort();
  const { code, effect } = await errorOf(sent[1] as Promise<unknown>);
  assert.deepEqual([code, effect], ["aborted", "not-applied"]);
  assert.deepEqual(await Promise.all([sent[0], sent[2]]), ["OK", "OK"]);
  assert.deepEqual(served.envelopes, [["SET k 1", "SET k 3"]]);
});

test("an aborted call that waits for a daemon's hello is never sent", async () => {
  await using served = await ServedDaemon.start();
  const held = hold(served);
  await using client = client2Of([served], { cluster: CLUSTER });
  const abort = new AbortController();
  const failed = errorOf(client.send("SET k 1", { signal: abort.signal }));
  await until("the hello", () => held.length > 0);
  abort.abort();
  const { effect, outcomes } = await failed;
  assert.deepEqual([effect, outcomes.map(summary)], ["not-applied", ["not-awaited not-applied"]]);
  release(served);
  assert.equal(await client.send("SET k 2"), "OK");
  assert.deepEqual(served.envelopes, [["SET k 2"]]);
});

test("an aborted call that shares its signed envelope with other calls may be applied", async () => {
  await using served = await ServedDaemon.start();
  const held = hold(served);
  await using client = client2Of([served], { cluster: CLUSTER });
  const abort = new AbortController();
  const failed = errorOf(client.send("SET k 1", { signal: abort.signal }));
  const other = client.send("SET k 2");
  await until("the hello", () => held.length > 0);
  abort.abort();
  assert.equal((await failed).effect, "unknown");
  release(served);
  assert.equal(await other, "OK");
});

test("a call to a daemon that speaks version 1 can be aborted", async () => {
  await using server = await FakeServer.start("hang");
  await using client = clientOf([server]);
  const abort = new AbortController();
  const failed = errorOf(client.send("SET k v", { signal: abort.signal }));
  await until("the command", () => server.requests.length > 0);
  abort.abort();
  const { code, effect } = await failed;
  assert.deepEqual([code, effect], ["aborted", "unknown"]);
});

test("an aborted call that waits for another one of version 1 may still be sent", async () => {
  await using server = await FakeServer.start("hang");
  await using client = clientOf([server]);
  const first = errorOf(client.send("SET k 1"));
  await until("the first command", () => server.requests.length > 0);
  const abort = new AbortController();
  const failed = errorOf(client.send("SET k 2", { signal: abort.signal }));
  abort.abort();
  assert.equal((await failed).effect, "unknown");
  await client.close();
  assert.equal((await first).code, "closed");
});

test("a settled call no longer listens to its signal, which many calls may share", async () => {
  await using served = await ServedDaemon.start();
  await using client = client2Of([served]);
  const warnings: Error[] = [];
  const warned = (warning: Error) => void warnings.push(warning);
  process.on("warning", warned);
  const { signal } = new AbortController();
  const calls = Array.from({ length: 100 }, (_, n) => client.send(`SET k ${n}`, { signal }));
  await Promise.all(calls);
  await assert.rejects(client.send(["SET", "k", {}] as never, { signal }), { code: "bad-command" });
  process.off("warning", warned);
  assert.deepEqual(getEventListeners(signal, "abort"), []);
  assert.deepEqual(warnings, []);
});

test("signal must be an AbortSignal", async () => {
  await using client = client2Of(["127.0.0.1:1"]);
  await assert.rejects(client.send("GET k", { signal: new AbortController() as never }), {
    code: "bad-option",
    message: /signal is .*, allowed: an AbortSignal/,
  });
});

test("dbsyncSend, typed methods and subscriptions accept a signal", async () => {
  await using daemon = await startDaemon();
  const servers = `127.0.0.1:${daemon.port}`;
  const signal = AbortSignal.abort();
  const aborted = (problem: unknown) =>
    problem instanceof DbsyncError && problem.code === "aborted" && problem.cause === signal.reason;
  await assert.rejects(dbsyncSend("GET k", { servers, key: false, signal }), aborted);
  dbsyncReset();
  await using client = createClient({ servers, key: false });
  await assert.rejects(client.withOptions({ signal }).get("k"), aborted);
  assert.equal(await client.withOptions({ db: 1 }).set("k", "in 1"), "OK");
  assert.deepEqual([await client.get("k"), await client.call("GET k", { db: 1 })], [null, "in 1"]);
  await assert.rejects(client.subscribe("news", { signal }).next(), aborted);
});

test("an iterator whose signal is aborted fails, and the client unsubscribes", async () => {
  await using daemon = await startDaemon();
  await using client = createClient({ servers: `127.0.0.1:${daemon.port}`, key: false });
  const abort = new AbortController();
  const { signal } = abort;
  const left = client.watch("k", { signal });
  const events = client.subscribe("news", { signal });
  for (const each of [left, events]) assert.equal((await each.next()).value.type, "open");
  await left.return?.();
  const next = events.next();
  abort.abort();
  await assert.rejects(next, { code: "aborted", cause: signal.reason });
  await until("the daemon to have no subscriber", async () => (await client.publish("news", "x")) === 0);
  assert.deepEqual(getEventListeners(signal, "abort").length, 0);
});
