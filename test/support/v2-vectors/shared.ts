/** Envelopes with `decide` that share a signature. The tree is a second implementation, like scene.ts. */
import { createHash } from "node:crypto";
import { bodyOf, pairsFor, withPair } from "./body.js";
import { idOf, type KeyName, raw, signatureOf } from "./scene.js";
import type { SharedVector } from "./vector.js";

/** Returns the hash of a subtree: that of the largest power of two of leaves, and that of the remaining ones. */
function rootOf(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 1) return leaves[0] as Buffer;
  const [left, right] = halves(leaves).map(rootOf) as [Buffer, Buffer];
  return createHash("sha256")
    .update(Buffer.concat([raw("\x01"), left, right]))
    .digest();
}

function halves(leaves: readonly Buffer[]): [Buffer[], Buffer[]] {
  let size = 1;
  while (2 * size < leaves.length) size *= 2;
  return [leaves.slice(0, size), leaves.slice(size)];
}

/** Returns the hashes beside a leaf, from the bottom. */
function pathOf(leaves: readonly Buffer[], index: number): Buffer[] {
  if (leaves.length === 1) return [];
  const [left, right] = halves(leaves);
  return index < left.length
    ? [...pathOf(left, index), rootOf(right)]
    : [...pathOf(right, index - left.length), rootOf(left)];
}

/** Returns the shared signature of each body. */
export function shareSignature(bodies: readonly Buffer[], key: KeyName): Buffer[] {
  const ids = bodies.map(idOf);
  const count = Buffer.of(ids.length);
  const root = signatureOf(Buffer.concat([raw("dbsync2\0shared\0"), count, rootOf(ids)]), key);
  return ids.map((_, index) => Buffer.concat([Buffer.of(1, index), count, ...pathOf(ids, index), root]));
}

export function sharedVectors(): SharedVector[] {
  return [...vectorsOf("rsa2048", 2), ...vectorsOf("ed25519", 3), ...vectorsOf("ed25519", 64)];
}

function vectorsOf(key: KeyName, count: number): SharedVector[] {
  const names = Array.from({ length: count }, (_, index) => `shared-${key}-${index}-of-${count}`);
  const bodies = names.map((name) =>
    bodyOf(withPair(pairsFor(name, key), "decide", "1"), [["SETNX", name, "v"]]),
  );
  const ids = bodies.map(idOf);
  const vectors = shareSignature(bodies, key).map((signature, index) => ({
    name: names[index] as string,
    key,
    index,
    count,
    root: rootOf(ids).toString("hex"),
    body: (bodies[index] as Buffer).toString("hex"),
    id: (ids[index] as Buffer).toString("hex"),
    signature: signature.toString("hex"),
  }));
  // The places of a large tree at which paths differ are enough.
  return vectors.filter(({ index }) => count < 8 || index === 0 || index === 37 || index === count - 1);
}
