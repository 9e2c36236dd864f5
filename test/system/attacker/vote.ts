/**
 * Makes votes, the signatures by which members confirm a snapshot. Any process with a key can make them. Source:
 * docs/member-protocol.md, "Messages", votes.
 */
import { long } from "./envelope.js";
import { type Key, signatureOf } from "./key.js";

export interface Cut {
  /** The date of the snapshot. */
  readonly at: number;
  readonly bytes: number;
  /** The last 32 bytes of the snapshot. */
  readonly seal: Buffer;
}

/** Makes a packed vote. @param signer  the key that the vote names @param hand  the key that signs it */
export function vote(cluster: Buffer, { at, bytes, seal }: Cut, signer: Key, hand: Key = signer): Buffer {
  const cut = Buffer.concat([long(at), long(bytes), seal]);
  const signature = signatureOf(hand, Buffer.concat([Buffer.from("dbsync2\0cut\0"), cluster, cut]));
  const { spki } = signer;
  return Buffer.concat([cut, Buffer.from([spki.length]), spki, Buffer.from([signature.length]), signature]);
}
