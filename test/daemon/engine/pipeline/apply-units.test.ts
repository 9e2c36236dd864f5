/** Tests that signed queries end when all clients that wait for the answer have disconnected, and only then. */
import assert from "node:assert/strict";
import { test } from "node:test";
import "../../../support/all-families.js";
import type { Answer, EnvelopeAnswer } from "../../../../daemon/engine/answers/request.js";
import type { Backend } from "../../../../daemon/engine/backends/backend.js";
import { newLastWrite } from "../../../../daemon/engine/backends/command-path.js";
import { MemoryBackend } from "../../../../daemon/engine/backends/memory-backend.js";
import { QueryClients } from "../../../../daemon/engine/pipeline/apply-units.js";
import { Databases } from "../../../../daemon/engine/pipeline/databases.js";
import type { Unit } from "../../../../daemon/store/keyspace/unit.js";
import { bulk, error, type Reply } from "../../../../protocol/reply.js";
import { double } from "../../../support/double.js";
import { makeKeyPair, type SignedEnvelope } from "../../../support/envelope-client.js";
import { slowEnvironment } from "../../../support/slow-environment.js";
import { nextTurn, until } from "../../../support/until.js";
import { makeScene } from "../../program/scene.js";

const NOW = 1_790_000_000_000;
const ROWS = 2000;
const ROOM = 2 ** 20;
const COUNT = ["SQL_RO", "d", "select count(*) from t where a >= 0"];
const DISCONNECTED = /the client has disconnected/;

/** Returns a pipeline whose queries take many turns. */
function slowPipeline() {
  const environment = { ...slowEnvironment(), clock: () => NOW };
  const backend = new MemoryBackend(environment);
  const unit = { at: NOW, db: 0, id: "u".repeat(36) };
  const rows = Array.from({ length: ROWS }, (_, a) => `(${a})`).join(",");
  for (const [database, text] of [
    ["", "create database d"],
    ["d", "create table t (a number)"],
    ["d", `insert into t values ${rows}`],
  ] as const) {
    const reply = backend.execute(["SQL", database, text], unit);
    assert.ok(!(reply instanceof Promise) && reply.kind !== "error", JSON.stringify(reply));
  }
  backend.execute(["MSET", "a", "ab".repeat(400), "b", "ba".repeat(500)], unit);
  return { ...sceneOf(backend), backend };
}

function sceneOf(backend: Backend) {
  const clock = { now: NOW };
  const parts = { databases: new Databases([backend]) };
  const scene = makeScene({ clock, pair: makeKeyPair(), parts });
  // Envelopes dated at the start of the daemon are too old.
  clock.now++;
  const take = ({ body, signature }: SignedEnvelope, client: { isGone: boolean }) => {
    const answer = scene.pipeline.handleEnvelope({ kind: "command", body, signature }, ROOM, null, client);
    assert.ok(answer instanceof Promise, `it was answered in one turn: ${JSON.stringify(answer)}`);
    return answer;
  };
  return { ...scene, take };
}

const repliesOf = (answer: EnvelopeAnswer): string => {
  assert.equal(answer.kind, "result");
  return answer.replies;
};

test("a query ends when its client has disconnected, and runs again for a later copy of the envelope", async () => {
  const { take, sign, backend } = slowPipeline();
  const envelope = sign([COUNT]);
  const first = { isGone: false };
  const answer = take(envelope, first);
  first.isGone = true;
  assert.match(repliesOf(await answer), DISCONNECTED);
  assert.equal(backend.workingMemory.figures.used, 0);
  assert.match(repliesOf(await take(envelope, { isGone: false })), new RegExp(`${ROWS}`));
});

test("a query runs to its end if the client of a copy still waits for it", async () => {
  const { take, sign } = slowPipeline();
  const envelope = sign([COUNT]);
  const [first, second] = [{ isGone: false }, { isGone: false }];
  const answers = [take(envelope, first), take(envelope, second)];
  first.isGone = true;
  for (const answer of await Promise.all(answers)) assert.match(repliesOf(answer), new RegExp(`${ROWS}`));
});

