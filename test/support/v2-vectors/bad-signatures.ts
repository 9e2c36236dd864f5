/** Bodies without a known signer, and bodies with an invalid signature. */
import { createHash, sign } from "node:crypto";
import { bodyOf, pairsFor, SET, signedVector, withPair } from "./body.js";
import { privateKey, raw, resp, signatureOf, signedBytesOf, vectorKeys } from "./scene.js";
import type { BadVector } from "./vector.js";

/** The order L of the Ed25519 group (RFC 8032, 5.1). */
const GROUP_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

export function badSignatures(): BadVector[] {
  return [...withoutSigner(), ...rsaSignatures(), ...edSignatures()];
}

/** Makes bodies that are rejected before the signature is verified: malformed up to `key`, or with an unknown key. */
function withoutSigner(): BadVector[] {
  const vector = (name: string, body: Buffer, note: string, code = "malformed") =>
    signedVector({ name, stage: "key", code, note }, body);
  const pairs = (name: string) => pairsFor(name);
  return [
    vector("key-body-empty", raw(""), "the body is empty"),
    vector("key-body-no-array", raw("$7\r\ndbsync2\r\n"), "a body must be an array"),
    vector("key-magic-other", resp(["dbsync3", pairs("key-magic-other").flat(), ["PING"]]), "a wrong magic"),
    vector("key-no-commands", bodyOf(pairs("key-no-commands"), []), "an envelope without commands"),
    vector(
      "key-too-many-commands",
      raw(
        bodyOf(pairs("key-too-many"), [["P"]])
          .toString("latin1")
          .replace("*3\r\n", "*100003\r\n"),
      ),
      "100001 commands are announced",
    ),
    vector("key-header-no-array", resp(["dbsync2", "key", ["PING"]]), "the header must be an array"),
    vector("key-header-empty", resp(["dbsync2", [], ["PING"]]), "no key"),
    vector(
      "key-header-odd",
      resp(["dbsync2", [...pairs("odd").flat(), "db"], ["PING"]]),
      "a name without a value",
    ),
    vector(
      "key-header-too-long",
      bodyOf(Array(17).fill(pairs("long")[0])),
      "more pairs than the format has names",
    ),
    vector("key-not-first", bodyOf([...pairs("key-not-first")].reverse()), "`key` must be the first name"),
    vector("key-31-bytes", bodyOf(withPair(pairs("key-31"), "key", "x".repeat(31))), "too short"),
    vector(
      "key-hexadecimal",
      bodyOf(withPair(pairs("hex"), "key", vectorKeys.ed25519.id)),
      "raw bytes are required",
    ),
    vector(
      "key-of-nobody",
      bodyOf(withPair(pairs("key-of-nobody"), "key", "\0".repeat(32))),
      "no such key",
      "unknown-key",
    ),
    signedVector(
      {
        name: "key-stranger",
        stage: "key",
        code: "unknown-key",
        note: "a valid key that this cluster does not know",
        key: "stranger",
      },
      bodyOf(pairsFor("key-stranger", "stranger")),
    ),
  ];
}

