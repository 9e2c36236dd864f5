/**
 * Tests forged signatures in the forms that RSA and Ed25519 verifiers of other libraries have accepted: additional
 * bytes, padding that is too short, structures that are parsed leniently. The blocks are raised to the private
 * exponent, so everything except their form is correct. This is the attacker's best case, because with the exponent 3
 * such blocks can be made without the private key. Source: RFC 8017, 8.2.2 and 9.2 (compare with the only valid
 * encoding); RFC 8032, 5.1.7; the advisories CVE-2006-4339, CVE-2022-24771, -24772, -24773, CVE-2025-12816, -66030,
 * CVE-2026-33894, -33895, -85393.
 */
import assert from "node:assert/strict";
import {
  constants,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  privateEncrypt,
} from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { CommandFailure } from "../../daemon/store/arguments/command-errors.js";
import { readSpki } from "../../daemon/store/rights/spki.js";
import { loadPrivateKey, loadPublicKey } from "../../keys/key-file.js";
import {
  signCommand,
  signEnvelope,
  verifyCommand,
  verifyDigest,
  verifyEnvelope,
} from "../../keys/signatures.js";
import { bytesOf } from "../../protocol/byte-string.js";
import { isSmallOrderKey } from "../../protocol/small-order-keys.js";
import { withHighS } from "../support/v2-vectors/bad-signatures.js";
import { vectorKeys } from "./openssl.js";

const MODULUS_BYTES = 256;
const TEXT = Buffer.from("SET k v\0");

const privateKey = createPrivateKey(readFileSync(vectorKeys.private2048));
const publicKey = createPublicKey(privateKey);

const digest = (name: string) => createHash(name).update(TEXT).digest();

const bytes = (hex: string) => Buffer.from(hex.replaceAll(" ", ""), "hex");

/** Returns DER with a length of one byte or, with `longForm`, of two bytes, which BER allows. */
function der(tag: number, content: Buffer, longForm = false): Buffer {
  const head = longForm ? [tag, 0x81, content.length] : [tag, content.length];
  return Buffer.concat([Buffer.from(head), content]);
}

const OID = bytes("06 09 60 86 48 01 65 03 04 02 01");
const NULL = bytes("05 00");
const algorithm = (...parts: Buffer[]) => der(0x30, Buffer.concat([OID, ...parts]));
const octets = (content = digest("sha256")) => der(0x04, content);
const info = (...parts: Buffer[]) => der(0x30, Buffer.concat(parts));
const GOOD_INFO = info(algorithm(NULL), octets());

/**
 * Returns 00 01 FF… 00 and the content, as long as the modulus. `behind` comes after the content and shortens the
 * padding.
 */
function block(content: Buffer, behind = Buffer.alloc(0), padding?: Buffer): Buffer {
  const filled = padding ?? Buffer.alloc(MODULUS_BYTES - 3 - content.length - behind.length, 0xff);
  const made = Buffer.concat([bytes("00 01"), filled, bytes("00"), content, behind]);
  assert.equal(made.length, MODULUS_BYTES, "the forgery has the correct length");
  return made;
}

/** Returns `padding` bytes, the content, and zeros up to the length of the modulus. */
function shortPadded(padding: number, content = GOOD_INFO): Buffer {
  const behind = Buffer.alloc(MODULUS_BYTES - 3 - padding - content.length);
  return block(content, behind, Buffer.alloc(padding, 0xff));
}

/** Applies the raw RSA operation, so that the verifier finds `plain` in the signature. */
function sealed(plain: Buffer): Buffer {
  return privateEncrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, plain);
}

function changed(plain: Buffer, at: number, byte: number): Buffer {
  const copy = Buffer.from(plain);
  copy[at] = byte;
  return copy;
}

const GOOD = block(GOOD_INFO);
const LONG_GARBAGE = der(0x04, Buffer.alloc(60, 0x61));

