/**
 * An accepted envelope as the timeline stores it: its exact bytes, their meaning, and its position in the order of all
 * entries. Source: docs/protocol-v2.md "Signature and id".
 */
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import { ENTRY_ORDER_KEY_BYTES, type Envelope } from "../../../protocol/version-2/envelope.js";

/** The bytes of an envelope as its client signed and sent it. */
export interface SignedBytes {
  readonly body: Buffer;
  readonly signature: Buffer;
}

export interface Entry extends SignedBytes {
  /** SHA-256 of the signed bytes, 32 bytes. */
  readonly id: ByteString;
  /** The parsed body. */
  readonly envelope: Envelope;
}

/**
 * The order key of an entry, its position in the order of all entries: compare `at`, then `seq`, then `id` as bytes.
 */
export interface OrderKey {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** 0 to 65535. */
  readonly seq: number;
  /** 32 bytes. */
  readonly id: ByteString;
}

/**
 * An entry that is being flushed or is on disk, without its parsed body. The parsed bodies of many entries with many
 * commands would take a lot of memory.
 */
export interface AddedEntry extends OrderKey {
  /** The complete entry if it changes the key ring, otherwise null. */
  readonly ring: Entry | null;
}

export const orderKeyOf = ({ id, envelope: { at, seq } }: Entry): OrderKey => ({ at, seq, id });

/** Compares two order keys: negative if `a` comes first, 0 if they are equal. */
export function compareOrderKeys(a: OrderKey, b: OrderKey): number {
  return a.at - b.at || a.seq - b.seq || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

/** Compares two entries by their order keys. */
export function compareEntries(a: Entry, b: Entry): number {
  return (
    a.envelope.at - b.envelope.at ||
    a.envelope.seq - b.envelope.seq ||
    (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
  );
}

/** Writes an order key as 42 bytes that sort in the same order: `at` (8, big-endian), `seq` (2), id. */
export function writeOrderKey({ at, seq, id }: OrderKey): Buffer {
  const bytes = Buffer.allocUnsafe(ENTRY_ORDER_KEY_BYTES);
  bytes.writeUInt32BE(Math.floor(at / 2 ** 32), 0);
  bytes.writeUInt32BE(at >>> 0, 4);
  bytes.writeUInt16BE(seq, 8);
  bytes.write(id, 10, "latin1");
  return bytes;
}

/** Parses an order key. @param bytes  from `writeOrderKey` */
export function readOrderKey(bytes: Uint8Array): OrderKey {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { at: dateOf(view), seq: view.readUInt16BE(8), id: bytesOf(view, 10, ENTRY_ORDER_KEY_BYTES) };
}

/** Returns only the date, in milliseconds since 1970. @param orderKey  from `writeOrderKey` */
export const dateOf = (orderKey: Buffer): number =>
  orderKey.readUInt32BE(0) * 2 ** 32 + orderKey.readUInt32BE(4);

/** Returns the lowest order key that an entry dated `at` can have. */
export const firstOrderKey = (at: number): OrderKey => ({ at, seq: 0, id: "\0".repeat(32) });
/** Returns the same order key as bytes. */
export const firstOrderKeyBytes = (at: number): Buffer => writeOrderKey(firstOrderKey(at));
