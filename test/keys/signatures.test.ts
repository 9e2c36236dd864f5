/** Tests signing and verifying with the signatures that the original C driver made. */
import assert from "node:assert/strict";
import {
  constants,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadPrivateKey, loadPublicKey } from "../../keys/key-file.js";
import { signCommand, verifyCommand } from "../../keys/signatures.js";
import { amount } from "../support/amount.js";
import { repositoryRoot } from "../support/repository.js";
import { vectorKeys } from "./openssl.js";

interface Vector {
  readonly name: string;
  readonly direction: string;
  readonly keyFile: string | null;
  readonly signed: boolean;
  readonly request_hex: string;
}

const folder = join(repositoryRoot, "test/vectors/php-dbsync");
const vectors: readonly Vector[] = JSON.parse(readFileSync(join(folder, "vectors.json"), "utf8"));
const public2048 = loadPublicKey({ file: vectorKeys.public2048 }).key;
const public4096 = loadPublicKey({ file: vectorKeys.public4096 }).key;

/** Returns the text, the signature and the key of a recorded `ds:<outer>:ds:<inner>:<text>`. */
function signedParts(name: string): { text: Buffer; signature: Buffer; keyFile: string } {
  const vector = vectors.find((candidate) => candidate.name === name);
  assert.ok(vector?.keyFile, name);
  const bytes = Buffer.from(vector.request_hex, "hex");
  const header = /^ds:\d+:ds:(\d+):/.exec(bytes.toString("latin1"));
  assert.ok(header, name);
  const end = header[0].length + Number(header[1]);
  return {
    text: bytes.subarray(header[0].length, end),
    signature: bytes.subarray(end),
    keyFile: vector.keyFile,
  };
}

const recorded = vectors.filter(({ direction, signed }) => signed && direction === "driver->daemon");

test("the recorded vectors contain signatures of both sizes", () => {
  assert.ok(recorded.length >= 10);
});

for (const { name } of recorded) {
  test(`signCommand reproduces the original driver's ${name} byte for byte`, () => {
    const { text, signature, keyFile } = signedParts(name);
    assert.equal(text.at(-1), 0);
    const { key } = loadPrivateKey({ file: join(folder, keyFile) });
    assert.deepEqual(signCommand(text, key), signature);
  });

  test(`verifyCommand names the key that signed ${name}, in any order of keys`, () => {
    const { text, signature, keyFile } = signedParts(name);
    const signer = keyFile.includes("2048") ? public2048 : public4096;
    assert.equal(verifyCommand(text, signature, [public2048, public4096]), signer);
    assert.equal(verifyCommand(text, signature, [public4096, public2048]), signer);
  });
}

test("verifyCommand refuses the recorded forgeries", () => {
  for (const name of ["tampered-command", "bad-signature", "wrong-key"]) {
    const { text, signature } = signedParts(name);
    assert.equal(verifyCommand(text, signature, [public2048]), null, name);
  }
});

test("verifyCommand refuses signatures of every wrong length without an error", () => {
  const { text, signature } = signedParts("signed2048-ping");
  for (const length of [0, 1, 255, 257, 511, 512, 513, 100_000]) {
    const wrong = Buffer.concat([signature, Buffer.alloc(100_000)]).subarray(0, length);
    assert.equal(verifyCommand(text, wrong, [public2048, public4096]), null, `${length} bytes`);
  }
  assert.equal(verifyCommand(text, signature, []), null);
});

test("verifyCommand finds the signer among keys of the same size", () => {
  const pairs = Array.from({ length: amount(2, 3) }, () =>
    generateKeyPairSync("rsa", { modulusLength: 2048 }),
  );
  const keys: readonly KeyObject[] = pairs.map(({ publicKey }) => publicKey);
  const text = Buffer.from("SET k v\0");
  for (const [index, { privateKey }] of pairs.entries()) {
    const signer = verifyCommand(text, signCommand(text, privateKey), keys);
    assert.equal(signer, keys[index]);
  }
});

test("verifyCommand skips a key that is not RSA", () => {
  const { publicKey } = generateKeyPairSync("ed25519");
  const { text, signature } = signedParts("signed2048-ping");
  assert.equal(verifyCommand(text, signature, [publicKey]), null);
});

test("verifyCommand refuses a PSS signature of the same key", () => {
  const text = Buffer.from("PING\0");
  const key = createPrivateKey(readFileSync(vectorKeys.private2048));
  const signature = sign("sha256", text, { key, padding: constants.RSA_PKCS1_PSS_PADDING });
  assert.equal(verifyCommand(text, signature, [createPublicKey(key)]), null);
});
