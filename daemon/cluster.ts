/** A cluster's name: what its daemons must be started with alike. Source: docs/protocol-v2.md "Cluster". */
import { createHash } from "node:crypto";
import { type ByteString, bytesOfText } from "../protocol/byte-string.js";
import { writeArrayHead, writeBulk, writeCommand } from "../protocol/resp-writer.js";

export interface Genesis {
  /** --cluster-name. */
  readonly name: string;
  /** Ids of the keys of -s, 32 bytes each. */
  readonly applications: readonly ByteString[];
  /** Ids of the keys of --root-key. */
  readonly roots: readonly ByteString[];
}

const PREFIX = Buffer.from("dbsync2\0genesis\0", "latin1");

/** 32 bytes. The order of the keys does not matter. */
export function clusterOf({ name, applications, roots }: Genesis): ByteString {
  const lists = writeCommand([...applications].sort()) + writeCommand([...roots].sort());
  const genesis = writeArrayHead(4) + writeBulk("dbsync2") + writeBulk(bytesOfText(name)) + lists;
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(genesis.length));
  const hash = createHash("sha256").update(PREFIX).update(length).update(genesis, "latin1");
  return hash.digest("binary");
}
