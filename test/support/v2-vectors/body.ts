/** Makes bodies with one error, from a valid body and a change. */
import {
  cluster,
  hexText,
  type KeyName,
  NOW,
  nonceOf,
  type Resp,
  resp,
  signatureOf,
  signedBytesOf,
  vectorKeys,
} from "./scene.js";
import type { BadVector, Stage } from "./vector.js";

/** A header field. */
export type Pair = readonly [name: string, value: Resp];

/** Returns a valid header for `SET k v`. Its nonce is the hash of the vector's name. */
export function pairsFor(name: string, key: KeyName = "ed25519"): Pair[] {
  return [
    ["key", hexText(vectorKeys[key].id)],
    ["cluster", cluster.toString("latin1")],
    ["at", String(NOW)],
    ["seq", "0"],
    ["nonce", nonceOf(name)],
  ];
}

/** Returns the header with a field replaced, or added if the name is new. */
export function withPair(pairs: readonly Pair[], name: string, value: Resp): Pair[] {
  const has = pairs.some(([each]) => each === name);
  if (!has) return [...pairs, [name, value]];
  return pairs.map((pair) => (pair[0] === name ? [name, value] : pair));
}

export const SET: readonly Resp[] = [["SET", "k", "v"]];

export function bodyOf(pairs: readonly Pair[], commands: readonly Resp[] = SET): Buffer {
  return resp(["dbsync2", pairs.flat() as readonly Resp[], ...commands]);
}

/** Signs a body. @returns a vector with a valid signature */
export function signedVector(
  parts: { name: string; stage: Stage; code: string; note: string; key?: KeyName },
  body: Buffer,
): BadVector {
  const { key = "ed25519", ...rest } = parts;
  const signature = signatureOf(signedBytesOf(body), key);
  return { ...rest, body: body.toString("hex"), signature: signature.toString("hex") };
}