/** The forged blocks by their defects. */
const BLOCKS: Readonly<Record<string, Buffer>> = {
  "bytes after the DigestInfo, padding shortened": block(GOOD_INFO, Buffer.alloc(150, 0x61)),
  "one byte after the DigestInfo": block(GOOD_INFO, bytes("00")),
  "eight bytes of padding followed by garbage": shortPadded(8),
  "seven bytes of padding": shortPadded(7),
  "two bytes of padding": shortPadded(2),
  "no padding": shortPadded(0),
  "an additional element in the DigestInfo": block(info(algorithm(NULL), octets(), LONG_GARBAGE)),
  "an element before the others in the DigestInfo": block(info(LONG_GARBAGE, algorithm(NULL), octets())),
  "an additional element in the DigestAlgorithm": block(info(algorithm(NULL, LONG_GARBAGE), octets())),
  "garbage for the DigestAlgorithm's parameters": block(info(algorithm(LONG_GARBAGE), octets())),
  "an empty sequence for the DigestAlgorithm's parameters": block(info(algorithm(bytes("30 00")), octets())),
  "a NULL with content": block(info(algorithm(der(0x05, Buffer.alloc(40, 0x61))), octets())),
  "two NULLs": block(info(algorithm(NULL, NULL), octets())),
  "no DigestAlgorithm": block(info(octets())),
  "no digest": block(info(algorithm(NULL))),
  "an optional element of the sequence skipped": block(info(algorithm(NULL), der(0xa0, octets()), octets())),
  "the DigestInfo's length in BER's long form": block(
    der(0x30, Buffer.concat([algorithm(NULL), octets()]), true),
  ),
  "the digest's length in BER's long form": block(info(algorithm(NULL), der(0x04, digest("sha256"), true))),
  "the digest's length in four bytes": block(
    info(algorithm(NULL), Buffer.concat([bytes("04 84 00 00 00 20"), digest("sha256")])),
  ),
  "an indefinite length": block(Buffer.concat([bytes("30 80"), algorithm(NULL), octets(), bytes("00 00")])),
  "the digest as a constructed string": block(info(algorithm(NULL), der(0x24, octets()))),
  "the digest as a bit string": block(
    info(algorithm(NULL), der(0x03, Buffer.concat([bytes("00"), digest("sha256")]))),
  ),
  "the digest followed by a byte": block(
    info(algorithm(NULL), octets(Buffer.concat([digest("sha256"), bytes("00")]))),
  ),
  "half a digest": block(info(algorithm(NULL), octets(digest("sha256").subarray(0, 16)))),
  "an empty digest": block(info(algorithm(NULL), octets(Buffer.alloc(0)))),
  "SHA-512 of the text under SHA-256's name": block(info(algorithm(NULL), octets(digest("sha512")))),
  "SHA-1's DigestInfo": block(
    info(der(0x30, Buffer.concat([bytes("06 05 2b 0e 03 02 1a"), NULL])), octets(digest("sha1"))),
  ),
  "MD5's DigestInfo": block(
    info(der(0x30, Buffer.concat([bytes("06 08 2a 86 48 86 f7 0d 02 05"), NULL])), octets(digest("md5"))),
  ),
  "an OID that begins like that of SHA-256": block(
    info(der(0x30, Buffer.concat([bytes("06 0a 60 86 48 01 65 03 04 02 01 00"), NULL])), octets()),
  ),
  "an OID with an arc that is 2³² too high": block(
    info(der(0x30, Buffer.concat([bytes("06 0d 60 86 48 01 65 03 04 02 90 80 80 80 01"), NULL])), octets()),
  ),
  "the bare digest without a DigestInfo": block(digest("sha256")),
  "the text itself": block(TEXT),
  "block type 0": changed(block(GOOD_INFO), 1, 0),
  "block type 2": changed(block(GOOD_INFO), 1, 2),
  "a first byte that is not zero": changed(block(GOOD_INFO), 0, 1),
  "a byte in the padding that is not FF": changed(block(GOOD_INFO), 100, 0xfe),
  "a zero in the padding": changed(block(GOOD_INFO), 50, 0),
  "no zero after the padding": changed(block(GOOD_INFO), MODULUS_BYTES - GOOD_INFO.length - 1, 0xff),
  "nothing but padding": Buffer.concat([bytes("00 01"), Buffer.alloc(MODULUS_BYTES - 2, 0xff)]),
  zeros: Buffer.alloc(MODULUS_BYTES),
};

