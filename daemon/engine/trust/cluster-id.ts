/**
 * Computes the cluster's id from the settings that must be the same on all its daemons. Source: docs/protocol-v2.md
 * "Cluster".
 */

import { type ByteString, bytesOfText, textOfBytes } from "../../../protocol/byte-string.js";
import { RespReader } from "../../../protocol/resp/resp-reader.js";
import { writeArrayHead, writeBulk, writeCommand } from "../../../protocol/resp/resp-writer.js";
import { hashOf } from "./identity.js";

/** The settings that determine the id of a cluster. */
export interface Genesis {
  /** The value of --cluster-name. */
  readonly name: string;
  /** The ids of the keys of -s, 32 bytes each. */
  readonly applications: readonly ByteString[];
  /** The ids of the keys of --root-key. */
  readonly roots: readonly ByteString[];
}

const MAGIC = "dbsync2";
const PREFIX = Buffer.from("dbsync2\0genesis\0", "latin1");

/** Returns the cluster's id, 32 bytes. The order of the keys does not matter. */
export function clusterIdOf(genesis: Genesis): ByteString {
  const bytes = writeGenesis(genesis);
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(bytes.length));
  return hashOf(Buffer.concat([PREFIX, length, Buffer.from(bytes, "latin1")]));
}

/** Returns the bytes whose hash is the cluster's id. Data folders store these bytes. */
export function writeGenesis({ name, applications, roots }: Genesis): ByteString {
  const lists = writeCommand([...applications].sort()) + writeCommand([...roots].sort());
  return writeArrayHead(4) + writeBulk(MAGIC) + writeBulk(bytesOfText(name)) + lists;
}

/** Parses the bytes of `writeGenesis`. @throws MalformedFrame */
export function readGenesis(bytes: Buffer): Genesis {
  const reader = new RespReader(bytes);
  if (reader.readArrayHead() !== 4 || reader.readBulk() !== MAGIC)
    throw reader.malformed("expected a genesis");
  const name = textOfBytes(reader.readBulk());
  const [applications, roots] = [readList(reader), readList(reader)];
  reader.expectEnd();
  return { name, applications, roots };
}

function readList(reader: RespReader): ByteString[] {
  return Array.from({ length: reader.readArrayHead() }, () => reader.readBulk());
}
