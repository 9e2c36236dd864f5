/**
 * Tests the daemon with test/vectors/v2: it refuses each bad vector with the code of the vector, and answers the good
 * vectors that are for this daemon.
 */
import "../../support/installed-families.js";
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { MemoryBackend } from "../../../daemon/engine/backends/memory-backend.js";
import { type Environment, realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { writeReply } from "../../../protocol/resp/resp-writer.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import {
  type DaemonMessage,
  readDaemonMessage,
  writeCommandMessage,
} from "../../../protocol/version-2/messages-v2.js";
import { RawClient } from "../../support/raw-client.js";
import {
  type BadVector,
  readVectors,
  type VectorKey,
  vectorFolder,
} from "../../support/v2-vectors/vector.js";
import { type InProcessDaemon, startInProcess } from "./in-process.js";

/** A size that exceeds every answer of the tests, in bytes. */
const ROOM = 2 ** 20;

const vectors = readVectors();
const latin1 = (hex: string) => Buffer.from(hex, "hex").toString("latin1");
const filesOf = (role: VectorKey["role"]) =>
  vectors.keys.filter((key) => key.role === role).map(({ publicFile }) => join(vectorFolder, publicFile));

/** Starts a daemon as the README of the vectors requires: its clock has `now`, and its start is earlier. */
async function startScene(): Promise<InProcessDaemon> {
  let clock = vectors.startedAt;
  const environment: Environment = { ...realEnvironment, clock: () => clock };
  const daemon = await startInProcess({
    backends: [new MemoryBackend(environment)],
    keys: filesOf("application"),
    rootKeys: filesOf("root"),
    clusterName: vectors.clusterName,
    environment,
  });
  clock = vectors.now;
  return daemon;
}

const commandFrame = (body: ByteString, signature: ByteString): ByteString => {
  const payload = writeCommandMessage(body, signature);
  return `ds2:${payload.length}:${payload}`;
};

/** Waits for the next message. @returns null if the daemon has closed the connection */
async function nextMessage(client: RawClient): Promise<DaemonMessage | null> {
  let head = "";
  while (!/^ds2:\d+:$/.test(head)) {
    const byte = await client.read(1);
    if (byte === "") return null;
    head += byte;
  }
  return readDaemonMessage(Buffer.from(await client.read(Number(head.slice(4, -1))), "latin1"));
}

const frameOf = ({ stream, body = "", signature = "" }: BadVector): ByteString =>
  stream === undefined ? commandFrame(latin1(body), latin1(signature)) : latin1(stream);

describe("A daemon refuses each bad vector", () => {
  let daemon: InProcessDaemon;
  before(async () => {
    daemon = await startScene();
  });
  after(() => daemon[Symbol.asyncDispose]());

  for (const vector of vectors.bad) {
    test(`${vector.name}: ${vector.code === null ? "the connection is closed" : `the code ${vector.code}`}`, async () => {
      using client = await RawClient.open(daemon.port);
      client.send(frameOf(vector));
      let message = await nextMessage(client);
      if (message?.kind === "hello") message = await nextMessage(client);
      if (vector.code === null) return assert.equal(message, null);
      assert.ok(message?.kind === "refused", vector.name);
      assert.equal(message.code, vector.code);
      assert.equal(message.effect, "not-applied");
      assert.equal(message.clock, vectors.now);
      if (vector.stage === "frame" || vector.stage === "message") {
        assert.equal(message.id, "");
        assert.equal(await client.rest(), "");
      }
    });
  }

  test("no refused envelope is applied", async () => {
    using client = await RawClient.open(daemon.port);
    const get = vectors.good.find(({ name }) => name === "get");
    assert.ok(get);
    client.send(commandFrame(latin1(get.body), latin1(get.signature)));
    assert.deepEqual(await answerOf(client, 1), ["$-1\r\n"]);
  });
});

