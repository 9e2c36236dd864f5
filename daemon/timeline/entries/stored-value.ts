/**
 * The value of an entry in a storage, whose key is its order key: CRC-32 of the rest (4, big-endian) ‖ length of the
 * signature (2) ‖ signature ‖ body. The CRC finds damage at a fraction of the cost of the id's SHA-256; the id is
 * checked when an entry is parsed. This format never changes: existing folders contain these bytes.
 */
import { crc32 } from "node:zlib";
import type { ByteString } from "../../../protocol/byte-string.js";
import { MalformedFrame } from "../../../protocol/errors.js";
import { readEntryBody } from "../../../protocol/version-2/decision-body.js";
import { type Envelope, signedBytes } from "../../../protocol/version-2/envelope.js";
import type { Entry, OrderKey, SignedBytes } from "./entry.js";

/** SHA-256. */
type Hash = (bytes: Buffer) => ByteString;

const CRC_BYTES = 4;
const HEAD_BYTES = CRC_BYTES + 2;
const SIGNATURE_BYTES_MAX = 0xffff;

export function writeValue(body: Buffer, signature: Buffer): Buffer {
  if (signature.length > SIGNATURE_BYTES_MAX)
    throw new Error(`a signature of ${signature.length} bytes cannot be stored`);
  const value = Buffer.allocUnsafe(HEAD_BYTES + signature.length + body.length);
  value.writeUInt16BE(signature.length, CRC_BYTES);
  value.set(signature, HEAD_BYTES);
  value.set(body, HEAD_BYTES + signature.length);
  value.writeUInt32BE(crc32(value.subarray(CRC_BYTES)), 0);
  return value;
}

/** Returns views of `value`, or null if it is damaged. */
export function readValue(value: Buffer): SignedBytes | null {
  if (value.length < HEAD_BYTES || crc32(value.subarray(CRC_BYTES)) !== value.readUInt32BE(0)) return null;
  const end = HEAD_BYTES + value.readUInt16BE(CRC_BYTES);
  if (end > value.length) return null;
  return { signature: value.subarray(HEAD_BYTES, end), body: value.subarray(end) };
}

/**
 * Returns the entry at an order key.
 * @param value  the stored bytes; they are copied, so they may be a view
 * @param hash   SHA-256
 * @returns null if the value is damaged or belongs to another entry
 */
export function readEntry(orderKey: OrderKey, value: Buffer, hash: Hash): Entry | null {
  const entry = viewEntry(orderKey, value, hash);
  return entry === null ? null : copiedEntry(entry);
}

/** Returns the entry as `readEntry` does; its buffers are views of `value`. */
export function viewEntry(orderKey: OrderKey, value: Buffer, hash: Hash): Entry | null {
  const parts = viewParts(orderKey, value, hash);
  const envelope = parts === null ? null : readEnvelope(parts.body);
  if (parts === null || envelope === null || envelope.at !== orderKey.at || envelope.seq !== orderKey.seq)
    return null;
  return { id: orderKey.id, body: parts.body, signature: parts.signature, envelope };
}

/** Copies a viewed entry, so that it can be retained. */
export const copiedEntry = ({ id, body, signature, envelope }: Entry): Entry => ({
  id,
  body: Buffer.from(body),
  signature: Buffer.from(signature),
  envelope,
});

/**
 * Returns body and signature of the entry at an order key as views of `value`. Checks only the id. Returns null if the
 * value is damaged.
 */
export function viewParts({ id }: OrderKey, value: Buffer, hash: Hash): SignedBytes | null {
  const parts = readValue(value);
  return parts !== null && hash(signedBytes(parts.body)) === id ? parts : null;
}

/** Whether an entry is intact but unreadable by this version: a later version may have written it. */
export function isUnreadable(orderKey: OrderKey, value: Buffer, hash: Hash): boolean {
  const parts = viewParts(orderKey, value, hash);
  return parts !== null && readEnvelope(parts.body) === null;
}

function readEnvelope(body: Buffer): Envelope | null {
  try {
    return readEntryBody(body);
  } catch (problem) {
    if (problem instanceof MalformedFrame) return null;
    throw problem;
  }
}
