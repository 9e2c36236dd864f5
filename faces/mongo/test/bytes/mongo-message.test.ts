/**
 * Tests messages of the MongoDB wire protocol, in any division of their bytes, and invalid messages. DBSYNC_SEED
 * replays a run.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOf } from "../../../../protocol/byte-string.js";
import { seed } from "../../../../test/support/seed.js";
import { SeededRandom } from "../../../../test/support/seeded-random.js";
import { documentBytes, element, elements, int32, int32Bytes, text } from "../../bytes/bson-documents.js";
import { crc32c, type MongoMessage, MongoMessageParser } from "../../bytes/mongo-message.js";
import { command, message, query, sequence, summed } from "./messages.js";

const MAX = 100_000;
const STREAMS = 1000;

function parsed(chunks: Iterable<string>, most = MAX) {
  const parser = new MongoMessageParser(most);
  const messages: MongoMessage[] = [];
  for (const chunk of chunks) {
    parser.push(Buffer.from(chunk, "latin1"));
    for (let next = parser.next(); next !== null; next = parser.next()) messages.push(next);
  }
  return { messages, fault: parser.fault, held: parser.heldBytes };
}

const PING = documentBytes(elements({ ping: int32(1), $db: text("admin") }));
const DOCUMENTS = [1, 2, 3].map((n) => documentBytes(elements({ _id: int32(n) })));
const STREAM = [
  command(PING, 1),
  message(`${int32Bytes(2)}\0${PING}${sequence("documents", DOCUMENTS)}`, undefined, 2),
  query("admin.$cmd", PING),
  summed(`\0${PING}`),
].join("");

const shown = ({ messages }: { messages: readonly MongoMessage[] }) =>
  messages.map(({ id, kind, isSilent, collection, body, sequences }) => ({
    id,
    kind,
    isSilent,
    collection,
    body: bytesOf(body),
    sequences: sequences.map(({ name, documents }) => [name, documents.map((one) => bytesOf(one))]),
  }));

test("messages are complete for any division of their bytes", () => {
  const whole = shown(parsed([STREAM]));
  const plain = { kind: "message", isSilent: false, collection: "", body: PING, sequences: [] };
  assert.deepEqual(whole, [
    { ...plain, id: 1 },
    { ...plain, id: 2, isSilent: true, sequences: [["documents", DOCUMENTS]] },
    { ...plain, id: 7, kind: "query", collection: "admin.$cmd" },
    { ...plain, id: 7 },
  ]);
  assert.deepEqual(shown(parsed(STREAM)), whole);
  const random = new SeededRandom(seed());
  for (let stream = 0; stream < 50; stream++) {
    const chunks: string[] = [];
    for (let at = 0; at < STREAM.length; ) {
      const length = 1 + random.below(60);
      chunks.push(STREAM.slice(at, at + length));
      at += length;
    }
    assert.deepEqual(shown(parsed(chunks)), whole);
  }
});

test("a long message does not delay the message that follows it", () => {
  const long = documentBytes(element("a", text("x".repeat(90_000))));
  const { messages, held } = parsed([command(long), command(PING)]);
  assert.deepEqual([messages.length, bytesOf(messages[0]?.body as Buffer), held], [2, long, 0]);
});

test("a checksum is CRC-32C", () => {
  assert.equal(crc32c(Buffer.from("123456789")), 0xe3069283);
});

const empty = documentBytes("");
const flags = int32Bytes(0);

for (const [what, bytes, fault] of [
  ["is too long", message("x".repeat(MAX)), /a message of 100016 bytes/],
  ["has no length", `${int32Bytes(0)}${"\0".repeat(12)}`, /a message of 0 bytes/],
  ["has a negative length", `${int32Bytes(-5)}${"\0".repeat(12)}`, /a message of -5 bytes/],
  ["is compressed", message(`${int32Bytes(2013)}${"\0".repeat(9)}`, 2012), /OP_COMPRESSED/],
  ["has the oldest opcode", message(empty, 2002), /opcode 2002/],
  ["is HTTP", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", /a message of/],
  ["has no body", message(flags), /without a body/],
  ["has no flags", message("\0\0"), /truncated/],
  ["has two bodies", message(`${flags}\0${empty}\0${empty}`), /two bodies/],
  ["has a section of an unknown kind", message(`${flags}\x02${empty}`), /kind 2/],
  ["has an unknown flag", message(`${int32Bytes(4)}\0${empty}`), /flags 4/],
  ["has a wrong checksum", summed(`\0${empty}`).replace(/.$/s, "?"), /checksum/],
  ["has a truncated body", message(`${flags}\0${int32Bytes(6)}\0`), /truncated/],
  ["has a body without a terminator", message(`${flags}\0${int32Bytes(5)}x`), /without a terminator/],
  ["has a body that is too short", message(`${flags}\0${int32Bytes(4)}`), /4 bytes/],
  ["has a truncated sequence", message(`${flags}\0${empty}\x01${int32Bytes(99)}a\0`), /truncated/],
  ["has a sequence without a name", message(`${flags}\0${empty}\x01${int32Bytes(6)}ab`), /without a name/],
  ["has a query without a collection", message(`${flags}abc`, 2004), /without a collection/],
] as const)
  test(`a message that ${what} is an error, after which no message is accepted`, () => {
    const { messages, fault: found } = parsed([command(PING) + bytes, command(PING)]);
    assert.equal(messages.length, 1);
    assert.match(found ?? "", fault);
  });

test("a sequence with more documents than a command may have is refused before the documents use memory", () => {
  const documents = empty.repeat(100_001);
  const sequenced = `\x01${int32Bytes(documents.length + 6)}a\0${documents}`;
  const { messages, fault } = parsed([message(`${flags}\0${empty}${sequenced}`)], 1_000_000);
  assert.equal(messages.length, 0);
  assert.match(fault ?? "", /too many documents/);
});

test("an announced length uses no memory until its bytes arrive", () => {
  const before = process.memoryUsage().arrayBuffers;
  const parsers = Array.from({ length: 1000 }, () => {
    const parser = new MongoMessageParser(48_000_000);
    parser.push(
      Buffer.from(`${int32Bytes(48_000_000)}${int32Bytes(0)}${int32Bytes(0)}${int32Bytes(2013)}`, "latin1"),
    );
    assert.equal(parser.next(), null);
    return parser;
  });
  assert.ok(process.memoryUsage().arrayBuffers - before < 10_000_000);
  assert.equal(parsers[0]?.isMidRequest, true);
});

test("arbitrary bytes result in messages or an error, and nothing else", () => {
  const random = new SeededRandom(seed());
  for (let stream = 0; stream < STREAMS; stream++) {
    const bytes = Buffer.from(STREAM, "latin1");
    for (let change = random.below(8); change >= 0; change--)
      bytes[random.below(bytes.length)] = random.below(256);
    const { messages } = parsed([bytesOf(bytes)]);
    assert.ok(messages.length <= 8);
  }
});
