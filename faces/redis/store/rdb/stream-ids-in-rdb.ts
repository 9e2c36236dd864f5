/** Ids of entries in RDB: as two numbers, or as bytes that sort like ids. Source: redis-server 7.0's dumps. */
import { type ByteString, bytesOf } from "../../../../protocol/byte-string.js";
import { msOf, type StreamId, seqOf, streamId } from "../values/streams/stream-id.js";
import { MalformedRdb } from "./malformed-rdb.js";
import type { RdbReader } from "./rdb-reader.js";
import type { RdbWriter } from "./rdb-writer.js";

export const ID_BYTES = 16;

export function readId(reader: RdbReader): StreamId {
  const ms = reader.readBigLength();
  return streamId(ms, reader.readBigLength());
}

export function writeId(writer: RdbWriter, id: StreamId): void {
  writer.bigLength(msOf(id));
  writer.bigLength(seqOf(id));
}

/** @throws MalformedRdb if the bytes are not an id */
export function idOfBytes(bytes: Buffer): StreamId {
  if (bytes.length !== ID_BYTES) throw new MalformedRdb("the id of an entry has a wrong length");
  return BigInt(`0x${bytes.toString("hex")}`);
}

export function bytesOfId(id: StreamId): ByteString {
  return bytesOf(Buffer.from(id.toString(16).padStart(2 * ID_BYTES, "0"), "hex"));
}
