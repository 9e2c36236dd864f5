/** The messages by which members compare their states: sums over the keys of a bucket, and digests of single keys. */
import { type ByteString, bytesOf } from "../byte-string.js";
import type { RespReader } from "../resp/resp-reader.js";
import { readNumber } from "./member-elements.js";

/** Sums over the sender's keys at the date `at`, without keys that have changed since then. */
export interface StateSumsMessage {
  readonly kind: "state-sums";
  readonly at: number;
  /** The sums cover 1/shares of the keyspace. */
  readonly shares: number;
  /** One sum per bucket; 2³² − 1: keys in this bucket have changed since then. */
  readonly sums: Uint32Array;
}

/** Digests of individual keys at the date `at`, without keys that have changed since then. */
export interface StateKeys {
  readonly at: number;
  readonly salt: number;
  readonly keys: readonly PackedKeyDigest[];
}

interface PackedKeyDigest {
  readonly db: number;
  readonly key: ByteString;
  /** The digest, or null if the sender does not have the key. */
  readonly digest: { readonly high: number; readonly low: number } | null;
}

/** The maximum numbers of buckets and keys in one message, and the maximum length of a key in it. */
const BUCKETS_MAX = 65_536;
export const KEYS_MAX = 128;
export const KEY_BYTES_MAX = 4096;
const SUM_BYTES = 4;
/** The length of the fields before a key: db (2) ‖ flag (1) ‖ digest (8) ‖ length of the key (2). */
const HEAD_BYTES = 13;

export function writeSums(sums: Uint32Array): Buffer {
  const bytes = Buffer.allocUnsafe(sums.length * SUM_BYTES);
  for (const [bucket, sum] of sums.entries()) bytes.writeUInt32BE(sum, bucket * SUM_BYTES);
  return bytes;
}

/** Unpacks sums. @throws MalformedFrame */
export function readSums(reader: RespReader): Omit<StateSumsMessage, "kind"> {
  const at = readNumber(reader);
  const shares = readNumber(reader);
  const bytes = reader.readBulkView();
  const buckets = bytes.length / SUM_BYTES;
  if (!isPowerOfTwo(buckets) || buckets > BUCKETS_MAX) throw reader.malformed("expected sums of buckets");
  const sums = Uint32Array.from({ length: buckets }, (_, bucket) => bytes.readUInt32BE(bucket * SUM_BYTES));
  return { at, shares, sums };
}

const isPowerOfTwo = (count: number) => Number.isInteger(count) && count > 0 && (count & (count - 1)) === 0;

export function writeKeys(keys: readonly PackedKeyDigest[]): Buffer {
  return Buffer.concat(
    keys.map(({ db, key, digest }) => {
      const bytes = Buffer.alloc(HEAD_BYTES + key.length);
      bytes.writeUInt16BE(db, 0);
      bytes.writeUInt8(digest === null ? 0 : 1, 2);
      bytes.writeUInt32BE(digest?.high ?? 0, 3);
      bytes.writeUInt32BE(digest?.low ?? 0, 7);
      bytes.writeUInt16BE(key.length, 11);
      bytes.write(key, HEAD_BYTES, "latin1");
      return bytes;
    }),
  );
}

/** Unpacks digests of keys. @throws MalformedFrame */
export function readKeys(reader: RespReader): PackedKeyDigest[] {
  const bytes = reader.readBulkView();
  const keys: PackedKeyDigest[] = [];
  for (let from = 0; from < bytes.length; ) {
    const length = bytes.length - from < HEAD_BYTES ? KEY_BYTES_MAX + 1 : bytes.readUInt16BE(from + 11);
    const end = from + HEAD_BYTES + length;
    if (length > KEY_BYTES_MAX || end > bytes.length || keys.length === KEYS_MAX)
      throw reader.malformed("expected digests of keys");
    const digest =
      bytes[from + 2] === 0
        ? null
        : { high: bytes.readUInt32BE(from + 3), low: bytes.readUInt32BE(from + 7) };
    keys.push({ db: bytes.readUInt16BE(from), key: bytesOf(bytes, from + HEAD_BYTES, end), digest });
    from = end;
  }
  return keys;
}
