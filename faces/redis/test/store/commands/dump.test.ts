/**
 * Tests DUMP and RESTORE: payloads in every encoding of Redis, damaged payloads, and expiry. test/conformance
 * compares the replies.
 */
import "../../../../../test/support/all-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Database } from "../../../../../daemon/store/database.js";
import type { UndoRecord } from "../../../../../daemon/store/keyspace/undo.js";
import { type ByteString, bytesOf } from "../../../../../protocol/byte-string.js";
import type { Reply } from "../../../../../protocol/reply.js";
import { shown } from "../../../../../test/conformance/resp2-fold.js";
import { stateOf } from "../../../../../test/conformance/state.js";
import { amount } from "../../../../../test/support/amount.js";
import { redisDumps } from "../../../../../test/support/redis-dumps.js";
import { SeededRandom, seedOfRun } from "../../../../../test/support/seeded-random.js";
import { crc64 } from "../../../store/rdb/rdb-writer.js";

const AT = 1_000_000;
const MUTATIONS = amount(3_000, 20_000);
const seed = seedOfRun();

/** The length of the version and checksum that follow a payload's value. */
const FOOTER_BYTES = 10;

/** Returns the payload of a serialized value: the value, the version and the checksum. */
function payloadOf(value: ByteString, version = 10): ByteString {
  const bytes = Buffer.from(`${value}${String.fromCharCode(version & 0xff, version >> 8)}`, "latin1");
  return bytesOf(Buffer.concat([bytes, crc64(bytes)]));
}

/** Returns the serialized value in a payload, without version and checksum. */
function valueBytesOf(payload: ByteString): ByteString {
  return payload.slice(0, -FOOTER_BYTES);
}

const run = (database: Database, ...argv: ByteString[]): Reply =>
  database.execute(argv, { at: AT, db: 0, id: "unit" });

/** Returns the value of a key. Unordered contents are sorted. */
function contents(database: Database, key: ByteString): string | undefined {
  return stateOf(database, AT).get(JSON.stringify([0, key]))?.contents;
}

function restored(payload: ByteString, ...options: ByteString[]): { database: Database; reply: string } {
  const database = new Database();
  const reply = shown(run(database, "RESTORE", "copy", "0", payload, ...options));
  return { database, reply };
}

for (const { name, payload, commands } of redisDumps) {
  test(`RESTORE accepts ${name}, and DUMP returns it`, () => {
    const { database, reply } = restored(payload);
    assert.equal(reply, '+"OK"');
    for (const argv of commands) run(database, ...argv);
    assert.equal(contents(database, "copy"), contents(database, "k"));
    const dumped = run(database, "DUMP", "k");
    assert.ok(dumped.kind === "bulk");
    assert.equal(contents(restored(dumped.bytes).database, "copy"), contents(database, "k"));
  });
}

test("the checksum is Jones's CRC-64", () => {
  assert.equal(crc64(Buffer.from("123456789")).reverse().toString("hex"), "e9c6d914c4b8d9ca");
  assert.equal(crc64(new Uint8Array()).toString("hex"), "0000000000000000");
});

test("RESTORE rejects a payload that is damaged, too short or of a later version", () => {
  const wrong = /-"ERR DUMP payload version or checksum are wrong"/;
  const { payload } = redisDumps[0]!;
  for (const bad of [
    "",
    "short",
    payload.slice(0, -1),
    `${payload}x`,
    `\x01${payload.slice(1)}`,
    payloadOf("\0\x01a", 11),
  ])
    assert.match(restored(bad).reply, wrong);
  assert.equal(restored(payloadOf("\0\x01a", 1)).reply, '+"OK"');
});

