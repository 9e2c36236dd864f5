/** Tests the signatures that envelopes on which members decide share. */
import assert from "node:assert/strict";
import crypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import { test } from "node:test";
import { hashOf } from "../../../../daemon/engine/trust/identity.js";
import { KnownKeys } from "../../../../daemon/engine/trust/known-keys.js";
import { signEnvelope } from "../../../../keys/signatures.js";
import { bytesOf } from "../../../../protocol/byte-string.js";
import { rootOf } from "../../../../protocol/version-2/hash-tree.js";
import {
  readShared,
  rootBytes,
  SHARED_UNITS_MAX,
  sharing,
} from "../../../../protocol/version-2/shared-signature.js";
import {
  type KeyPair,
  makeKeyPair,
  type SignedEnvelope,
  shareSignature,
  signCommands,
} from "../../../support/envelope-client.js";

const [rsa, ed25519] = [makeKeyPair("rsa"), makeKeyPair()];
const cluster = "c".repeat(32);

const publicOf = ({ id, privateKey }: KeyPair) => {
  const spki = crypto.createPublicKey(privateKey).export({ type: "spki", format: "der" });
  return { id, spki: bytesOf(spki) };
};

/** Returns envelopes with `decide`, each with a signature of its own. */
const envelopesOf = (pair: KeyPair, count: number, decide = true) =>
  Array.from({ length: count }, (_, index) =>
    signCommands(pair, [["SET", `lock${index}`, "a", "NX"]], { cluster, decide, seq: index }),
  );

const verifies = (pair: KeyPair, { id, body, signature }: SignedEnvelope, keys = new KnownKeys()) =>
  keys.verify(publicOf(pair), { body, signature }, id);

/** Returns the envelope with another signature. */
const signedWith = (envelope: SignedEnvelope, signature: Buffer): SignedEnvelope => ({
  ...envelope,
  signature,
});

test("each number of envelopes with decide shares a signature", () => {
  for (const pair of [rsa, ed25519])
    for (const count of [2, 3, 5, 7, 33, SHARED_UNITS_MAX])
      for (const envelope of shareSignature(pair, envelopesOf(pair, count))) {
        assert.ok(verifies(pair, envelope));
        assert.ok(envelope.signature.length <= 3 + 6 * 32 + (pair === rsa ? 256 : 64));
      }
});

test("an envelope is verified with its own signature, and with that of each tree that contains it", () => {
  const [one, two, three] = envelopesOf(rsa, 3) as [SignedEnvelope, SignedEnvelope, SignedEnvelope];
  const keys = new KnownKeys();
  const copies = [
    one,
    ...[
      [one, two],
      [three, one],
      [one, two, three],
    ].flatMap((all) => shareSignature(rsa, all)),
  ];
  for (const copy of copies) assert.ok(verifies(rsa, copy, keys));
  const ids = new Set(copies.map(({ id }) => id));
  assert.equal(ids.size, 3, "the id does not depend on the tree");
});

test("an envelope without decide has no shared signature", () => {
  for (const envelope of shareSignature(rsa, envelopesOf(rsa, 4, false))) assert.ok(!verifies(rsa, envelope));
  const [one, two] = [...envelopesOf(rsa, 1), ...envelopesOf(rsa, 1, false)] as [
    SignedEnvelope,
    SignedEnvelope,
  ];
  const shared = shareSignature(rsa, [one, two]);
  assert.deepEqual(
    shared.map((envelope) => verifies(rsa, envelope)),
    [true, false],
  );
});

test("a changed shared signature is not valid", () => {
  for (const pair of [rsa, ed25519]) {
    const envelopes = envelopesOf(pair, 5);
    const shared = shareSignature(pair, envelopes);
    const [first, second] = shared as [SignedEnvelope, SignedEnvelope];
    const other = shareSignature(pair, envelopesOf(pair, 5))[0] as SignedEnvelope;
    const keys = new KnownKeys();
    assert.ok(verifies(pair, first, keys) && verifies(pair, other, keys));

    const { signature } = first;
    const changed = (at: number, by: number) => {
      const bytes = Buffer.from(signature);
      bytes[at] = (bytes[at] as number) ^ by;
      return bytes;
    };
    const rootLength = pair === rsa ? 256 : 64;
    const path = signature.subarray(3, -rootLength);
    const rootSignature = signature.subarray(-rootLength);
    const forged: Record<string, Buffer> = {
      "another format": changed(0, 3),
      "another index": changed(1, 1),
      "another count": changed(2, 1),
      "a changed path": changed(4, 1),
      "a changed root signature": changed(signature.length - 1, 1),
      "a path without its last node": Buffer.concat([
        signature.subarray(0, 3),
        path.subarray(32),
        rootSignature,
      ]),
      "a path with one more node": Buffer.concat([
        signature.subarray(0, 3),
        path,
        path.subarray(32),
        rootSignature,
      ]),
      "the end of the head": signature.subarray(0, 2),
      "the end of the path": signature.subarray(0, 50),
      "no root signature": signature.subarray(0, -rootLength),
      "a longer root signature": Buffer.concat([signature, Buffer.alloc(1)]),
      "the root signature alone": rootSignature,
      "the place of another envelope": second.signature,
      "another tree": other.signature,
      "the path of this tree and the signature of another": Buffer.concat([
        signature.subarray(0, -rootLength),
        other.signature.subarray(-rootLength),
      ]),
      nothing: Buffer.alloc(0),
    };
    for (const [name, bytes] of Object.entries(forged))
      assert.ok(!verifies(pair, signedWith(first, bytes), keys), name);
  }
});

