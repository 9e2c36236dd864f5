/** Tests which calls request a decision of a list's members. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PendingCall } from "../../../client/calls/pending-call.js";
import type { CommandInput } from "../../../client/shared/command-input.js";
import { ruleFor } from "../../../client/shared/policy.js";
import { requestsDecision } from "../../../client/version-2/outbox.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import { KNOWS_DECISIONS, KNOWS_SIGNED } from "../../../protocol/version-2/messages-v2.js";
import { refusingAddress } from "../../support/free-port.js";
import { until } from "../../support/until.js";
import { HandClock } from "../hand-clock.js";
import { client2Of, ServedDaemon } from "../served-daemon.js";
import { errorOf, summary } from "../test-client.js";

const condition = { db: 0, key: "k", writer: "" };

function requests(
  command: CommandInput,
  settings: object = {},
  kind: "reads" | "writes" = "writes",
): boolean {
  const call = { inputs: command, bytes: "", settings: { policy: "usual", envelope: null, ...settings } };
  return requestsDecision(call as unknown as PendingCall, kind);
}

test("commands that write only if a key is absent or present request a decision", () => {
  const conditional = [
    "SET k v NX",
    "set k v px 1000 xx",
    "SETNX k v",
    "hsetnx h f v",
    "MSETNX k v l w",
    "SET k v XX KEEPTTL",
  ];
  for (const command of conditional) {
    assert.ok(requests(command), command);
    const words = command.split(" ");
    assert.ok(requests(words), command);
    assert.ok(requests(words.map((word) => Buffer.from(word))), command);
  }
  const plain = ["SET k v", "SET k v EX 10", "SET k NX", "SET k v NX GET", "SETEX k 1 v", "GET k", "INCR k"];
  for (const command of plain) {
    assert.ok(!requests(command), command);
    assert.ok(!requests(command.split(" ")), command);
  }
});

test("units with conditions request a decision, unless the caller has chosen another policy, or only reads", () => {
  const envelope = { if: [condition] };
  assert.ok(requests("SET k v", { envelope }));
  assert.ok(requests("SET k v", { envelope, policy: "majority" }));
  assert.ok(!requests("SET k v", { envelope, policy: "first" }));
  assert.ok(!requests("SET k v NX", { policy: 2 }));
  assert.ok(!requests("SET k v", { envelope: { ...envelope, only: "o".repeat(32) } }));
  assert.ok(!requests("GET k", { envelope }, "reads"));
});

test("a majority of the servers has to report a decision", () => {
  assert.equal(ruleFor("usual", false, true), "majority");
  assert.equal(ruleFor("usual", true, true), "decision");
  assert.equal(ruleFor("usual", false, false), "first");
  assert.equal(ruleFor("first", true, true), "first");
});

const DECIDING = [KNOWS_SIGNED, KNOWS_DECISIONS];

async function startThree() {
  const daemons = await Promise.all([1, 2, 3].map((id) => ServedDaemon.start({ id })));
  const end = () => Promise.all(daemons.map((daemon) => daemon[Symbol.asyncDispose]()));
  return Object.assign(daemons, { [Symbol.asyncDispose]: async () => void (await end()) });
}

/** Whether the envelopes that the daemons have applied request a decision. */
const requested = (daemons: readonly ServedDaemon[]) =>
  daemons.flatMap(({ daemon }) => daemon.applied.map(({ envelope }) => envelope.decide));

test("a client with a configured cluster waits for a hello before it signs a unit with a condition", async () => {
  await using daemons = await startThree();
  for (const { daemon } of daemons) daemon.knows = DECIDING;
  await using client = client2Of(daemons, { cluster: "63".repeat(32), versions: "2" });
  const { outcomes } = await client.sendAll("SET lock me NX");
  assert.deepEqual(outcomes.map(summary), ["ok OK", "ok OK", "ok OK"]);
  assert.deepEqual(requested(daemons), [true, true, true]);
});

test("a client with a configured cluster does not wait for unreachable daemons", async () => {
  await using client = client2Of([await refusingAddress()], { cluster: "63".repeat(32), versions: "2" });
  const failure = await errorOf(client.send("SET lock me NX"));
  assert.equal(summary(failure.outcomes[0]), "connect not-applied");
});

test("one daemon's announcement of decisions counts, and does so permanently", async () => {
  await using daemons = await startThree();
  const [one, ...rest] = daemons;
  assert.ok(one !== undefined);
  one.daemon.knows = DECIDING;
  await using client = client2Of(daemons);
  await client.sendAll("PING");
  // The daemons restart, and do not announce it.
  one.daemon.knows = [KNOWS_SIGNED];
  for (const daemon of daemons) daemon.disconnect();
  for (const { daemon } of rest) daemon.refusal = { code: "cannot-decide", effect: "not-applied" };
  await client.send("PING").catch(() => {});
  const failure = await errorOf(client.send("SET lock me NX"));
  assert.equal(failure.code, "too-few-answers", "one daemon does not acknowledge it");
  assert.deepEqual(one.daemon.applied.at(-1)?.envelope.decide, true);
});