/** The answers of an empty daemon to the good vectors in order: replies or a code. */
const ANSWERS: Readonly<Record<string, readonly string[] | string>> = {
  "rsa2048-set": ["+OK\r\n"],
  "rsa4096-set": ["+OK\r\n"],
  "ed25519-set": ["+OK\r\n"],
  get: ["$1\r\nv\r\n"],
  "command-of-one-word": ["+PONG\r\n"],
  "empty-arguments": ["+OK\r\n"],
  binary: ["+OK\r\n"],
  utf8: ["+OK\r\n"],
  "long-value": ["+OK\r\n"],
  batch: ["+OK\r\n", ":2\r\n", "-ERR unknown command 'NOSUCH', with args beginning with: \r\n", ":2\r\n"],
  "seq-highest": ["+OK\r\n"],
  "at-lowest": "skew",
  "at-highest": "skew",
  db: ["+OK\r\n"],
  "db-highest": "wrong-db",
  multi: ["*2\r\n+OK\r\n:2\r\n"],
  "if-absent": ["+OK\r\n"],
  "if-several": "wrong-db",
  "if-with-multi": ["*-1\r\n"],
  only: "wrong-daemon",
  as: "unknown-key",
  decide: "cannot-decide",
  "decide-on-units": "cannot-decide",
};

async function answerOf(client: RawClient, units: number): Promise<string[] | string> {
  const message = await nextMessage(client);
  if (message?.kind === "refused") return message.code;
  assert.ok(message?.kind === "result");
  assert.equal(message.units, units);
  return Array.from({ length: units }, () => {
    const reply = writeReply(message.replies.readReply());
    message.replies.readBulk();
    return reply;
  });
}

describe("A daemon answers each good vector", () => {
  let daemon: InProcessDaemon;
  before(async () => {
    daemon = await startScene();
  });
  after(() => daemon[Symbol.asyncDispose]());

  for (const { name, body, signature, id, commands, header } of vectors.good) {
    const expected = ANSWERS[name];
    if (expected === undefined) continue;
    test(`${name} with ${JSON.stringify(expected).slice(0, 60)}, even if it is repeated`, async () => {
      const units = header.multi ? 1 : commands.length;
      for (let time = 0; time < 2; time++) {
        using client = await RawClient.open(daemon.port);
        client.send(commandFrame(latin1(body), latin1(signature)));
        assert.deepEqual(await answerOf(client, units), expected);
      }
      using client = await RawClient.open(daemon.port);
      client.send(commandFrame(latin1(body), latin1(signature)));
      const message = await nextMessage(client);
      assert.ok(message !== null && message.kind !== "hello");
      assert.equal(hexOf(message.id), id);
    });
  }
});

describe("No bit of an envelope can be changed", () => {
  for (const name of ["rsa2048-set", "ed25519-set", "if-absent"]) {
    test(`${name}: a daemon refuses it with any flipped bit of body or signature`, async () => {
      await using daemon = await startScene();
      const vector = vectors.good.find((each) => each.name === name);
      assert.ok(vector);
      const parts = {
        body: Buffer.from(vector.body, "hex"),
        signature: Buffer.from(vector.signature, "hex"),
      };

      for (const part of Object.values(parts)) {
        for (let bit = 0; bit < 8 * part.length; bit++) {
          const mask = 1 << (bit & 7);
          part[bit >> 3] = (part[bit >> 3] as number) ^ mask;
          const answer = await daemon.pipeline.handleEnvelope({ kind: "command", ...parts }, ROOM);
          assert.equal(answer.kind, "refused", `bit ${bit}`);
          part[bit >> 3] = (part[bit >> 3] as number) ^ mask;
        }
      }

      assert.equal(
        (await daemon.pipeline.handleEnvelope({ kind: "command", ...parts }, ROOM)).kind,
        "result",
      );
    });
  }
});

test("A daemon that is started as the vectors require belongs to the vectors' cluster", async () => {
  await using daemon = await startScene();
  using client = await RawClient.open(daemon.port);
  const hello = vectors.messages.find(({ name }) => name === "hello-client");
  assert.ok(hello);
  client.send(`ds2:${hello.payload.length / 2}:${latin1(hello.payload)}`);
  const message = await nextMessage(client);
  assert.ok(message?.kind === "hello");
  assert.equal(hexOf(message.cluster), vectors.cluster);
});