test("only 2 to 64 envelopes share a signature", () => {
  const envelopes = envelopesOf(ed25519, SHARED_UNITS_MAX + 1);
  assert.ok(shareSignature(ed25519, envelopes).every((envelope) => !verifies(ed25519, envelope)));
  assert.ok(shareSignature(ed25519, envelopes.slice(1)).every((envelope) => verifies(ed25519, envelope)));
  const [alone] = shareSignature(ed25519, envelopes.slice(0, 1)) as [SignedEnvelope];
  assert.ok(!verifies(ed25519, alone));
  const { signature } = shareSignature(ed25519, envelopes.slice(0, 2))[0] as SignedEnvelope;
  assert.equal(readShared(signature)?.path.length, 1);
  for (const length of [0, 1, 2, 3, 34]) assert.equal(readShared(signature.subarray(0, length)), null);
  for (const [index, count] of [
    [0, 0],
    [0, 1],
    [2, 2],
    [255, 2],
  ] as const)
    assert.equal(readShared(Buffer.concat([Buffer.of(1, index, count), signature.subarray(3)])), null);
});

test("the signature of a root and that of an envelope are not exchangeable", () => {
  for (const pair of [rsa, ed25519]) {
    const envelopes = envelopesOf(pair, 2);
    const ids = envelopes.map(({ id }) => id);
    const root = rootOf(ids, hashOf);
    const { signaturesWith } = sharing(ids, hashOf);
    const [first] = envelopes as [SignedEnvelope];
    const rootAlone = Buffer.from(root, "latin1");
    for (const text of [rootAlone, Buffer.concat([Buffer.of(2), rootAlone]), first.body]) {
      const [forged] = signaturesWith(signEnvelope(text, pair.privateKey)) as [Buffer];
      assert.ok(!verifies(pair, signedWith(first, forged)));
    }
    const [ofEnvelope] = signaturesWith(first.signature) as [Buffer];
    assert.ok(!verifies(pair, signedWith(first, ofEnvelope)));
    assert.ok(!verifies(pair, signedWith(first, signEnvelope(rootBytes(root, 2), pair.privateKey))));
    const otherCount = signEnvelope(rootBytes(root, 3), pair.privateKey);
    const [counted] = signaturesWith(otherCount) as [Buffer];
    assert.ok(!verifies(pair, signedWith(first, counted)), "the number of envelopes is signed");
  }
});

test("64 envelopes cost one verification for each key, root and signature", (t) => {
  const verify = t.mock.method(crypto, "verify");
  syncBuiltinESMExports();
  t.after(() => {
    verify.mock.restore();
    syncBuiltinESMExports();
  });
  const keys = new KnownKeys();
  const shared = shareSignature(ed25519, envelopesOf(ed25519, SHARED_UNITS_MAX));
  for (let round = 0; round < 2; round++)
    for (const envelope of shared) assert.ok(verifies(ed25519, envelope, keys));
  assert.equal(verify.mock.callCount(), 1);

  const [first] = shared as [SignedEnvelope];
  const stranger = makeKeyPair();
  assert.ok(!verifies(stranger, first, keys), "the key is compared");
  assert.equal(verify.mock.callCount(), 2);
  assert.ok(!verifies(stranger, first, keys), "signatures that are not valid are not remembered");
  assert.equal(verify.mock.callCount(), 3);
});

test("a flood of roots displaces the oldest ones only", (t) => {
  const verify = t.mock.method(crypto, "verify");
  syncBuiltinESMExports();
  t.after(() => {
    verify.mock.restore();
    syncBuiltinESMExports();
  });
  const keys = new KnownKeys();
  const roots = Array.from(
    { length: 300 },
    () => shareSignature(ed25519, envelopesOf(ed25519, 2))[0] as SignedEnvelope,
  );
  for (const envelope of roots) assert.ok(verifies(ed25519, envelope, keys));
  const before = verify.mock.callCount();
  assert.ok(verifies(ed25519, roots.at(-1) as SignedEnvelope, keys));
  assert.equal(verify.mock.callCount(), before);
  assert.ok(verifies(ed25519, roots[0] as SignedEnvelope, keys));
  assert.equal(verify.mock.callCount(), before + 1);
});
