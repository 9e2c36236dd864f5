/**
 * Tests the validation of public keys for the ring: which keys are accepted, and the error for each kind of mistake.
 */
import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { test } from "node:test";
import { CommandFailure } from "../../../../daemon/store/arguments/command-errors.js";
import { pemOfSpki, readSpki, spkiOfText } from "../../../../daemon/store/rights/spki.js";
import { loadPublicKey } from "../../../../keys/key-file.js";
import { type ByteString, bytesOf } from "../../../../protocol/byte-string.js";

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ed25519 = generateKeyPairSync("ed25519");
const derOf = (key: KeyObject) => bytesOf(key.export({ type: "spki", format: "der" }));
const rsaDer = derOf(rsa.publicKey);
const ed25519Der = derOf(ed25519.publicKey);

const hex = (digits: string): ByteString => bytesOf(Buffer.from(digits, "hex"));
const element = (tag: string, contents: ByteString): ByteString => {
  const { length } = contents;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return hex(tag) + String.fromCharCode(...size) + contents;
};
const RSA_ALGORITHM = hex("300d06092a864886f70d0101010500");
const ED25519_PREFIX = hex("302a300506032b6570032100");
const E = hex("0203010001");
/** Encodes a key from its parts. */
const rsaOf = (modulus: ByteString, { exponent = E, algorithm = RSA_ALGORITHM, rest = "" } = {}) =>
  element("30", algorithm + element("03", `\0${element("30", element("02", modulus) + exponent + rest)}`));
function modulusOf(bits: number, last = "\x01"): ByteString {
  const spare = (8 - (bits % 8)) % 8;
  return `${spare === 0 ? "\0" : ""}${String.fromCharCode(0x80 >> spare)}${"\x55".repeat(Math.ceil(bits / 8) - 2)}${last}`;
}

const isRefused = (read: () => unknown, reason: RegExp, name?: string) =>
  assert.throws(read, (failure) => failure instanceof CommandFailure && reason.test(failure.message), name);

test("the validation accepts keys that node:crypto has generated", () => {
  assert.deepEqual(readSpki(rsaDer), { algorithm: "rsa", bits: 2048 });
  assert.deepEqual(readSpki(ed25519Der), { algorithm: "ed25519", bits: 256 });
  assert.deepEqual(readSpki(rsaOf(modulusOf(4096))), { algorithm: "rsa", bits: 4096 });
});

test("the validation rejects a key that is truncated anywhere, or followed by anything", () => {
  for (const der of [rsaDer, ed25519Der]) {
    for (let length = 0; length < der.length; length++) isRefused(() => readSpki(der.slice(0, length)), /./);
    isRefused(() => readSpki(`${der}\0`), /bytes follow/);
  }
});

test("the validation rejects every flipped bit around the numbers", () => {
  const beforeModulus = rsaDer.indexOf(modulusHead(rsaDer));
  for (let bit = 0; bit < 8 * beforeModulus; bit++)
    isRefused(() => readSpki(flipped(rsaDer, bit)), /./, `${bit}`);
  for (let bit = 8 * (rsaDer.length - 5); bit < 8 * rsaDer.length; bit++)
    isRefused(() => readSpki(flipped(rsaDer, bit)), /./, `${bit}`);
  for (let bit = 0; bit < 8 * ED25519_PREFIX.length; bit++)
    isRefused(() => readSpki(flipped(ed25519Der, bit)), /./, `${bit}`);
});

