/** Tests the path of a request, with the test's own backends and verifier. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import type { Request } from "../../../../daemon/engine/answers/request.js";
import type { Backend, Outcome } from "../../../../daemon/engine/backends/backend.js";
import { newLastWrite } from "../../../../daemon/engine/backends/command-path.js";
import { Channels } from "../../../../daemon/engine/channels/channels.js";
import { Databases } from "../../../../daemon/engine/pipeline/databases.js";
import { Pipeline } from "../../../../daemon/engine/pipeline/pipeline.js";
import { NO_OBSERVER } from "../../../../daemon/engine/pipeline/pipeline-parts.js";
import { Broadcasts } from "../../../../daemon/engine/pipeline/publish-messages.js";
import { Unrecorded } from "../../../../daemon/engine/pipeline/recording-interface.js";
import { hashOf, makeIdentity } from "../../../../daemon/engine/trust/identity.js";
import { loadSigners } from "../../../../daemon/engine/trust/load-signers.js";
import type { Signers } from "../../../../daemon/engine/trust/signers.js";
import { type Environment, realEnvironment } from "../../../../daemon/net/process/clock-and-randomness.js";
import { DATE_WINDOW_DEFAULT } from "../../../../daemon/options/timeline-values.js";
import type { Unit } from "../../../../daemon/store/keyspace/unit.js";
import { signCommand } from "../../../../keys/signatures.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { bulk, error, integer } from "../../../../protocol/reply.js";
import { makeKeyPair } from "../../../support/envelope-client.js";
import { UNBOUNDED } from "../../../support/unbounded-memory.js";
import { nextTurn } from "../../../support/until.js";
import { makeScene } from "../../program/scene.js";

interface Call {
  readonly argv: readonly ByteString[];
  readonly unit: Unit;
}

class FakeBackend implements Backend {
  readonly name: string;
  readonly databases = 16;
  readonly up = true;
  timeout = 0;
  readonly calls: Call[] = [];
  readonly #outcome: () => Outcome | Promise<Outcome>;

  constructor(name: string, outcome: () => Outcome | Promise<Outcome>) {
    this.name = name;
    this.#outcome = outcome;
  }

  async start(): Promise<void> {}
  async stop(): Promise<void> {}

  execute(argv: readonly ByteString[], unit: Unit): Outcome | Promise<Outcome> {
    this.calls.push({ argv, unit });
    return this.#outcome();
  }

  executeTogether(): Outcome | Promise<Outcome> {
    return this.#outcome();
  }
}

const log = pino({ level: "silent" });

const request = (line: string, signature: Buffer | null = null): Request => ({
  text: Buffer.from(`${line}\0`, "latin1"),
  signature,
});

function pipelineOf(
  backends: Backend[],
  signers: Signers | null = null,
  environment: Environment = realEnvironment,
  broadcasts: Broadcasts | null = null,
) {
  const floor = { date: 0, pending: null };
  return new Pipeline({
    memory: UNBOUNDED,
    signers,
    environment,
    log,
    hash: hashOf,
    observer: NO_OBSERVER,
    window: DATE_WINDOW_DEFAULT,
    databases: new Databases(backends),
    daemon: makeIdentity().id,
    seenLimits: { max: 1000, maxBytes: 1000 },
    floor,
    recording: new Unrecorded(environment, floor),
    broadcasts,
  });
}

const client = { isGone: false, lastWrite: newLastWrite() };

test("the reply of a synchronous backend is returned without a promise", () => {
  const backend = new FakeBackend("a", () => bulk("v"));
  const answer = pipelineOf([backend]).handle(request("GET  k"), client);
  assert.deepEqual(answer, { kind: "replies", replies: [bulk("v")] });
  assert.deepEqual(backend.calls[0]?.argv, ["GET", "k"]);
});

test("backends execute in order, one after the other, whether they are synchronous or not", async () => {
  const order: string[] = [];
  const finishLater = async (name: string) => {
    await nextTurn();
    order.push(`${name} done`);
    return bulk(name);
  };
  const backend = (name: string, later: boolean) =>
    new FakeBackend(name, () => {
      order.push(name);
      return later ? finishLater(name) : bulk(name);
    });
  const answer = await pipelineOf([
    backend("a", false),
    backend("b", true),
    backend("c", false),
    backend("d", true),
  ]).handle(request("GET k"), client);
  assert.deepEqual(answer, { kind: "replies", replies: ["a", "b", "c", "d"].map(bulk) });
  assert.deepEqual(order, ["a", "b", "b done", "c", "d", "d done"]);
});

for (const later of [false, true]) {
  for (const outcome of [
    error("ERR no"),
    { kind: "failed", code: "database-down", detail: "away", effect: "not-applied" },
  ] as const) {
    test(`the first ${outcome.kind} skips the other backends${later ? ", even if it comes later" : ""}`, async () => {
      const first = new FakeBackend("first", () => bulk("v"));
      const second = new FakeBackend("second", () => (later ? Promise.resolve(outcome) : outcome));
      const third = new FakeBackend("third", () => bulk("v"));
      const answer = await pipelineOf([first, second, third]).handle(request("SET k v"), client);
      assert.equal(
        answer.kind === "refused" && answer.code,
        outcome.kind === "error" ? "command-error" : "database-down",
      );
      assert.deepEqual([first.calls.length, third.calls.length], [1, 0]);
    });
  }
}

test("a command that consists of spaces is refused", () => {
  const backend = new FakeBackend("a", () => bulk("v"));
  const answer = pipelineOf([backend]).handle(request("   "), client);
  assert.ok(!(answer instanceof Promise));
  assert.equal(answer.kind === "refused" && answer.code, "empty-command");
  assert.equal(backend.calls.length, 0);
});

test("a daemon with keys refuses a command that none of them signed before it parses the command", () => {
  const backend = new FakeBackend("a", () => bulk("v"));
  const pair = makeKeyPair("rsa");
  const keys = { signKey: [pair.file], rootKey: [], clusterName: "dbsync" };
  const pipeline = pipelineOf([backend], loadSigners(keys, log));
  const good = signCommand(Buffer.from("GET k\0"), pair.privateKey);
  const codeOf = (one: Request) => {
    const answer = pipeline.handle(one, client);
    return answer instanceof Promise || answer.kind === "replies" ? "replies" : answer.code;
  };
  assert.equal(codeOf(request("GET k")), "unsigned");
  assert.equal(codeOf(request("   ", good)), "bad-signature");
  assert.equal(codeOf(request("GET k", good)), "replies");
  pipeline.signers = null;
  assert.equal(codeOf(request("GET k", good)), "not-due");
  assert.equal(backend.calls.length, 1);
});

test("every request is a separate unit, and time never goes backwards", () => {
  const times = [5, 3, 9];
  const backend = new FakeBackend("a", () => bulk("v"));
  const environment = { ...realEnvironment, clock: () => times.shift() as number };
  const pipeline = pipelineOf([backend], null, environment);
  const other = pipelineOf([backend]);
  for (let i = 0; i < 3; i++) pipeline.handle(request("GET k"), client);
  other.handle(request("GET k"), client);
  assert.deepEqual(
    backend.calls.slice(0, 3).map(({ unit }) => unit.at),
    [5, 5, 9],
  );
  assert.equal(new Set(backend.calls.map(({ unit }) => unit.id)).size, 4);
});

test("if the disk has failed, a signed read is refused, but a message that was published is not", async () => {
  class FailedDisk extends Unrecorded {
    override readonly flushing = Promise.reject(new Error("the disk is full"));
  }
  const clock = { now: 1_790_000_000_000 };
  const environment = { ...realEnvironment, clock: () => clock.now };
  const recording = new FailedDisk(environment, { date: 0, pending: null });
  const channels = new Channels();
  const broadcasts = new Broadcasts({ channels, environment, window: DATE_WINDOW_DEFAULT, max: 10 });
  const scene = makeScene({ clock, pair: makeKeyPair(), parts: { recording, broadcasts } });
  clock.now++;
  const read = await scene.take(scene.sign([["GET", "k"]]));
  assert.equal("code" in read && read.code, "storage-failed");
  const published = await scene.take(scene.sign([["PUBLISH", "news", "text"]]));
  assert.equal(published.kind, "result");
});

test("a message of version 1 goes to the subscribers; a daemon without its own channels sends it to the database", async () => {
  const backend = new FakeBackend("a", () => integer(7));
  const channels = new Channels();
  let received = 0;
  channels.add("channel", "news", { receive: () => received++, miss() {}, review() {} });
  const broadcasts = new Broadcasts({
    channels,
    environment: realEnvironment,
    window: DATE_WINDOW_DEFAULT,
    max: 10,
  });
  const publish = request("PUBLISH news text");
  const answer = pipelineOf([backend], null, realEnvironment, broadcasts).handle(publish, client);
  assert.deepEqual(answer, { kind: "replies", replies: [integer(1)] });
  assert.deepEqual([received, backend.calls.length], [1, 0]);
  assert.deepEqual(pipelineOf([backend]).handle(publish, client), { kind: "replies", replies: [integer(7)] });
});
