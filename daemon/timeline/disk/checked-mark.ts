/**
 * The value of a mark in LMDB: CRC-32 of its name and the rest (4, big-endian) ‖ the bytes of the mark. A damaged date
 * in a mark would silently move what is final or removed, so that a daemon does not start with it. The records of the
 * log have a CRC of their own.
 */
import { crc32 } from "node:zlib";

/** The number of bytes by which the value of a mark is longer than the mark. */
export const CRC_BYTES = 4;
/** The mark that contains a check of its own, because a daemon starts without what it contains. */
const SELF_CHECKED = "decisions";

export function writeCheckedMark(name: Buffer, bytes: Buffer): Buffer {
  const value = Buffer.concat([Buffer.alloc(CRC_BYTES), bytes]);
  value.writeUInt32BE(crcOf(name, value), 0);
  return value;
}

/** Returns the bytes of a mark, or null if they are damaged. */
export function readCheckedMark(name: Buffer, value: Buffer): Buffer | null {
  if (value.length < CRC_BYTES) return null;
  const isIntact = crcOf(name, value) === value.readUInt32BE(0) || name.toString() === SELF_CHECKED;
  return isIntact ? value.subarray(CRC_BYTES) : null;
}

/** The message for a damaged mark in a file. */
export const damagedMark = (path: string, name: Buffer): string => `${path} is damaged: the mark ${name}`;

const crcOf = (name: Buffer, value: Buffer): number => crc32(value.subarray(CRC_BYTES), crc32(name));