test("RESTORE rejects invalid values", () => {
  const values: Readonly<Record<string, ByteString>> = {
    nothing: "",
    "an unknown type": "\x63\0",
    "a module's value": "\x07\0",
    "a truncated stream": "\x0f\0",
    "a stream that is longer than its stated length": "\x0f\0\x01\0\0\0",
    "a stream's node without an id": "\x0f\x01\x01a\x07\x07\0\0\0\0\0\xff",
    "a truncated string": "\0\x05abc",
    "a string of 2⁶³ bytes": "\0\x81\x80\0\0\0\0\0\0\0",
    "an unknown form of length": "\0\x82abc",
    "an unknown encoding of strings": "\0\xc4a",
    "a length that is an encoded string": "\x01\xc0\x01",
    "an empty list": "\x01\0",
    "an empty set": "\x02\0",
    "an empty hash": "\x04\0",
    "a duplicate member": "\x02\x02\x01a\x01a",
    "a duplicate field": "\x04\x02\x01a\x01b\x01a\x01c",
    "a duplicate scored member": `\x05\x02${`\x01a${"\0".repeat(8)}`.repeat(2)}`,
    "a score that is not a number": "\x05\x01\x01a\0\0\0\0\0\0\xf8\x7f",
    "a duplicate integer": "\x0b\x0c\x02\0\0\0\x02\0\0\0\x01\0\x01\0",
    "integers of three bytes": "\x0b\x0b\x03\0\0\0\x01\0\0\0\x01\0\0",
    "a node of an unknown kind": "\x12\x01\x03\x01a",
    "a compressed string that is too large for its bytes": "\0\xc3\x03\x80\x10\0\0\0\0\x61\x61",
    "a compressed string with a reference before its beginning": "\0\xc3\x02\x03\x20\x05",
    "a listpack without an end": "\x10\x07\x07\0\0\0\0\0\0",
    "a listpack of odd length as a hash": "\x10\x09\x09\0\0\0\x01\0\x01\x01\xff",
  };
  for (const [name, value] of Object.entries(values))
    assert.equal(restored(payloadOf(value)).reply, '-"ERR Bad data format"', name);
});

test("RESTORE rejects inconsistent consumer groups", () => {
  const { payload } = redisDumps.find(({ name }) => name === "a stream")!;
  const stream = valueBytesOf(payload).slice(0, -1);

  const time = "\0".repeat(8);
  const id = "\0".repeat(15);
  const group = (name: string, pending: string, consumers: string) =>
    `\x01${name}\0\0\0${pending}${consumers}`;
  const [none, one, two] = ["\0", `\x01${id}\x05${time}\x01`, `\x02${`${id}\x05${time}\x01`.repeat(2)}`];
  const consumer = (name: string, pending: string) => `\x01${name}${time}${pending}`;
  const pendingId = `\x01${id}\x05`;

  const good = {
    "a group without consumers": `\x01${group("g", none, none)}`,
    "a consumer with a pending entry": `\x01${group("g", one, `\x01${consumer("c", pendingId)}`)}`,
  };
  const bad = {
    "a duplicate group": `\x02${group("g", none, none).repeat(2)}`,
    "a duplicate consumer": `\x01${group("g", none, `\x02${consumer("c", none).repeat(2)}`)}`,
    "ids that are not ascending": `\x01${group("g", two, `\x01${consumer("c", pendingId)}`)}`,
    "an entry without a consumer": `\x01${group("g", one, `\x01${consumer("c", none)}`)}`,
    "an entry of two consumers": `\x01${group("g", one, `\x02${consumer("c", pendingId)}${consumer("d", pendingId)}`)}`,
    "an entry that is not pending": `\x01${group("g", none, `\x01${consumer("c", pendingId)}`)}`,
  };

  for (const [name, groups] of Object.entries(good))
    assert.equal(restored(payloadOf(`${stream}${groups}`)).reply, '+"OK"', name);
  for (const [name, groups] of Object.entries(bad))
    assert.equal(restored(payloadOf(`${stream}${groups}`)).reply, '-"ERR Bad data format"', name);
});