test("the validation rejects invalid numbers and parameters, and names them", () => {
  const good = modulusOf(2048);
  const cases: readonly [ByteString, RegExp][] = [
    [rsaOf(modulusOf(2047)), /RSA of 2047 bits/],
    [rsaOf(modulusOf(1024)), /RSA of 1024 bits/],
    [rsaOf(modulusOf(16_392)), /bits, above 16384/],
    [rsaOf(modulusOf(40_000)), /bytes, above/],
    [rsaOf(`\0${good}`), /superfluous zero/],
    [rsaOf(good.slice(1)), /not positive/],
    [rsaOf(""), /not positive/],
    [rsaOf(modulusOf(2048, "\x02")), /modulus is even/],
    [rsaOf(good, { exponent: hex("020103") }), /exponent is not 65537/],
    [rsaOf(good, { exponent: hex("020400010001") }), /superfluous zero/],
    [rsaOf(good, { rest: E }), /bytes follow/],
    [rsaOf(good, { algorithm: hex("300b06092a864886f70d010101") }), /NULL is missing/],
    [rsaOf(good, { algorithm: hex("300e06092a864886f70d010101050100") }), /NULL is not empty/],
    [rsaOf(good, { algorithm: hex("300f06092a864886f70d01010105000500") }), /bytes follow/],
    [rsaOf(good, { algorithm: hex("300d06092a864886f70d01010a0500") }), /neither RSA nor Ed25519/],
    [hex("302c300706032b65700500032100") + "k".repeat(32), /bytes follow/],
    [hex("302b300506032b6570032200") + "k".repeat(33), /33 bytes instead of 32/],
    [hex("302a300506032b6570032101") + "k".repeat(32), /does not consist of complete bytes/],
    [hex("30812a300506032b6570032100") + "k".repeat(32), /longer than necessary/],
    [hex("3080300506032b6570032100") + "k".repeat(32), /indefinite/],
    [derOf(generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey), /neither RSA nor Ed25519/],
    ["", /a SEQUENCE is missing/],
  ];
  for (const [der, reason] of cases) isRefused(() => readSpki(der), reason);
});

test("the validation rejects Ed25519 points for which anyone can sign, as the reader of key files does", () => {
  const points = [
    "00".repeat(32),
    `${"00".repeat(31)}80`,
    `01${"00".repeat(31)}`,
    `ec${"ff".repeat(30)}7f`,
    `ed${"ff".repeat(30)}7f`,
    `ee${"ff".repeat(31)}`,
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  ];
  for (const point of points) {
    const der = ED25519_PREFIX + hex(point);
    isRefused(() => readSpki(der), /anyone/, point);
    const key = createPublicKey({ key: Buffer.from(der, "latin1"), format: "der", type: "spki" });
    assert.throws(() => loadPublicKey(key, { kinds: ["ed25519"] }), point);
  }
});

test("PEM and base64 yield the same bytes", () => {
  const pem = rsa.publicKey.export({ type: "spki", format: "pem" }) as string;
  const base64 = Buffer.from(rsaDer, "latin1").toString("base64");
  for (const text of [pem, pem.trim(), pem.replaceAll("\n", "\r\n"), `\n${pem}\n`, base64, `${base64}\n`]) {
    assert.equal(spkiOfText(text), rsaDer);
  }
  assert.equal(pemOfSpki(rsaDer), pem);
});

test("the validation rejects texts of other kinds, and names the kind", () => {
  const pem = pemOfSpki(rsaDer);
  const base64 = Buffer.from(rsaDer, "latin1").toString("base64");
  const cases: readonly [ByteString, RegExp][] = [
    [rsa.privateKey.export({ type: "pkcs8", format: "pem" }) as string, /a private key.*make a new pair/],
    [ed25519.privateKey.export({ type: "pkcs8", format: "pem" }) as string, /a private key/],
    [rsa.publicKey.export({ type: "pkcs1", format: "pem" }) as string, /openssl rsa -RSAPublicKey_in/],
    [pem.replaceAll("PUBLIC KEY", "CERTIFICATE"), /a certificate/],
    [pem.replaceAll("PUBLIC KEY", "THING"), /a "THING" instead/],
    [pem.slice(0, -10), /-----END line/],
    [pem + pem, /base64/],
    [base64.slice(1), /base64/],
    [base64.replace("A", " "), /base64/],
    [base64.replace("A", "*"), /base64/],
    [`${base64}=`, /base64/],
    ["", /base64/],
    ["A".repeat(5000), /bytes, above/],
  ];
  for (const [text, reason] of cases) isRefused(() => spkiOfText(text), reason, text.slice(0, 60));
});

function flipped(bytes: ByteString, bit: number): ByteString {
  const index = bit >> 3;
  const byte = bytes.charCodeAt(index) ^ (1 << (bit & 7));
  return bytes.slice(0, index) + String.fromCharCode(byte) + bytes.slice(index + 1);
}

/** Returns the DER header of the modulus, including the zero before it. */
function modulusHead(der: ByteString): ByteString {
  return der.slice(der.length - E.length - 257, der.length - E.length);
}