test("while two envelopes have no answer, further calls wait for two milliseconds and share the next envelope", async () => {
  await using daemon = await ServedDaemon.start();
  const clock = new HandClock();
  await using client = client2Of([daemon], { clock, versions: "2" });
  await client.send("PING");

  daemon.passes = () => [];
  const calls: Promise<unknown>[] = [];
  const send = () => void calls.push(client.send("PING").catch(() => {}));
  for (const envelopes of [2, 3]) {
    send();
    await until(`envelope ${envelopes}`, () => daemon.envelopes.length === envelopes);
  }

  for (let call = 0; call < 8; call++) {
    send();
    await new Promise(setImmediate);
  }

  clock.advance(2);
  await until("all calls", () => daemon.envelopes.flat().length === 11);
  assert.deepEqual(
    daemon.envelopes.map(({ length }) => length),
    [1, 1, 1, 8],
  );

  client.close();
  await Promise.all(calls);
});

test("calls on which members decide do not wait for the answers of earlier ones", async () => {
  await using daemons = await startThree();
  for (const { daemon } of daemons) daemon.knows = DECIDING;
  const clock = new HandClock();
  await using client = client2Of(daemons, { clock, versions: "2" });
  await client.send("PING", { policy: "all" });
  for (const daemon of daemons) daemon.passes = () => [];

  const calls: Promise<unknown>[] = [];
  for (let call = 0; call < 6; call++) {
    calls.push(client.send(`SET k${call} v NX`).catch(() => {}));
    for (const daemon of daemons)
      await until(
        `envelope ${call}`,
        () => daemon.envelopes.filter(([line]) => line !== "PING").length === call + 1,
      );
  }

  client.close();
  await Promise.all(calls);
});

test("more than half of a client's servers have to know the list", async () => {
  await using daemons = await startThree();
  const [one, two, three] = daemons;
  assert.ok(one !== undefined && two !== undefined && three !== undefined);
  for (const { daemon } of [one, two]) daemon.knows = DECIDING;
  three.daemon.refusal = { code: "cannot-decide", effect: "not-applied" };
  await using client = client2Of(daemons);
  await client.sendAll("PING").catch(() => {});
  assert.equal(await client.send("SET lock me NX"), "OK");
  two.daemon.refusal = { code: "cannot-decide", effect: "not-applied" };
  const failure = await errorOf(client.send("SET lock me NX"));
  assert.equal(failure.code, "too-few-answers");
});

test("reads after a decision name the unit, because a daemon that has received it may not know the decision", async () => {
  await using daemons = await startThree();
  for (const { daemon } of daemons) Object.assign(daemon, { knows: DECIDING, members: 2 });
  await using client = client2Of(daemons, { isSession: true });
  await client.sendAll("PING");
  const third = daemons[2];
  assert.ok(third !== undefined);

  const held: Buffer[] = [];
  third.passes = (answers) => {
    held.push(...answers);
    return [];
  };

  assert.equal(await client.send("SET lock me NX"), "OK");
  third.passes = (answers) => [...held.splice(0), ...answers];
  const write = client.lastWrite;
  await client.sendAll("GET lock");
  const named = daemons.map(({ daemon }) => daemon.applied.at(-1)?.envelope.after ?? "");
  assert.deepEqual(named.map(hexOf), [write, write, write]);
});

test("no answer to a unit on which members decide may lack it, although another daemon has answered it before", async () => {
  await using daemons = await startThree();
  for (const { daemon } of daemons) Object.assign(daemon, { knows: DECIDING, members: 2 });
  await using client = client2Of(daemons, { isSession: true });
  await client.sendAll("PING");

  const [, second, third] = daemons;
  assert.ok(second !== undefined && third !== undefined);
  for (const daemon of [second, third]) {
    const held: Buffer[] = [];
    daemon.passes = (answers) => {
      held.push(...answers);
      return client.lastWrite === null ? [] : held.splice(0);
    };
  }

  const taken = client.sendAll("SET lock me", { if: [{ key: "lock", writer: null }] });
  await until("the first answer", () => client.lastWrite !== null);
  await client.sendAll("PING");
  const { outcomes } = await taken;

  assert.equal(requested(daemons).filter(Boolean).length, 3);
  assert.deepEqual(
    outcomes.map((outcome) => outcome.status === "ok" && outcome.flags),
    [[], [], []],
  );
});

test("calls above the maximum that wait for a signature are refused, and the error counts the waiting ones", async () => {
  await using client = client2Of([await refusingAddress()], { cluster: "63".repeat(32), versions: "2" });
  await errorOf(client.send("SET k v"));
  const calls = [1, 2].map(() => errorOf(client.send(["SET", "k", Buffer.alloc(40 * 1024 * 1024)])));
  const [first, second] = await Promise.all(calls);
  assert.equal(first?.code, "all-failed");
  assert.equal(second?.code, "busy");
  assert.match(String(second?.message), /: 1 commands are not signed yet/);
});
