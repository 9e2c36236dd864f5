import type { LogMark } from "../entries/storage.js";

export const LOG_KEY = Buffer.from("log");
const SEQUENCE_BYTES = 6;

/**
 * Reads the position in the log up to which LMDB has everything, from one of LMDB's marks: number of the last group (6,
 * big-endian) ‖ marker of the log's records (16).
 */
export function readLogMark(bytes: Buffer): LogMark {
  return { sequence: bytes.readUIntBE(0, SEQUENCE_BYTES), marker: bytes.subarray(SEQUENCE_BYTES) };
}

export function writeLogMark({ sequence, marker }: LogMark): Buffer {
  const bytes = Buffer.alloc(SEQUENCE_BYTES + marker.length);
  bytes.writeUIntBE(sequence, 0, SEQUENCE_BYTES);
  bytes.set(marker, SEQUENCE_BYTES);
  return bytes;
}