describe("A signature whose block is forged is refused", () => {
  test("an unchanged block is accepted", () => {
    assert.deepEqual(sealed(GOOD), signCommand(TEXT, privateKey));
    assert.equal(verifyEnvelope(TEXT, sealed(GOOD), publicKey), true);
    assert.equal(verifyCommand(TEXT, sealed(GOOD), [publicKey]), publicKey);
  });
  for (const [what, plain] of Object.entries(BLOCKS)) {
    test(what, () => {
      assert.equal(verifyEnvelope(TEXT, sealed(plain), publicKey), false);
      assert.equal(verifyCommand(TEXT, sealed(plain), [publicKey]), null);
    });
  }
});

/**
 * RFC 8017, A.2.4, allows a verifier to accept the block without NULL. The comparison with the only valid encoding also
 * refuses it; otherwise a text would have two signatures.
 */
test("A signature whose DigestAlgorithm has no NULL is refused", () => {
  const plain = block(info(algorithm(), octets()));
  assert.equal(verifyEnvelope(TEXT, sealed(plain), publicKey), false);
  assert.equal(verifyCommand(TEXT, sealed(plain), [publicKey]), null);
});

test("A signature that is not below the modulus is refused", () => {
  const { n = "" } = publicKey.export({ format: "jwk" });
  const modulus = BigInt(`0x${Buffer.from(n, "base64url").toString("hex")}`);
  const good = BigInt(`0x${signCommand(TEXT, privateKey).toString("hex")}`);
  for (const value of [good + modulus, modulus, modulus - 1n, modulus + 1n, 2n ** 2048n - 1n]) {
    const length = value < 2n ** 2048n ? MODULUS_BYTES : MODULUS_BYTES + 1;
    const signature = bytes(value.toString(16).padStart(2 * length, "0"));
    assert.equal(verifyEnvelope(TEXT, signature, publicKey), false);
  }
});

test("Keys with which blocks can be forged are refused when they are loaded", () => {
  for (const [type, options] of [
    ["exponent", { modulusLength: 2048, publicExponent: 3 }],
    ["too-few-bits", { modulusLength: 1024, publicExponent: 65537 }],
  ] as const) {
    const pair = generateKeyPairSync("rsa", options);
    assert.throws(() => loadPublicKey(pair.publicKey), { code: type });
    assert.throws(() => loadPrivateKey(pair.privateKey), { code: type });
  }
});

/** Returns an Ed25519 public key as SubjectPublicKeyInfo (RFC 8410). */
function edPublicKey(point: string): KeyObject {
  return createPublicKey({ key: bytes(`302a300506032b6570032100${point}`), format: "der", type: "spki" });
}

/** The points of small order with both sign bits, and their encodings that are not reduced. */
const WEAK_POINTS = [
  `01${"00".repeat(31)}`,
  `ec${"ff".repeat(30)}7f`,
  "00".repeat(32),
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  `ed${"ff".repeat(30)}7f`,
  `ee${"ff".repeat(30)}7f`,
].flatMap((low) => [low, low.slice(0, 62) + (Number.parseInt(low.slice(62), 16) | 0x80).toString(16)]);