test("a copy that arrives after a query has noticed that its client disconnected runs again", async () => {
  const calls: { readonly unit: Unit; readonly answer: (reply: Reply) => void }[] = [];
  const backend = double<Backend>({
    name: "test",
    databases: 16,
    execute: (_, unit) => new Promise((answer) => calls.push({ unit, answer })),
  });

  const { take, sign } = sceneOf(backend);
  const envelope = sign([COUNT]);
  const first = { isGone: false };
  const abandoned = take(envelope, first);
  first.isGone = true;
  assert.equal(calls[0]?.unit.client?.isGone, true);

  const copy = take(envelope, { isGone: false });
  assert.equal(calls.length, 2);
  calls[0].answer(error("ERR the client has disconnected"));
  assert.match(repliesOf(await abandoned), DISCONNECTED);

  const last = take(envelope, { isGone: false });
  calls[1]?.answer(bulk("the rows"));
  for (const answer of [copy, last]) assert.match(repliesOf(await answer), /the rows/);
  assert.equal(calls.length, 2);
});

test("an envelope that also writes runs to its end, and a later copy receives its answer", async () => {
  const { take, sign, pipeline } = slowPipeline();
  const envelope = sign([["INCR", "k"], COUNT, ["INCR", "k"]]);
  const first = { isGone: false };
  const answer = take(envelope, first);
  first.isGone = true;
  const replies = repliesOf(await answer);
  assert.doesNotMatch(replies, DISCONNECTED);
  const { body, signature } = envelope;
  const copy = await pipeline.handleEnvelope({ kind: "command", body, signature }, ROOM);
  assert.equal(repliesOf(copy), replies);
});

test("long reads of one envelope let other clients be served between them; reads of a unit do not", async (t) => {
  const { take, sign, pipeline, backend } = slowPipeline();
  const unit = { at: NOW, db: 0, id: "v".repeat(36) };
  backend.execute(["RPUSH", "l", ...Array.from({ length: 15_000 }, (_, i) => `e${i}`)], unit);
  const reads = Array<string[]>(6).fill(["LRANGE", "l", "0", "-1"]);
  let most = 0;
  const executed = t.mock.method(backend, "execute");
  const answer = take(sign(reads), { isGone: false });
  const inFirstTurn = executed.mock.callCount();
  assert.ok(inFirstTurn < reads.length, `${inFirstTurn} reads in one turn`);
  const oneTurn = async () => {
    const before = executed.mock.callCount();
    await nextTurn();
    most = Math.max(most, executed.mock.callCount() - before);
  };
  await until("all reads are executed", () => executed.mock.callCount() >= reads.length, { pause: oneTurn });
  assert.ok(most <= inFirstTurn, `${most} reads in a later turn`);
  assert.equal(repliesOf(await answer).split("*15000").length, reads.length + 1);

  const { body, signature } = sign([...reads, ["SET", "k", "v"]], { multi: true });
  const together = pipeline.handleEnvelope({ kind: "command", body, signature }, 2 ** 30);
  assert.ok(!(together instanceof Promise) && together.kind === "result");
});

test("the commands of an envelope are looked up once, not in each step", () => {
  for (const commands of [[COUNT], [COUNT, ["INCR", "k"]]]) {
    let lookups = 0;
    const envelope = {
      get commands() {
        lookups++;
        return commands;
      },
    };
    const clients = new QueryClients({ isGone: true }, envelope);
    for (let step = 0; step < 3; step++) assert.equal(clients.isGone, commands.length === 1);
    assert.equal(lookups, 1);
  }
});

test("a query of version 1 ends when its client has disconnected", async () => {
  const { pipeline } = slowPipeline();
  pipeline.signers = null;
  const client = { isGone: false, lastWrite: newLastWrite() };
  const text = Buffer.from("LCS a b\0");
  const answer = pipeline.handle({ text, signature: null }, client);
  client.isGone = true;
  const settled: Answer = await answer;
  assert.match(JSON.stringify(settled), DISCONNECTED);
});
