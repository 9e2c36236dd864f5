/**
 * Checks protocol/ and keys/ against test/vectors/v2. Every good vector must match byte for byte, and every bad one
 * must be rejected.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fingerprint } from "../../keys/fingerprint.js";
import { signEnvelope, signEnvelopeAsync, verifyEnvelope } from "../../keys/signatures.js";
import { MalformedFrame } from "../../protocol/errors.js";
import { FrameParser } from "../../protocol/frame.js";
import type { Reply } from "../../protocol/reply.js";
import { writeCommand } from "../../protocol/resp/resp-writer.js";
import {
  bytesOfHex,
  type Condition,
  type HeaderFields,
  hexOf,
  readBody,
  signedBytes,
  signerOf,
} from "../../protocol/version-2/envelope.js";
import { writeBody } from "../../protocol/version-2/envelope-body.js";
import {
  type DaemonMessage,
  OtherProtocol,
  readClientMessage,
  readDaemonMessage,
  writeCommandMessage,
} from "../../protocol/version-2/messages-v2.js";
import { unitOrderKey } from "../../protocol/version-2/unit-names.js";
import { repositoryRoot } from "../support/repository.js";
import { makeVectors } from "../support/v2-vectors/make.js";
import {
  type BadVector,
  type GoodVector,
  privateKeyOf,
  publicKeyOf,
  readVectors,
  type VectorCondition,
  type VectorKey,
  vectorFolder,
} from "../support/v2-vectors/vector.js";

const MAX_FRAME_BYTES = 64 * 1024 * 1024;

const vectors = readVectors();
const keys = new Map(vectors.keys.map((key) => [key.name, key]));
const privateKeys = new Map(vectors.keys.map((key) => [key.name, privateKeyOf(key)]));
const publicKeys = new Map(vectors.keys.map((key) => [key.id, publicKeyOf(key)]));

const keyNamed = (name: string) => keys.get(name) as VectorKey;
const hex = (text: string) => Buffer.from(text, "hex");
const byteString = (text: string) => bytesOfHex(text, text.length / 2) as string;

/** Returns the header in protocol/'s types. */
function fieldsOf({ header }: GoodVector): HeaderFields {
  const { key, cluster, nonce, ifs, after, only, as, ...otherFields } = header;
  return {
    ...otherFields,
    key: byteString(key),
    cluster: byteString(cluster),
    nonce: byteString(nonce),
    after: after === undefined ? null : byteString(after),
    only: only === undefined ? null : byteString(only),
    as: as === undefined ? null : byteString(as),
    if: header.if === undefined ? null : conditionsOf(header.if),
    ifs: ifs === undefined ? null : new Map(ifs.map((unit) => [unit.index, conditionsOf(unit.if)])),
  };
}

const conditionsOf = (conditions: readonly VectorCondition[]): Condition[] =>
  conditions.map(({ db, key, writer }) => ({ db, key: byteString(key), writer: byteString(writer) }));

test("vectors.json equals the output of its generator", () => {
  assert.equal(readFileSync(join(vectorFolder, "vectors.json"), "utf8"), makeVectors());
});

test("the ids of the vectors' keys are the fingerprints of both key halves", () => {
  for (const key of vectors.keys) {
    assert.equal(fingerprint(publicKeyOf(key)), key.id, key.name);
    assert.equal(fingerprint(privateKeyOf(key)), key.id, key.name);
  }
});

test("docs/protocol-v2.md prints the first vector", () => {
  const document = readFileSync(join(repositoryRoot, "docs/protocol-v2.md"), "utf8");
  const [, block = ""] = /```hex\n([\s\S]*?)```/.exec(document) ?? [];
  const printed = block.split(/\n(?=\S)/).map((row) => row.trim().split(/\s+/));
  const vector = vectors.good[0] as GoodVector;
  const { header, signedPrefix, body, id, signature } = vector;
  const { key, cluster, nonce } = header;
  assert.deepEqual(
    printed.map(([name, ...lines]) => [name, lines.join("")]),
    Object.entries({ key, cluster, nonce, prefix: signedPrefix, body, id, signature }),
  );
  assert.ok(document.includes(`\`${vector.name}\``));
});