describe("Ed25519", () => {
  const pair = generateKeyPairSync("ed25519");
  const signature = signEnvelope(TEXT, pair.privateKey);

  test("An S that is not below the group's order is refused", () => {
    assert.equal(verifyEnvelope(TEXT, signature, pair.publicKey), true);
    assert.equal(verifyEnvelope(TEXT, withHighS(signature), pair.publicKey), false);
    const highest = Buffer.concat([signature.subarray(0, 32), Buffer.alloc(32, 0xff)]);
    assert.equal(verifyEnvelope(TEXT, highest, pair.publicKey), false);
  });

  test("A signature of any other length is refused without an error", () => {
    for (const length of [0, 1, 32, 63, 65, 128, 100_000]) {
      const wrong = Buffer.concat([signature, Buffer.alloc(100_000)]).subarray(0, length);
      assert.equal(verifyEnvelope(TEXT, wrong, pair.publicKey), false, `${length} bytes`);
    }
  });

  test("Changing any single bit invalidates a signature", () => {
    for (let bit = 0; bit < 8 * signature.length; bit++) {
      const wrong = Buffer.from(signature);
      wrong[bit >> 3] = (wrong[bit >> 3] as number) ^ (1 << (bit & 7));
      assert.equal(verifyEnvelope(TEXT, wrong, pair.publicKey), false, `bit ${bit}`);
    }
  });

  test("A key with which anyone can sign is refused when it is loaded, in every encoding", () => {
    for (const point of WEAK_POINTS) {
      const key = edPublicKey(point);
      assert.equal(isSmallOrderKey(bytesOf(bytes(point))), true, point);
      assert.throws(() => loadPublicKey(key, { kinds: ["rsa", "ed25519"] }), { code: "weak-point" }, point);
      const spki = key.export({ type: "spki", format: "der" }).toString("latin1");
      assert.throws(() => readSpki(spki), CommandFailure, `KEY ADD of ${point}`);
    }
  });

  test("The forgery is real: OpenSSL accepts the signature of the neutral point for every text", (t) => {
    // R is the neutral point and S is 0, so S·B = R + h·A for every hash h of a text.
    const forged = Buffer.concat([bytes("01"), Buffer.alloc(63)]);
    assert.equal(verifyEnvelope(TEXT, forged, pair.publicKey), false);
    const isTaken = verifyEnvelope(TEXT, forged, edPublicKey(`01${"00".repeat(31)}`));
    if (!isTaken && !/^(1|3\.[0-4])\./.test(process.versions.openssl))
      return t.skip("this OpenSSL does not accept it, and later versions may not either");
    assert.equal(isTaken, true);
  });

  test("Generated keys are not such points", () => {
    for (let made = 0; made < 50; made++) {
      const { publicKey, privateKey } = generateKeyPairSync("ed25519");
      const spki = publicKey.export({ type: "spki", format: "der" });
      assert.equal(isSmallOrderKey(bytesOf(spki.subarray(-32))), false);
      loadPrivateKey(privateKey, { kinds: ["ed25519"] });
    }
  });
});

test("verifyEnvelope uses only the key to select the algorithm, and accepts no other type", () => {
  const ed = generateKeyPairSync("ed25519");
  const others = [
    generateKeyPairSync("ec", { namedCurve: "P-256" }),
    generateKeyPairSync("rsa-pss", { modulusLength: 2048, publicExponent: 65537 }),
    generateKeyPairSync("ed448"),
  ];
  assert.equal(verifyEnvelope(TEXT, signEnvelope(TEXT, ed.privateKey), publicKey), false);
  assert.equal(verifyEnvelope(TEXT, signEnvelope(TEXT, privateKey), ed.publicKey), false);
  assert.equal(verifyDigest("d".repeat(32), signEnvelope(TEXT, ed.privateKey), ed.publicKey), false);
  for (const { publicKey: other } of others) {
    assert.equal(verifyEnvelope(TEXT, Buffer.alloc(256), other), false);
    assert.equal(verifyEnvelope(TEXT, Buffer.alloc(64), other), false);
    assert.equal(verifyDigest("d".repeat(32), Buffer.alloc(256), other), false);
    assert.equal(verifyCommand(TEXT, Buffer.alloc(256), [other]), null);
  }
});
