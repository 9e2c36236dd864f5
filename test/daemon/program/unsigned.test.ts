/**
 * Tests unsigned envelopes: a daemon without keys applies them, and a daemon with keys refuses them.
 * Source: docs/protocol-v2.md "Without a key", and the vectors "unsigned" of test/vectors/v2.
 */
import "../../support/installed-families.js";
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import WebSocket from "ws";
import { MemoryBackend } from "../../../daemon/engine/backends/memory-backend.js";
import { type Environment, realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { openWs } from "../../../faces/web/test/open-ws.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { writeFrame } from "../../../protocol/frame.js";
import { writeCommand, writeReply } from "../../../protocol/resp/resp-writer.js";
import { NO_KEY } from "../../../protocol/version-2/envelope.js";
import { writeBody } from "../../../protocol/version-2/envelope-body.js";
import {
  type DaemonMessage,
  readDaemonMessage,
  writeClientHello,
  writeCommandMessage,
} from "../../../protocol/version-2/messages-v2.js";
import { RawClient } from "../../support/raw-client.js";
import {
  readVectors,
  type UnsignedVector,
  type VectorKey,
  vectorFolder,
} from "../../support/v2-vectors/vector.js";
import { type InProcessDaemon, type InProcessOptions, startInProcess } from "./in-process.js";

const vectors = readVectors();
const latin1 = (hex: string) => Buffer.from(hex, "hex").toString("latin1");
const filesOf = (role: VectorKey["role"]) =>
  vectors.keys.filter((key) => key.role === role).map(({ publicFile }) => join(vectorFolder, publicFile));
const WITH_KEYS = {
  keys: filesOf("application"),
  rootKeys: filesOf("root"),
  clusterName: vectors.clusterName,
};

/** Starts a daemon whose clock has the vectors' `now`, with an earlier start. */
async function startScene(options: Partial<InProcessOptions> = {}): Promise<InProcessDaemon> {
  let clock = vectors.startedAt;
  const environment: Environment = { ...realEnvironment, clock: () => clock };
  const daemon = await startInProcess({
    backends: [new MemoryBackend(environment)],
    environment,
    ...options,
  });
  clock = vectors.now;
  return daemon;
}

const commandFrame = ({ body, signature }: Pick<UnsignedVector, "body" | "signature">) =>
  writeFrame(writeCommandMessage(latin1(body), latin1(signature)), 2);

async function nextMessage(client: RawClient): Promise<DaemonMessage> {
  let head = "";
  while (!/^ds2:\d+:$/.test(head)) {
    const byte = await client.read(1);
    assert.notEqual(byte, "", "the daemon has closed the connection");
    head += byte;
  }
  return readDaemonMessage(Buffer.from(await client.read(Number(head.slice(4, -1))), "latin1"));
}

/** Returns the replies as RESP2, or the code of a refusal. */
function answerIn(message: DaemonMessage): string[] | string {
  if (message.kind === "refused") {
    assert.equal(message.effect, "not-applied");
    return message.code;
  }
  assert.ok(message.kind === "result");
  return Array.from({ length: message.units }, () => {
    const reply = writeReply(message.replies.readReply());
    message.replies.readBulk();
    return reply;
  });
}

async function ask(port: number, frame: ByteString): Promise<string[] | string> {
  using client = await RawClient.open(port);
  client.send(frame);
  return answerIn(await nextMessage(client));
}

/** Returns an unsigned envelope with the vectors' `now` as its date. */
function unsignedFrame(nonce: string, ...commands: readonly ByteString[][]): ByteString {
  const header = { key: NO_KEY, cluster: NO_KEY, at: vectors.now, seq: 0, nonce: nonce.padEnd(16, ".") };
  return writeFrame(writeCommandMessage(writeBody(header, commands.map(writeCommand)), ""), 2);
}

describe("A daemon without keys", () => {
  let daemon: InProcessDaemon;
  before(async () => {
    daemon = await startScene();
  });
  after(() => daemon[Symbol.asyncDispose]());

  for (const vector of vectors.unsigned) {
    const { name, note, withoutKeys } = vector;
    test(`answers ${name} (${note}) with ${JSON.stringify(withoutKeys).slice(0, 60)}, even if it is repeated`, async () => {
      for (let time = 0; time < 2; time++)
        assert.deepEqual(await ask(daemon.port, commandFrame(vector)), withoutKeys);
    });
  }

  test("refuses signed envelopes, whatever key has signed them", async () => {
    for (const vector of vectors.good.slice(0, 4))
      assert.equal(await ask(daemon.port, commandFrame(vector)), "not-due");
  });

  test("answers repeated bytes with the first answer, and applies them once", async () => {
    const frame = unsignedFrame("once", ["INCR", "once"]);
    for (let time = 0; time < 3; time++) assert.deepEqual(await ask(daemon.port, frame), [":1\r\n"]);
    assert.deepEqual(await ask(daemon.port, unsignedFrame("then", ["GET", "once"])), ["$1\r\n1\r\n"]);
  });

  test("does not apply refused envelopes", async () => {
    assert.deepEqual(await ask(daemon.port, unsignedFrame("check", ["EXISTS", "untouched"])), [":0\r\n"]);
  });
});

describe("A daemon with keys", () => {
  let daemon: InProcessDaemon;
  before(async () => {
    daemon = await startScene({ ...WITH_KEYS, ws: openWs() });
  });
  after(() => daemon[Symbol.asyncDispose]());

  for (const vector of vectors.unsigned) {
    test(`refuses ${vector.name} with ${vector.withKeys}`, async () => {
      assert.equal(await ask(daemon.port, commandFrame(vector)), vector.withKeys);
    });
  }

  test("refuses unsigned envelopes over WebSocket", async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${daemon.wsPort}/`);
    try {
      await new Promise<void>((resolve, reject) => socket.once("open", resolve).once("error", reject));
      const answer = new Promise<Buffer>((resolve) => socket.once("message", resolve));
      socket.send(Buffer.from(unsignedFrame("ws", ["SET", "k", "v"]), "latin1"));
      const bytes = (await answer).toString("latin1");
      assert.equal(
        answerIn(readDaemonMessage(Buffer.from(bytes.slice(bytes.indexOf(":", 4) + 1), "latin1"))),
        "unsigned",
      );
    } finally {
      socket.terminate();
    }
  });

  test("refuses unsigned envelopes that wait or subscribe", async () => {
    const wait = writeBody(
      { key: NO_KEY, cluster: NO_KEY, at: vectors.now, seq: 0, nonce: "wait............" },
      [writeCommand(["SET", "k", "v"])],
    );
    const waiting = writeFrame(writeCommandMessage(wait, "", { kind: "replicated", daemons: 1 }), 2);
    assert.equal(await ask(daemon.port, waiting), "unsigned");
    const listen = writeFrame(writeCommand(["listen", wait, ""]), 2);
    assert.equal(await ask(daemon.port, listen), "unsigned");
  });

  test("does not apply refused envelopes", async () => {
    const [vector] = vectors.good.filter(({ name }) => name === "get");
    assert.ok(vector);
    assert.deepEqual(await ask(daemon.port, commandFrame(vector)), ["$-1\r\n"]);
  });
});

test("a daemon announces in its hello whether it has keys", async () => {
  const helloFacts = async (daemon: InProcessDaemon) => {
    using client = await RawClient.open(daemon.port);
    client.send(writeFrame(writeClientHello("", 0), 2));
    const hello = await nextMessage(client);
    assert.ok(hello.kind === "hello");
    return [hello.versions.join(" "), hello.knows.join(" "), hello.cluster === ""];
  };
  await using without = await startScene();
  await using withKeys = await startScene(WITH_KEYS);
  await using only2 = await startScene({ acceptsVersion1: false });
  assert.deepEqual(await helloFacts(without), ["1 2", "unsigned trace", true]);
  assert.deepEqual(await helloFacts(only2), ["2", "unsigned trace", true]);
  assert.deepEqual(await helloFacts(withKeys), ["1 2", "signed trace", false]);
});

test("a hello of another length or protocol is refused with what was found and what to do", async () => {
  await using daemon = await startScene();
  const client = ["", "", "5", "", "client"];
  for (const [found, elements] of [
    ["a hello with 7 elements instead of 9", ["hello", "2", ...client]],
    ["a hello of protocol 3 instead of 2", ["hello", "3", ...client, "", ""]],
  ] as const) {
    using raw = await RawClient.open(daemon.port);
    raw.send(writeFrame(writeCommand(elements), 2));
    const message = await nextMessage(raw);
    assert.ok(message.kind === "refused" && message.code === "other-protocol");
    assert.equal(
      message.sentence,
      `The hello is not one that this release reads. Install the same version of dbsync on both sides. It was ${found}.`,
    );
    assert.equal(await raw.readToClose(), "");
  }
});

test("an unsigned envelope can wait for another envelope", async () => {
  await using daemon = await startScene();
  const header = { key: NO_KEY, cluster: NO_KEY, at: vectors.now, seq: 1, nonce: "after..........." };
  const first = unsignedFrame("first", ["SET", "k", "1"]);
  using client = await RawClient.open(daemon.port);
  client.send(first);
  const result = await nextMessage(client);
  assert.ok(result.kind === "result");
  const place = Buffer.alloc(10);
  place.writeBigUInt64BE(BigInt(vectors.now));
  const after = `${place.toString("latin1")}${result.id}\0\0\0\0`;
  client.send(
    writeFrame(writeCommandMessage(writeBody({ ...header, after }, [writeCommand(["GET", "k"])]), ""), 2),
  );
  assert.deepEqual(answerIn(await nextMessage(client)), ["$1\r\n1\r\n"]);
});
