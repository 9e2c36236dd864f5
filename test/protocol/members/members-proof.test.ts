/** Tests the proof of a member list by its members' signatures: which signatures count, and how many are enough. */
import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign, verify } from "node:crypto";
import { test } from "node:test";
import {
  type KnownList,
  listHash,
  type MemberList,
  writeMemberList,
} from "../../../protocol/members/member-list.js";
import type { MemberSignature } from "../../../protocol/members/member-signature.js";
import {
  isSignedByAll,
  isSignedByMajority,
  listSignedBytes,
  readListProof,
  writeListProof,
} from "../../../protocol/members/members-proof.js";

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("binary");
const checks = {
  hash: sha256,
  verify: (spki: string, bytes: Buffer, signature: Buffer) => {
    const key = { key: Buffer.from(spki, "latin1"), format: "der", type: "spki" } as const;
    return verify(null, bytes, key, signature);
  },
};

/** A daemon that signs. */
class Signer {
  readonly #key = generateKeyPairSync("ed25519");
  readonly spki = this.#key.publicKey.export({ type: "spki", format: "der" }).toString("latin1");
  readonly id = sha256(Buffer.from(this.spki, "latin1"));

  sign(text: Buffer): MemberSignature {
    return {
      spki: this.spki,
      signature: sign(null, listSignedBytes(text), this.#key.privateKey).toString("latin1"),
    };
  }
}

const signers = Array.from({ length: 5 }, () => new Signer());
const [first, second, third] = signers as [Signer, Signer, Signer];
const CLUSTER = "c".repeat(32);

function listOf(members: readonly Signer[], more: Partial<MemberList> = {}) {
  const list = {
    cluster: CLUSTER,
    number: 1,
    parents: [],
    members: members.map(({ id }) => id).sort(),
    removed: [],
    ...more,
  };
  const text = writeMemberList(list);
  return { list, hash: listHash(text, sha256), text: Buffer.from(text, "latin1") };
}

const signedBy = (text: Buffer, by: readonly Signer[]) =>
  new Map(by.map((signer) => [signer.id, signer.sign(text)] as const));

test("the signatures of members are read, in any number, and only if each is valid", () => {
  const known = listOf([first, second]);
  const { text } = known;
  for (const by of [[], [first], [second, first]]) {
    const read = readListProof(known, text, writeListProof(signedBy(text, by)), checks);
    assert.deepEqual(new Set(read?.keys()), new Set(by.map(({ id }) => id)));
    assert.equal(read !== null && isSignedByAll(known, read), by.length === 2);
  }
  const proof = writeListProof(signedBy(text, [first]));
  const ofStranger = writeListProof(signedBy(text, [third]));
  const ofOtherText = writeListProof(signedBy(listOf([first, third]).text, [first]));
  const changed = Buffer.from(proof);
  changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
  for (const bad of [ofStranger, ofOtherText, changed, Buffer.concat([proof, proof]), proof.subarray(1)])
    assert.equal(readListProof(known, text, bad, checks), null);
});

test("a member that leaves signs the list without itself, and counts among those of the list in force", () => {
  const inForce = listOf([first, second]);
  const next = listOf([first], { number: 2, parents: [inForce.hash], removed: [second.id] });
  const read = readListProof(next, next.text, writeListProof(signedBy(next.text, [first, second])), checks);
  assert.ok(read !== null && isSignedByMajority(next, read, inForce));
  assert.equal(isSignedByMajority(next, new Set([first.id]), inForce), false);
});

test("more than half of the members of the list in force have to sign the next list, and no later one", () => {
  const inForce = listOf([first, second, third]);
  const isEnough = (list: KnownList, by: readonly Signer[]) =>
    isSignedByMajority(list, new Set(by.map(({ id }) => id)), inForce);
  const next = listOf(signers, { number: 2, parents: [inForce.hash] });
  assert.equal(isEnough(next, [first, third]), true);
  assert.equal(isEnough(next, [first]), false);
  assert.equal(isEnough(next, [first, ...signers.slice(3)]), false);

  const later = listOf(signers, { number: 3, parents: [inForce.hash] });
  const ofTwo = listOf(signers, { number: 2, parents: [inForce.hash, "p".repeat(32)] });
  const ofAnother = listOf(signers, { number: 2, parents: ["p".repeat(32)] });
  for (const list of [later, ofTwo, ofAnother]) assert.equal(isEnough(list, signers), false);
});
