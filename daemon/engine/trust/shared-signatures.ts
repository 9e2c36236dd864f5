/** Verifies the signatures that envelopes share, each only once. Source: docs/protocol-v2.md "Shared signatures". */
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import { readBody } from "../../../protocol/version-2/envelope.js";
import { rootFrom } from "../../../protocol/version-2/hash-tree.js";
import { readShared, rootBytes, SHARED_FORMAT } from "../../../protocol/version-2/shared-signature.js";
import { hashOf } from "./identity.js";

/**
 * The maximum number of roots whose signatures are remembered. The envelopes of a root arrive within milliseconds, from
 * the client and in the members' messages and decisions.
 */
const ROOTS_MAX = 256;

/** The remainder of the detail of a refusal. */
export const NOT_SHARED = `, which is no shared signature of format ${SHARED_FORMAT} for an envelope with decide`;

/** @typeParam Key  the form of keys that the verification of a signature needs */
export class SharedSignatures<Key> {
  readonly #verify: (signed: Buffer, signature: Buffer, key: Key) => boolean;
  /** Valid signatures of roots, each with its key's id and the signed bytes, the oldest first. */
  readonly #roots = new Set<ByteString>();

  /** @param verify  whether a key has made a signature */
  constructor(verify: (signed: Buffer, signature: Buffer, key: Key) => boolean) {
    this.#verify = verify;
  }

  /**
   * Returns whether a key signed an envelope with others on which members decide.
   * @param signer  the id of the key
   * @param id  SHA-256 of the signed bytes
   * @throws MalformedFrame  the signature is valid, but not the body
   */
  verify(signer: ByteString, key: Key, body: Buffer, bytes: Buffer, id: ByteString): boolean {
    const shared = readShared(bytes);
    const root = shared && rootFrom(id, shared, shared.path, hashOf);
    if (shared === null || root === null) return false;
    const signed = rootBytes(root, shared.count);
    return this.#isSigned(signer, key, signed, shared.signature) && readBody(body).decide;
  }

  #isSigned(signer: ByteString, key: Key, signed: Buffer, signature: Buffer): boolean {
    // All parts but the last one have fixed lengths, so two different triples never have the same text.
    const known = signer + bytesOf(signed) + bytesOf(signature);
    if (this.#roots.has(known)) return true;
    if (!this.#verify(signed, signature, key)) return false;
    this.#roots.add(known);
    const [oldest] = this.#roots;
    if (this.#roots.size > ROOTS_MAX && oldest !== undefined) this.#roots.delete(oldest);
    return true;
  }
}
