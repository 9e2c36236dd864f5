/** Makes envelopes and the id of a cluster. Source: docs/protocol-v2.md, "Envelope", "Cluster" and "Units". */
import { randomBytes } from "node:crypto";
import { type Key, sha256, signatureOf } from "./key.js";
import { frame, type Item, resp } from "./wire.js";

export type Command = readonly (string | Buffer)[];

export interface Envelope {
  readonly at: number;
  readonly body: Buffer;
  readonly signature: Buffer;
  readonly id: Buffer;
  /** The complete message of a client. */
  readonly frame: Buffer;
  /** The packed form in which members send the entry. */
  readonly entry: Buffer;
  /** The order key without the index: at ‖ seq ‖ id. */
  readonly orderKey: Buffer;
}

export interface Header {
  readonly at?: number;
  readonly seq?: number;
  /** Further header names and values. */
  readonly more?: readonly Item[];
}

/** Signs commands as one envelope. The date defaults to now. */
export function envelope(
  key: Key,
  cluster: Buffer,
  commands: readonly Command[],
  header: Header = {},
): Envelope {
  const { at = Date.now(), seq = 0, more = [] } = header;
  const names = ["key", key.id, "cluster", cluster, "at", at, "seq", seq, "nonce", randomBytes(16), ...more];
  const body = resp(["dbsync2", names, ...commands]);
  return sealed(key, body, at, seq);
}

/** Signs any body. */
export function sealed(key: Key, body: Buffer, at = 0, seq = 0): Envelope {
  const signed = Buffer.concat([Buffer.from("dbsync2\0command\0"), long(body.length), body]);
  const signature = signatureOf(key, signed);
  const id = sha256(signed);
  const orderKey = Buffer.concat([long(at), Buffer.from([seq >> 8, seq & 255]), id]);
  const lengths = Buffer.alloc(6);
  lengths.writeUInt16BE(signature.length);
  lengths.writeUInt32BE(body.length, 2);
  const entry = Buffer.concat([lengths, signature, body]);
  return { at, body, signature, id, orderKey, entry, frame: frame(resp(["command", body, signature])) };
}

/** Returns the id of the cluster of daemons with these keys. */
export function clusterIdOf(name: string, applications: readonly Key[], roots: readonly Key[]): Buffer {
  const ids = (keys: readonly Key[]) => keys.map(({ id }) => id).sort(Buffer.compare);
  const genesis = resp(["dbsync2", name, ids(applications), ids(roots)]);
  return sha256(Buffer.from("dbsync2\0genesis\0"), long(genesis.length), genesis);
}

/** Returns 8 bytes, big-endian. */
export function long(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}
