/** Tests the DER parser with every truncation and every missing byte. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { createRequire } from "node:module";
import { test } from "node:test";
import { isCompleteDer } from "../../keys/pem.js";

const asn1: typeof import("node-forge").asn1 = createRequire(import.meta.url)("node-forge/lib/asn1.js");

const KEYS = {
  rsa: generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({
    type: "pkcs8",
    format: "der",
  }),
  ed25519: generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "der" }),
};

test("isCompleteDer accepts a complete key, but neither a part of a key nor a key followed by other bytes", () => {
  for (const [name, der] of Object.entries(KEYS)) {
    assert.ok(isCompleteDer(der), name);
    for (let length = 0; length < der.length; length++)
      assert.ok(!isCompleteDer(der.subarray(0, length)), `${name}, ${length} bytes`);
    assert.ok(!isCompleteDer(Buffer.concat([der, Buffer.from([0])])), name);
    assert.ok(!isCompleteDer(Buffer.concat([der, der])), name);
  }
});

test("a key from which any one byte is missing is complete only if node-forge also considers it complete", () => {
  for (const [name, der] of Object.entries(KEYS)) {
    for (let place = 0; place < der.length; place++) {
      const less = Buffer.concat([der.subarray(0, place), der.subarray(place + 1)]);
      assert.equal(isCompleteDer(less), isWholeForForge(less), `${name} without byte ${place}`);
    }
  }
});

test("a value with a huge stated length is incomplete, and deep nesting uses no stack", () => {
  for (const bytes of [
    [0x30],
    [0x30, 0x80],
    [0x30, 0x85, 1, 0, 0, 0, 0],
    [0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
  ])
    assert.ok(!isCompleteDer(Buffer.from(bytes)), String(bytes));
  const deep = Buffer.alloc(40_000, Buffer.from([0x30, 0x83, 0, 0, 0]));
  for (let place = 0; place < deep.length; place += 5)
    deep.writeUIntBE(deep.length - place - 5, place + 2, 3);
  assert.ok(isCompleteDer(deep));
});

function isWholeForForge(bytes: Buffer): boolean {
  try {
    asn1.fromDer(bytes.toString("latin1"));
    return true;
  } catch {
    return false;
  }
}