describe("Every good vector", () => {
  for (const vector of vectors.good) {
    test(`${vector.name} is written, signed and read byte for byte`, async () => {
      const fields = fieldsOf(vector);
      const commands = vector.commands.map((argv) => argv.map(byteString));
      const body = hex(vector.body);

      assert.equal(hexOf(writeBody(fields, commands.map(writeCommand))), vector.body);
      assert.equal(signedBytes(body).toString("hex"), vector.signedPrefix + vector.body);
      const id = createHash("sha256").update(signedBytes(body)).digest().toString("latin1");
      assert.equal(hexOf(id), vector.id);

      const privateKey = privateKeys.get(vector.key);
      assert.ok(privateKey);
      assert.equal(signEnvelope(signedBytes(body), privateKey).toString("hex"), vector.signature);
      assert.equal(
        (await signEnvelopeAsync(signedBytes(body), privateKey)).toString("hex"),
        vector.signature,
      );

      assert.equal(signerOf(body), fields.key);
      const publicKey = publicKeys.get(hexOf(signerOf(body)));
      assert.ok(publicKey);
      assert.equal(verifyEnvelope(signedBytes(body), hex(vector.signature), publicKey), true);

      const absent = {
        if: null,
        ifs: null,
        after: null,
        only: null,
        as: null,
        choices: null,
        expiries: null,
      };
      const defaults = { db: 0, multi: false, units: null, decide: false, decided: null, ...absent };
      assert.deepEqual(readBody(body), { ...defaults, ...fields, commands });
      for (const [index, key] of vector.orderKeys.entries())
        assert.equal(hexOf(unitOrderKey(fields.at, fields.seq, id, index)), key);

      const message = readClientMessage(
        Buffer.from(writeCommandMessage(byteString(vector.body), byteString(vector.signature)), "latin1"),
      );
      assert.ok(message.kind === "command");
      assert.deepEqual([message.body, message.signature], [body, hex(vector.signature)]);
    });
  }
});

describe("Every message", () => {
  for (const { name, from, payload, decoded } of vectors.messages) {
    test(`${name} is read byte for byte`, () => {
      const message = from === "client" ? readClientMessage(hex(payload)) : readDaemonMessage(hex(payload));
      assert.deepEqual(plain(message as DaemonMessage), decoded);
      assert.throws(
        () => readDaemonMessage(hex(`${payload}2b`)).kind === "result" && readAll(`${payload}2b`),
      );
    });
  }
});

/** Converts a message to the form of vectors.json. */
function plain(message: DaemonMessage): unknown {
  if (message.kind === "hello") {
    return { ...message, daemon: hexOf(message.daemon), cluster: hexOf(message.cluster) };
  }
  if (message.kind === "refused") return { ...message, id: hexOf(message.id) };
  const { kind, id, daemon, clock, newest, units, replies } = message;
  const answers = Array.from({ length: units }, () => ({
    reply: plainReply(replies.readReply()),
    flags: replies.readBulk().split(" ").filter(Boolean),
  }));
  replies.expectEnd();
  return { kind, id: hexOf(id), daemon: hexOf(daemon), clock, newest, units: answers };
}

const readAll = (payload: string) => plain(readDaemonMessage(hex(payload)));

function plainReply(reply: Reply): unknown {
  switch (reply.kind) {
    case "status":
      return { status: reply.text };
    case "error":
      return { error: reply.text };
    case "integer":
      return { integer: String(reply.value) };
    case "bulk":
      return { bulk: hexOf(reply.bytes) };
    case "nil":
      return { nil: true };
    case "nil-array":
      return { nilArray: true };
    case "array":
      return { array: reply.items.map(plainReply) };
    default:
      return assert.fail(`RESP2 has no reply of kind ${reply.kind}`);
  }
}

describe("Every bad vector", () => {
  test("has a unique name, and each stage has bad vectors", () => {
    const names = [...vectors.good, ...vectors.bad, ...vectors.messages].map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
    assert.ok(vectors.bad.length >= 60);
    const stages = new Set(vectors.bad.map(({ stage }) => stage));
    assert.deepEqual([...stages], ["frame", "message", "key", "signature", "body", "header"]);
  });
  for (const vector of vectors.bad) {
    test(`${vector.name} fails at the stage "${vector.stage}": ${vector.note}`, () => {
      assert.equal(failingStage(vector), vector.stage);
    });
  }
});

/**
 * Returns the stage at which a conforming daemon rejects a vector. The stage is "header" if the bytes are well-formed
 * and correctly signed, so that only the daemon's checks of the header can reject them.
 */
function failingStage(vector: BadVector): string {
  const stream = vector.stream === undefined ? frameOf(vector) : hex(vector.stream);
  const parser = new FrameParser(MAX_FRAME_BYTES);
  const payloads = parser.split(stream);
  const bytewise = new FrameParser(MAX_FRAME_BYTES);
  assert.deepEqual(
    Array.from(stream, (_, at) => bytewise.split(stream.subarray(at, at + 1))).flat(),
    payloads,
    "wherever it is split",
  );
  if (parser.malformed !== null) return "frame";
  assert.equal(payloads.length, 1);

  const message = attempt(() => readClientMessage(payloads[0] as Buffer));
  if (message === null) return "message";
  assert.ok(message.kind === "command");

  const signer = attempt(() => signerOf(message.body));
  const key = signer === null ? undefined : publicKeys.get(hexOf(signer));
  if (key === undefined || signer === byteString(keyNamed("stranger").id)) return "key";
  if (!verifyEnvelope(signedBytes(message.body), message.signature, key)) return "signature";
  return attempt(() => readBody(message.body)) === null ? "body" : "header";
}

function frameOf({ body = "", signature = "" }: BadVector): Buffer {
  const payload = writeCommandMessage(byteString(body), byteString(signature));
  return Buffer.from(`ds2:${payload.length}:${payload}`, "latin1");
}

/** Returns null if the bytes are malformed. */
function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    assert.ok(error instanceof MalformedFrame || error instanceof OtherProtocol, String(error));
    return null;
  }
}
