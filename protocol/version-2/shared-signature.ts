/**
 * The signature that several envelopes with `decide` share. Their client signs the root of a tree of their ids; the
 * signature of each envelope is that of the root, with the path from its id to the root.
 * Source: docs/protocol-v2.md "Shared signatures".
 */
import { type ByteString, bytesOf } from "../byte-string.js";
import { HASH_BYTES } from "./envelope.js";
import { type Hash, pathLength, pathsOf, rootFrom } from "./hash-tree.js";

/** The number of the format, which is the first byte. */
export const SHARED_FORMAT = 1;
/** The maximum number of envelopes that share a signature. */
export const SHARED_UNITS_MAX = 64;
/** format (1) ‖ index (1) ‖ count (1). */
const HEAD_BYTES = 3;
const DOMAIN = Buffer.from("dbsync2\0shared\0", "latin1");

export interface SharedSignature {
  /** The index of the envelope among those that share the signature, and their number. */
  readonly index: number;
  readonly count: number;
  /** The path from the id of the envelope to the root. */
  readonly path: readonly ByteString[];
  /** The signature of `rootBytes`. */
  readonly signature: Buffer;
}

/** Returns the bytes that a client signs for several envelopes: domain ‖ count (1) ‖ root. */
export const rootBytes = (root: ByteString, count: number): Buffer =>
  Buffer.concat([DOMAIN, Buffer.of(count), Buffer.from(root, "latin1")]);

/** What a client signs for several envelopes. */
export interface Sharing {
  /** The bytes to sign. */
  readonly signed: Buffer;
  /** Returns the signature of each envelope. @param signature  that of `signed` */
  readonly signaturesWith: (signature: Buffer) => Buffer[];
}

/**
 * Returns what envelopes share. The signature of each is format ‖ index ‖ count ‖ path ‖ signature of the root.
 * @param ids  the ids of 2 to `SHARED_UNITS_MAX` envelopes
 */
export function sharing(ids: readonly ByteString[], hash: Hash): Sharing {
  const count = ids.length;
  const paths = pathsOf(ids, hash);
  const [id, path] = [ids[0] as ByteString, paths[0] as ByteString[]];
  const root = rootFrom(id, { index: 0, count }, path, hash) as ByteString;
  return {
    signed: rootBytes(root, count),
    signaturesWith: (signature) =>
      paths.map((nodes, index) =>
        Buffer.concat([
          Buffer.of(SHARED_FORMAT, index, count),
          Buffer.from(nodes.join(""), "latin1"),
          signature,
        ]),
      ),
  };
}

/**
 * Parses a signature that is not a plain one. Plain signatures have the length that their key determines.
 * @returns null if the bytes are not a shared signature of this format
 */
export function readShared(bytes: Buffer): SharedSignature | null {
  const [format, index = 0, count = 0] = bytes;
  if (format !== SHARED_FORMAT || count < 2 || count > SHARED_UNITS_MAX || index >= count) return null;
  const end = HEAD_BYTES + HASH_BYTES * pathLength({ index, count });
  if (end > bytes.length) return null;
  const path: ByteString[] = [];
  for (let at = HEAD_BYTES; at < end; at += HASH_BYTES) path.push(bytesOf(bytes, at, at + HASH_BYTES));
  return { index, count, path, signature: bytes.subarray(end) };
}