test(`RESTORE of random bytes replies, and can be undone (seed ${seed})`, () => {
  const random = new SeededRandom(seed, 1);
  let accepted = 0;
  for (let i = 0; i < MUTATIONS; i++) {
    const value = [...valueBytesOf(random.oneOf(redisDumps).payload)];
    for (let remaining = random.between(1, 3); remaining > 0; remaining--) {
      const index = random.below(Math.min(value.length, 40));
      if (random.chance(0.7)) value[index] = String.fromCharCode(random.below(256));
      else value.splice(index, random.below(3), ...value.slice(index, index + random.below(3)));
    }
    const database = new Database();
    const records: UndoRecord[] = [];
    const argv = ["RESTORE", "k", "0", payloadOf(value.join(""))];
    const reply = database.execute(argv, { at: AT, db: 0, id: "unit" }, records);
    if (reply.kind === "error") assert.equal(reply.text, "ERR Bad data format");
    else accepted++;
    assert.equal(stateOf(database, AT).size, reply.kind === "error" ? 0 : 1);
    database.undo(records);
    assert.equal(stateOf(database, AT).size, 0);
  }
  assert.ok(accepted > MUTATIONS / 20, `${accepted} payloads were accepted`);
});

test("RESTORE counts its time from the unit's date, or uses it as an absolute time", () => {
  const { payload } = redisDumps[0]!;
  const database = new Database();
  const ttlAfter = (...argv: ByteString[]) => {
    assert.equal(shown(run(database, "RESTORE", "k", ...argv, "REPLACE")), '+"OK"');
    return shown(run(database, "PTTL", "k"));
  };
  assert.equal(ttlAfter("0", payload), ":-1");
  assert.equal(ttlAfter("500", payload), ":500");
  assert.equal(ttlAfter(String(AT + 700), payload, "ABSTTL"), ":700");
  assert.equal(ttlAfter("0", payload, "ABSTTL"), ":-1");
  assert.equal(ttlAfter(String(AT - 1), payload, "ABSTTL"), ":-2");
});

/** Returns a compressed string that expands to `size` times `a`. */
function compressed(size: number): Buffer {
  // The first byte is literal. Repetitions of it follow, 264 bytes each. The remainder, below 32 bytes, is literal
  // again.
  const remainder = (size - 1) % 264;
  const repetitions = Buffer.alloc(3 * ((size - 1 - remainder) / 264));
  for (let at = 0; at < repetitions.length; at += 3) repetitions.writeUInt16BE(0xe0ff, at);
  const literals: number[] = [];
  for (let remaining = remainder; remaining > 0; remaining -= 32)
    literals.push(Math.min(remaining, 32) - 1, ...Buffer.alloc(Math.min(remaining, 32), "a"));
  const bytes = Buffer.concat([Buffer.from([0, 0x61]), repetitions, Buffer.from(literals)]);
  const lengths = Buffer.from([0xc3, 0x80, 0, 0, 0, 0, 0x80, 0, 0, 0, 0]);
  lengths.writeUInt32BE(bytes.length, 2);
  lengths.writeUInt32BE(size, 7);
  return Buffer.concat([lengths, bytes]);
}

/** Returns the reply to a payload in pieces that is too large for a string. */
function replyTo(...pieces: readonly Buffer[]): string {
  const body = Buffer.concat([...pieces, Buffer.from([10, 0])]);
  return restored(Buffer.concat([body, crc64(body)]).toString("latin1")).reply;
}

const LONGEST = 512 * 1024 * 1024 - 24;

test("RESTORE rejects a compressed string that exceeds the maximum length, and DUMP rejects a value whose payload would exceed it", () => {
  const type = Buffer.from([0]);
  assert.equal(replyTo(type, compressed(10_000)), '+"OK"');
  assert.equal(replyTo(type, compressed(LONGEST + 24)), '-"ERR Bad data format"');

  const database = new Database();
  run(database, "SETRANGE", "k", String(LONGEST - 1), "x");
  assert.match(shown(run(database, "DUMP", "k")), /string exceeds maximum allowed size/);
});

test("RESTORE rejects compressed strings whose total length exceeds the maximum of one string", () => {
  const list = (...strings: Buffer[]) => replyTo(Buffer.from([1, strings.length]), ...strings);
  assert.equal(list(compressed(1000), compressed(1000)), '+"OK"');
  assert.equal(list(compressed(1000), compressed(LONGEST - 999)), '-"ERR Bad data format"');
});