function rsaSignatures(): BadVector[] {
  const vector = (name: string, note: string, make: (body: Buffer, signed: Buffer) => Buffer): BadVector => {
    const body = bodyOf(pairsFor(name, "rsa2048"));
    const signature = make(body, signedBytesOf(body)).toString("hex");
    return { name, stage: "signature", code: "bad-signature", note, body: body.toString("hex"), signature };
  };
  const good = (bytes: Buffer) => signatureOf(bytes, "rsa2048");
  return [
    vector("signature-none", "no bytes", () => Buffer.alloc(0)),
    vector("signature-zeros", "256 zero bytes", () => Buffer.alloc(256)),
    vector("signature-one", "the number 1", () => Buffer.concat([Buffer.alloc(255), raw("\x01")])),
    vector("signature-bit", "one bit flipped", (_, signed) => flipped(good(signed), 100)),
    vector("signature-short", "the last byte is missing", (_, signed) => good(signed).subarray(0, 255)),
    vector("signature-long", "one byte too many", (_, signed) => Buffer.concat([good(signed), raw("\0")])),
    vector("signature-zero-in-front", "the same number, 257 bytes", (_, signed) =>
      Buffer.concat([raw("\0"), good(signed)]),
    ),
    vector("signature-hexadecimal", "raw bytes are required", (_, signed) =>
      raw(good(signed).toString("hex")),
    ),
    vector("signature-of-body", "of the body without the bytes before it", (body) => good(body)),
    vector("signature-of-id", "of the id", (_, signed) => good(createHash("sha256").update(signed).digest())),
    vector("signature-other-domain", "of a genesis record", (_, signed) =>
      good(raw(signed.toString("latin1").replace("command", "genesis"))),
    ),
    vector("signature-length-little-endian", "the length's bytes reversed", (_, signed) => {
      const bytes = Buffer.from(signed);
      bytes.subarray(16, 24).reverse();
      return good(bytes);
    }),
    vector("signature-of-another", "of another envelope", () =>
      good(signedBytesOf(bodyOf(pairsFor("other")))),
    ),
    vector("signature-other-key", "by the 4096-bit key", (_, signed) => signatureOf(signed, "rsa4096")),
    vector("signature-ed25519-for-rsa", "by the Ed25519 key", (_, signed) => signatureOf(signed, "ed25519")),
    vector("signature-sha512", "RSASSA-PKCS1-v1_5 with SHA-512", (_, signed) =>
      sign("sha512", signed, privateKey("rsa2048")),
    ),
    vector("signature-sha1", "RSASSA-PKCS1-v1_5 with SHA-1", (_, signed) =>
      sign("sha1", signed, privateKey("rsa2048")),
    ),
    tampered(),
  ];
}

/** Makes a vector with a signature for `SET k v` that contains `SET k w`. */
function tampered(): BadVector {
  const pairs = pairsFor("signature-body-changed", "rsa2048");
  const signature = signatureOf(signedBytesOf(bodyOf(pairs, SET)), "rsa2048").toString("hex");
  const body = bodyOf(pairs, [["SET", "k", "w"]]).toString("hex");
  const note = "one byte of the body differs from the signed one";
  return { name: "signature-body-changed", stage: "signature", code: "bad-signature", note, body, signature };
}

function edSignatures(): BadVector[] {
  const vector = (name: string, note: string, make: (signed: Buffer) => Buffer): BadVector => {
    const body = bodyOf(pairsFor(name));
    const signature = make(signedBytesOf(body)).toString("hex");
    return { name, stage: "signature", code: "bad-signature", note, body: body.toString("hex"), signature };
  };
  const good = (signed: Buffer) => signatureOf(signed, "ed25519");
  return [
    vector("ed25519-bit", "one bit flipped", (signed) => flipped(good(signed), 10)),
    vector("ed25519-short", "63 bytes", (signed) => good(signed).subarray(0, 63)),
    vector("ed25519-long", "65 bytes", (signed) => Buffer.concat([good(signed), raw("\0")])),
    vector("ed25519-zeros", "64 zero bytes", () => Buffer.alloc(64)),
    vector("ed25519-other-key", "by another key", (signed) => signatureOf(signed, "stranger")),
    vector("ed25519-rsa-for-it", "by the RSA key", (signed) => signatureOf(signed, "rsa2048")),
    vector("ed25519-of-hash", "of the SHA-512 hash of the bytes to sign", (signed) =>
      good(createHash("sha512").update(signed).digest()),
    ),
    vector("ed25519-s-plus-l", "S plus the group's order: a solution, but not canonical", (signed) =>
      withHighS(good(signed)),
    ),
  ];
}

function flipped(signature: Buffer, byte: number): Buffer {
  const copy = Buffer.from(signature);
  copy[byte] = (copy[byte] as number) ^ 1;
  return copy;
}

/**
 * Returns the signature with S replaced by S + L, which strict verifiers must reject as not canonical. S is
 * little-endian.
 */
export function withHighS(signature: Buffer): Buffer {
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString("hex")}`) + GROUP_ORDER;
  const bytes = Buffer.from(s.toString(16).padStart(64, "0"), "hex").reverse();
  return Buffer.concat([signature.subarray(0, 32), bytes]);
}
