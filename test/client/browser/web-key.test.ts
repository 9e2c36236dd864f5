/** Tests the key of a page: scripts of the page can sign with it, and cannot read its private half. */
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { makeKey, publicKeyPem } from "../../../client/browser/web-key.js";

for (const algorithm of ["Ed25519", "RSASSA-PKCS1-v1_5"])
  test(`a key of ${algorithm} signs, and its private half cannot be exported`, async () => {
    const { subtle } = globalThis.crypto;
    const generate = subtle.generateKey.bind(subtle) as (...all: unknown[]) => Promise<unknown>;
    const only = mock.method(subtle, "generateKey", ((asked: { name: string }, ...rest: unknown[]) =>
      asked.name === algorithm
        ? generate(asked, ...rest)
        : Promise.reject(new Error("not supported"))) as never);
    const { privateKey, spki } = await makeKey().finally(() => only.mock.restore());

    assert.equal(privateKey.algorithm.name, algorithm);
    assert.equal(privateKey.extractable, false);
    assert.deepEqual(privateKey.usages, ["sign"]);
    await assert.rejects(subtle.exportKey("pkcs8", privateKey), /not extractable/);
    await assert.rejects(subtle.exportKey("jwk", privateKey), /not extractable/);

    const publicKey = await subtle.importKey("spki", spki, { name: algorithm, hash: "SHA-256" }, true, [
      "verify",
    ]);
    const signed = Buffer.from("a command");
    const signature = await subtle.sign(algorithm, privateKey, signed);
    assert.equal(await subtle.verify(algorithm, publicKey, signature, signed), true);
    assert.match(publicKeyPem({ privateKey, spki }), /^-----BEGIN PUBLIC KEY-----\n[\w+/=\n]+\n-----END/);
  });
