/** The names and order keys of units. Source: docs/protocol-v2.md "Units". */
import { type ByteString, bytesOf } from "../byte-string.js";
import { COMMANDS_MAX, ENTRY_ORDER_KEY_BYTES, type EnvelopeHeader } from "./envelope.js";

/** Returns the order key of a unit: its entry's order key and its index, 46 bytes. Order keys are compared as bytes. */
export function unitOrderKey(at: number, seq: number, id: ByteString, index: number): ByteString {
  const head = Buffer.allocUnsafe(10);
  head.writeBigUInt64BE(BigInt(at));
  head.writeUInt16BE(seq, 8);
  return bytesOf(head) + unitId(id, index);
}

/** Returns the order key of a unit's entry. @param orderKey  from `unitOrderKey` */
export function entryKeyOf(orderKey: ByteString): Pick<EnvelopeHeader, "at" | "seq"> & { id: ByteString } {
  const head = Buffer.from(orderKey.slice(0, 10), "latin1");
  return {
    at: Number(head.readBigUInt64BE()),
    seq: head.readUInt16BE(8),
    id: orderKey.slice(10, ENTRY_ORDER_KEY_BYTES),
  };
}

/** Returns the id of a unit: the envelope's id and the index in it. */
export function unitId(id: ByteString, index: number): ByteString {
  if (index >= COMMANDS_MAX) return id + indexBytes(index);
  let bytes = INDEX_BYTES[index];
  if (bytes === undefined) {
    bytes = indexBytes(index);
    INDEX_BYTES[index] = bytes;
  }
  return id + bytes;
}

const indexBytes = (index: number): ByteString =>
  String.fromCharCode(index >>> 24, (index >>> 16) & 255, (index >>> 8) & 255, index & 255);

/** The cached bytes of each index. Databases store a unit's id with each key and share these strings. */
const INDEX_BYTES: ByteString[] = [];
