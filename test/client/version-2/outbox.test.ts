/** Tests which calls request a decision of a list's members. */
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { test } from "node:test";
import type { PendingCall } from "../../../client/calls/pending-call.js";
import type { CommandInput } from "../../../client/shared/command-input.js";
import { ruleFor } from "../../../client/shared/policy.js";
import { requestsDecision } from "../../../client/version-2/outbox.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import { KNOWS_DECISIONS, KNOWS_SIGNED } from "../../../protocol/version-2/messages-v2.js";
import { readShared, sharing } from "../../../protocol/version-2/shared-signature.js";
import { refusingAddress } from "../../support/free-port.js";
import { until } from "../../support/until.js";
import { HandClock } from "../hand-clock.js";
import { client2Of, ServedDaemon } from "../served-daemon.js";
import { errorOf, summary } from "../test-client.js";

const hashOf = (bytes: Buffer) => hash("sha256", bytes, "binary");
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
  const calls = Array.from({ length: 6 }, (_, call) => client.send(`SET k${call} v NX`).catch(() => {}));
  for (const daemon of daemons)
    await until("all envelopes", () => daemon.envelopes.filter(([line]) => line !== "PING").length === 6);
  client.close();
  await Promise.all(calls);
});

/** Returns three daemons of a list, a client that knows it, and the number of its signatures since then. */
async function startDeciding(options: Parameters<typeof client2Of>[1] = {}) {
  const daemons = await startThree();
  for (const { daemon } of daemons) daemon.knows = DECIDING;
  const signatures = { count: 0 };
  const client = client2Of(daemons, { signatures, versions: "2", ...options });
  await client.send("PING", { policy: "all" });
  const end = async () => {
    client.close();
    await daemons[Symbol.asyncDispose]();
  };
  return { daemons, client, made: () => signatures.count - 1, [Symbol.asyncDispose]: end };
}

/** Checks that each daemon has received envelopes that share signatures, and returns how many share each. */
function sharesAt({ daemon }: ServedDaemon): number[] {
  const applied = daemon.applied.filter(({ envelope }) => envelope.decide);
  const ids = applied.map(({ id }) => id);
  const counts: number[] = [];
  for (let from = 0; from < applied.length; from += counts.at(-1) as number) {
    const { signature } = applied[from] as (typeof applied)[number];
    const count = readShared(signature)?.count ?? 1;
    const plain = [Buffer.alloc(64, "s")];
    const expected =
      count === 1 ? plain : sharing(ids.slice(from, from + count), hashOf).signaturesWith(plain[0] as Buffer);
    assert.deepEqual(
      applied.slice(from, from + count).map((one) => one.signature),
      expected,
    );
    counts.push(count);
  }
  return counts;
}

test("calls of one turn on which members decide share a signature, and a lone call has its own", async () => {
  await using scene = await startDeciding();
  const { client, daemons } = scene;
  assert.equal(await client.send("SET lone v NX"), "OK");
  const calls = Array.from({ length: 70 }, (_, call) => client.send(`SET k${call} v NX`));
  assert.deepEqual(new Set(await Promise.all(calls)), new Set(["OK"]));
  for (const daemon of daemons) {
    await until("all envelopes", () => daemon.daemon.applied.length === 72);
    assert.deepEqual(sharesAt(daemon), [1, 64, 6]);
  }
  assert.equal(scene.made(), 3);
});

test("a call on which no members decide is signed in its turn, alone", async () => {
  await using scene = await startDeciding();
  const { client, daemons } = scene;
  const plain = { policy: "first" } as const;
  const calls = ["SET a v NX", "SET b v NX", "SET c v", "SET d v NX", "SET e v NX"];
  await Promise.all(calls.map((line) => client.send(line, line === "SET c v" ? plain : {})));
  const [one] = daemons as unknown as [ServedDaemon];
  await until("all envelopes", () => one.daemon.applied.length === 6);
  assert.deepEqual(one.envelopes.slice(1).flat(), calls);
  assert.deepEqual(sharesAt(one), [2, 2]);
  assert.equal(scene.made(), 3);
});

test("calls that arrive while a signature is made share the next one", async () => {
  const made: ((signature: Buffer) => void)[] = [];
  const signAsync = () => new Promise<Buffer>((resolve) => made.push(resolve));
  await using scene = await startDeciding({ signAsync });
  const { client, daemons } = scene;
  for (const daemon of daemons) daemon.passes = () => [];
  // While an envelope has no answer, the client signs on another thread.
  const calls = [client.send("SET plain v").catch(() => {})];
  const send = (key: string) => void calls.push(client.send(`SET ${key} v NX`).catch(() => {}));
  await until("the plain envelope", () => daemons.every(({ envelopes }) => envelopes.length === 2));
  send("first");
  await until("a signature", () => made.length === 1);
  for (const key of ["a", "b", "c"]) send(key);
  made[0]?.(Buffer.alloc(64, "s"));
  await until("the next signature", () => made.length === 2);
  made[1]?.(Buffer.alloc(64, "s"));
  for (const daemon of daemons) {
    await until("all envelopes", () => daemon.envelopes.length === 6);
    assert.deepEqual(sharesAt(daemon), [1, 3]);
  }
  client.close();
  await Promise.all(calls);
});

test("a failed signature fails all calls that share it, and an aborted one is not sent", async () => {
  const made: [(signature: Buffer) => void, (error: Error) => void][] = [];
  const signAsync = () => new Promise<Buffer>((resolve, reject) => made.push([resolve, reject]));
  await using scene = await startDeciding({ signAsync });
  const { client, daemons } = scene;
  for (const daemon of daemons) daemon.passes = () => [];
  const plain = client.send("SET plain v").catch(() => {});
  await until("the plain envelope", () => daemons.every(({ envelopes }) => envelopes.length === 2));
  const failed = ["a", "b"].map((key) => errorOf(client.send(`SET ${key} v NX`)));
  await until("a signature", () => made.length === 1);
  made[0]?.[1](new Error("no key"));
  assert.deepEqual(
    (await Promise.all(failed)).map(({ code }) => code),
    ["bad-key", "bad-key"],
  );
  const controller = new AbortController();
  const aborted = errorOf(client.send("SET c v NX", { signal: controller.signal }));
  const kept = client.send("SET d v NX").catch(() => {});
  await until("the next signature", () => made.length === 2);
  controller.abort();
  assert.equal((await aborted).code, "aborted");
  made[1]?.[0](Buffer.alloc(64, "s"));
  for (const daemon of daemons) {
    await until("the other envelope", () => daemon.envelopes.length === 3);
    assert.deepEqual(daemon.envelopes.at(-1), ["SET d v NX"]);
    assert.equal(readShared(daemon.daemon.applied.at(-1)?.signature as Buffer)?.count, 2);
  }
  client.close();
  await Promise.all([plain, kept]);
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
