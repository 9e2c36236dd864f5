/**
 * Reads and writes the elements of messages between members: numbers, totals, and many order keys or entries, packed
 * into one bulk string. Each value has exactly one encoding. Each reader throws MalformedFrame. Source:
 * docs/protocol-v2.md "Members".
 */
import { type ByteString, bytesOf } from "../byte-string.js";
import type { RespReader } from "../resp/resp-reader.js";
import { ENTRY_ORDER_KEY_BYTES, HASH_BYTES } from "../version-2/envelope.js";

export function readNumber(reader: RespReader): number {
  const bytes = reader.readBulkView();
  const text = bytes.length <= 16 ? bytesOf(bytes) : "";
  if (!/^(0|[1-9]\d{0,15})$/.test(text) || !Number.isSafeInteger(Number(text))) {
    throw reader.malformed("expected a canonical decimal below 2^53");
  }
  return Number(text);
}

export function readFlag(reader: RespReader): boolean {
  const flag = readShort(reader, 1);
  if (flag !== "0" && flag !== "1") throw reader.malformed('expected "0" or "1"');
  return flag === "1";
}

export function readFixed(reader: RespReader, length: number): ByteString {
  const bytes = reader.readBulkView();
  if (bytes.length !== length) throw reader.malformed(`expected ${length} bytes`);
  return bytesOf(bytes);
}

export function readShort(reader: RespReader, max: number): ByteString {
  const bytes = reader.readBulkView();
  if (bytes.length > max) throw reader.malformed(`expected at most ${max} bytes`);
  return bytesOf(bytes);
}

/**
 * The count and sum of a set of entries. It is only a hint, because a signer could search for ids that result in a
 * certain sum.
 */
export interface Total {
  readonly count: number;
  /** The sum of the ids modulo 2²⁵⁶, 32 bytes, big-endian. */
  readonly sum: ByteString;
}

/** Counts and sums of the entries that a member has. */
export interface Totals {
  /** The envelopes that change the key ring. */
  readonly ring: Total;
  readonly data: Total;
}

export const totalElements = ({ ring, data }: Totals): ByteString[] => [
  String(ring.count),
  ring.sum,
  String(data.count),
  data.sum,
];

/** Parses totals. @throws MalformedFrame */
export function readTotals(reader: RespReader): Totals {
  const ring = readTotal(reader);
  return { ring, data: readTotal(reader) };
}

function readTotal(reader: RespReader): Total {
  return { count: readNumber(reader), sum: readFixed(reader, HASH_BYTES) };
}

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
/** The maximum length of a signature: the votes of a majority of the longest member list. */
const SIGNATURE_BYTES_MAX = 16_384;
const ENTRY_HEAD_BYTES = 6;

/** Packs order keys, each as `at` (8, big-endian) ‖ `seq` (2) ‖ id (32). */
export function writeOrderKeys(orderKeys: readonly PackedOrderKey[]): Buffer {
  const bytes = Buffer.allocUnsafe(orderKeys.length * ENTRY_ORDER_KEY_BYTES);
  let start = 0;
  for (const { at, seq, id } of orderKeys) {
    bytes.writeUInt32BE(Math.floor(at / 2 ** 32), start);
    bytes.writeUInt32BE(at >>> 0, start + 4);
    bytes.writeUInt16BE(seq, start + 8);
    bytes.write(id, start + 10, "latin1");
    start += ENTRY_ORDER_KEY_BYTES;
  }
  return bytes;
}

/** Unpacks order keys. @throws MalformedFrame */
export function readOrderKeys(reader: RespReader): PackedOrderKey[] {
  const bytes = reader.readBulkView();
  if (bytes.length % ENTRY_ORDER_KEY_BYTES !== 0)
    throw reader.malformed(`expected order keys of ${ENTRY_ORDER_KEY_BYTES} bytes`);
  if (bytes.length > ORDER_KEYS_MAX * ENTRY_ORDER_KEY_BYTES)
    throw reader.malformed(`expected at most ${ORDER_KEYS_MAX} order keys`);

  const orderKeys: PackedOrderKey[] = [];
  for (let start = 0; start < bytes.length; start += ENTRY_ORDER_KEY_BYTES) {
    const at = bytes.readUInt32BE(start) * 2 ** 32 + bytes.readUInt32BE(start + 4);
    if (!Number.isSafeInteger(at)) throw reader.malformed("expected a date below 2^53");
    const seq = bytes.readUInt16BE(start + 8);
    orderKeys.push({ at, seq, id: bytesOf(bytes, start + 10, start + ENTRY_ORDER_KEY_BYTES) });
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
