/** Tests the stored value of an entry: it is read as it was written, and all damage is detected. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { readEntry, readValue, writeValue } from "../../../../daemon/timeline/entries/stored-value.js";
import { bytesOf } from "../../../../protocol/byte-string.js";
import { writeCommand } from "../../../../protocol/resp/resp-writer.js";
import { signedBytes } from "../../../../protocol/version-2/envelope.js";
import { writeBody } from "../../../../protocol/version-2/envelope-body.js";

const hash = (bytes: Buffer) => bytesOf(createHash("sha256").update(bytes).digest());
const header = {
  key: "k".repeat(32),
  cluster: "c".repeat(32),
  at: 1_767_225_600_000,
  seq: 7,
  nonce: "n".repeat(16),
};
const body = Buffer.from(writeBody(header, [writeCommand(["SET", "k", "v"])]), "latin1");
const signature = Buffer.alloc(64, 5);
const orderKey = { at: header.at, seq: header.seq, id: hash(signedBytes(body)) };

test("a value yields body and signature", () => {
  const parts = readValue(writeValue(body, signature));
  assert.deepEqual(parts, { body, signature });
  const none = Buffer.alloc(0);
  assert.deepEqual(readValue(writeValue(none, none)), { body: none, signature: none });
});

test("every changed byte and every truncation of a value is found", () => {
  const value = writeValue(body, signature);
  for (let i = 0; i < value.length; i++) {
    for (const bit of [1, 0x80]) {
      const changed = Buffer.from(value);
      changed[i] = (changed[i] as number) ^ bit;
      assert.equal(readValue(changed), null, `byte ${i}`);
      assert.equal(readEntry(orderKey, changed, hash), null, `byte ${i}`);
    }
    assert.equal(readValue(value.subarray(0, i)), null, `truncated at ${i}`);
  }
});

test("an entry is parsed, and shares no memory with the value", () => {
  const value = writeValue(body, signature);
  const entry = readEntry(orderKey, value, hash);
  value.fill(0);
  assert.equal(entry?.id, orderKey.id);
  assert.deepEqual(entry?.body, body);
  assert.deepEqual(entry?.signature, signature);
  assert.deepEqual(entry?.envelope.commands, [["SET", "k", "v"]]);
});

test("a value at another entry's order key counts as damaged", () => {
  const value = writeValue(body, signature);
  assert.equal(readEntry({ ...orderKey, at: orderKey.at + 1 }, value, hash), null);
  assert.equal(readEntry({ ...orderKey, seq: 8 }, value, hash), null);
  assert.equal(readEntry({ ...orderKey, id: "x".repeat(32) }, value, hash), null);
  const garbage = Buffer.from("garbage");
  const id = hash(signedBytes(garbage));
  assert.equal(readEntry({ ...orderKey, id }, writeValue(garbage, signature), hash), null);
});
