/** What members sign of snapshots, as anybody with a key can write it. Source: docs/protocol-v2.md, "Messages", votes. */
import { long } from "./envelope.js";
import { type Key, signatureOf } from "./key.js";

export interface Cut {
  /** The snapshot's date. */
  readonly at: number;
  readonly bytes: number;
  /** Its last 32 bytes. */
  readonly seal: Buffer;
}

/** Packed. @param signer  whose key it names; `hand` is the one that signs */
export function vote(cluster: Buffer, { at, bytes, seal }: Cut, signer: Key, hand: Key = signer): Buffer {
  const cut = Buffer.concat([long(at), long(bytes), seal]);
  const signature = signatureOf(hand, Buffer.concat([Buffer.from("dbsync2\0cut\0"), cluster, cut]));
  const { spki } = signer;
  return Buffer.concat([cut, Buffer.from([spki.length]), spki, Buffer.from([signature.length]), signature]);
}
