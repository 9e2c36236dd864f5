/**
 * Packs many order keys, or many entries, into one bulk string for messages between members.
 * Source: docs/protocol-v2.md "Members".
 */
import { type ByteString, bytesOf } from "../byte-string.js";
import type { RespReader } from "../resp/resp-reader.js";

/** An entry's position in the total order. */
export interface PackedOrderKey {
  readonly at: number;
  readonly seq: number;
  /** 32 bytes. */
  readonly id: ByteString;
}

/** An entry's bytes. */
export interface PackedEntry {
  readonly body: Buffer;
  readonly signature: Buffer;
}

/** The maximum number of order keys in one message. */
export const ORDER_KEYS_MAX = 10_000;
/** The maximum number of entries in one push. */
export const ENTRIES_MAX = 512;
const ORDER_KEY_BYTES = 42;
/** The maximum length of a signature: the votes of a majority of the longest member list. */
const SIGNATURE_BYTES_MAX = 16_384;
const ENTRY_HEAD_BYTES = 6;

/** Packs order keys, each as `at` (8, big-endian) ‖ `seq` (2) ‖ id (32). */
export function writeOrderKeys(orderKeys: readonly PackedOrderKey[]): Buffer {
  const bytes = Buffer.allocUnsafe(orderKeys.length * ORDER_KEY_BYTES);
  let start = 0;
  for (const { at, seq, id } of orderKeys) {
    bytes.writeUInt32BE(Math.floor(at / 2 ** 32), start);
    bytes.writeUInt32BE(at >>> 0, start + 4);
    bytes.writeUInt16BE(seq, start + 8);
    bytes.write(id, start + 10, "latin1");
    start += ORDER_KEY_BYTES;
  }
  return bytes;
}

/** Unpacks order keys. @throws MalformedFrame */
export function readOrderKeys(reader: RespReader): PackedOrderKey[] {
  const bytes = reader.readBulkView();
  if (bytes.length % ORDER_KEY_BYTES !== 0)
    throw reader.malformed(`expected order keys of ${ORDER_KEY_BYTES} bytes`);
  if (bytes.length > ORDER_KEYS_MAX * ORDER_KEY_BYTES)
    throw reader.malformed(`expected at most ${ORDER_KEYS_MAX} order keys`);
  const orderKeys: PackedOrderKey[] = [];
  for (let start = 0; start < bytes.length; start += ORDER_KEY_BYTES) {
    const at = bytes.readUInt32BE(start) * 2 ** 32 + bytes.readUInt32BE(start + 4);
    if (!Number.isSafeInteger(at)) throw reader.malformed("expected a date below 2^53");
    const seq = bytes.readUInt16BE(start + 8);
    orderKeys.push({ at, seq, id: bytesOf(bytes, start + 10, start + ORDER_KEY_BYTES) });
  }
  return orderKeys;
}

/** Returns the bytes that an entry needs in a push. */
export const packedBytes = ({ body, signature }: PackedEntry): number =>
  ENTRY_HEAD_BYTES + body.length + signature.length;

/**
 * Packs entries, each as the length of its signature (2, big-endian) ‖ the length of its body (4) ‖ signature ‖ body.
 */
export function writeEntries(entries: readonly PackedEntry[]): Buffer {
  const bytes = Buffer.allocUnsafe(entries.reduce((sum, entry) => sum + packedBytes(entry), 0));
  let at = 0;
  for (const { body, signature } of entries) {
    at = bytes.writeUInt16BE(signature.length, at);
    at = bytes.writeUInt32BE(body.length, at);
    at += signature.copy(bytes, at);
    at += body.copy(bytes, at);
  }
  return bytes;
}

/** Unpacks the entries of a push as views. Returns null if the bytes are invalid or there are too many entries. */
export function readEntries(bytes: Buffer): PackedEntry[] | null {
  const entries: PackedEntry[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + ENTRY_HEAD_BYTES > bytes.length) return null;
    const signatureBytes = bytes.readUInt16BE(at);
    const start = at + ENTRY_HEAD_BYTES + signatureBytes;
    const end = start + bytes.readUInt32BE(at + 2);
    if (end > bytes.length || signatureBytes > SIGNATURE_BYTES_MAX) return null;
    // An empty body is invalid, and its entry would need far more memory than its bytes.
    if (end === start || entries.length === ENTRIES_MAX) return null;
    entries.push({
      signature: bytes.subarray(start - signatureBytes, start),
      body: bytes.subarray(start, end),
    });
    at = end;
  }
  return entries;
}
