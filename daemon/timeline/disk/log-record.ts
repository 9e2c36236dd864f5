/**
 * A group of operations in the log's format, integers big-endian:
 *   marker (16) ‖ CRC-32 of the rest (4) ‖ length of the operations (4) ‖ sequence (6) ‖ safe (6) ‖ operations
 * `safe`: groups up to this number were as safe as --fsync requires when the record was written.
 * An operation begins with its kind (1). Then follow:
 *   put:    order key (42) ‖ length (4) ‖ value
 *   remove: order key (42)
 *   mark:   length (1) ‖ name ‖ length (4) ‖ value
 * The marker is drawn at random at each start, and is secret. Therefore a value that looks like a record is not taken
 * for one, nor is an earlier record. Numbers of kinds never change: existing folders contain them.
 */

import { closeSync, constants, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { ENTRY_ORDER_KEY_BYTES } from "../../../protocol/version-2/envelope.js";
import type { LogMark, StorageOperation } from "../entries/storage.js";

export const MARKER_BYTES = 16;

/** A complete record. */
export interface LogRecord {
  readonly sequence: number;
  readonly safe: number;
  /** The operations; their buffers are views. */
  readonly operations: readonly StorageOperation[];
}

const KINDS = { put: 1, remove: 2, mark: 3 } as const;

const CRC_AT = MARKER_BYTES;
const LENGTH_AT = CRC_AT + 4;
const SEQUENCE_AT = LENGTH_AT + 4;
const SAFE_AT = SEQUENCE_AT + 6;
const HEAD_BYTES = SAFE_AT + 6;

/** Returns the length of a record of the operations, in bytes. */
export function recordBytes(operations: readonly StorageOperation[]): number {
  let bytes = HEAD_BYTES;
  for (const operation of operations) {
    bytes += 1;
    if (operation.kind === "mark") bytes += 1 + operation.name.length;
    else bytes += ENTRY_ORDER_KEY_BYTES;
    if (operation.kind !== "remove") bytes += 4 + operation.value.length;
  }
  return bytes;
}

/** Writes a record to the beginning of `target`, which must have `recordBytes` bytes. */
export function writeRecord(target: Buffer, marker: Buffer, { sequence, safe, operations }: LogRecord): void {
  let at = HEAD_BYTES;
  for (const operation of operations) {
    target[at++] = KINDS[operation.kind];
    if (operation.kind === "mark") {
      target[at++] = operation.name.length;
      at += target.write(operation.name, at, "latin1");
    } else {
      target.set(operation.orderKey, at);
      at += ENTRY_ORDER_KEY_BYTES;
    }
    if (operation.kind === "remove") continue;
    at = target.writeUInt32BE(operation.value.length, at);
    target.set(operation.value, at);
    at += operation.value.length;
  }

  target.set(marker, 0);
  target.writeUInt32BE(at - HEAD_BYTES, LENGTH_AT);
  target.writeUIntBE(sequence, SEQUENCE_AT, 6);
  target.writeUIntBE(safe, SAFE_AT, 6);
  target.writeUInt32BE(crc32(target.subarray(LENGTH_AT, at)), CRC_AT);
}

/** Yields the complete records with a marker, in the order of the file; other bytes are skipped. */
export function* readRecords(bytes: Buffer, marker: Buffer): Generator<LogRecord> {
  for (let at = bytes.indexOf(marker); at >= 0; ) {
    const end = endOf(bytes, at);
    if (end !== null) {
      yield {
        sequence: bytes.readUIntBE(at + SEQUENCE_AT, 6),
        safe: bytes.readUIntBE(at + SAFE_AT, 6),
        operations: readOperations(bytes.subarray(at + HEAD_BYTES, end)),
      };
    }
    at = bytes.indexOf(marker, end ?? at + 1);
  }
}

/** Returns the end of a record, or null if the record is incomplete. */
function endOf(bytes: Buffer, at: number): number | null {
  if (at + HEAD_BYTES > bytes.length) return null;
  const end = at + HEAD_BYTES + bytes.readUInt32BE(at + LENGTH_AT);
  if (end > bytes.length) return null;
  return crc32(bytes.subarray(at + LENGTH_AT, end)) === bytes.readUInt32BE(at + CRC_AT) ? end : null;
}

/** @param bytes  the CRC has been checked */
function readOperations(bytes: Buffer): StorageOperation[] {
  const operations: StorageOperation[] = [];
  let at = 0;
  const take = (length: number): Buffer => bytes.subarray(at, (at += length));

  while (at < bytes.length) {
    const kind = bytes[at++];
    if (kind === KINDS.mark) {
      const name = take(bytes[at++] as number).toString("latin1");
      operations.push({ kind: "mark", name, value: take(take(4).readUInt32BE()) });
    } else if (kind === KINDS.put) {
      const orderKey = take(ENTRY_ORDER_KEY_BYTES);
      operations.push({ kind: "put", orderKey, value: take(take(4).readUInt32BE()) });
    } else if (kind === KINDS.remove)
      operations.push({ kind: "remove", orderKey: take(ENTRY_ORDER_KEY_BYTES) });
    else throw new RangeError(`the log contains an operation of kind ${kind}: a later release wrote it`);
  }
  return operations;
}

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

export const LOG_END_FILE = "log-end";

const BOOT_BYTES = 16;
const WRITTEN_AT = 4;
const SYNCED_AT = WRITTEN_AT + 6;
const BOOT_AT = SYNCED_AT + 6;
const BYTES = BOOT_AT + BOOT_BYTES;

/** The contents of the file. */
interface LogEnd {
  /** The number of the last group that was passed to the operating system. */
  readonly written: number;
  /** The number of the last group that was synced to the disk, or 0 if none was synced. */
  readonly synced: number;
  /** Whether the machine has not been restarted since. If true, the system has lost no write that it received. */
  readonly isSameBoot: boolean;
}

/** The contents of the file; `damaged` if it does not exist or cannot be read. */
export type FoundLogEnd = LogEnd | "damaged";

/**
 * The position of the log's end, stored next to the log in DIR/timeline/log-end, so that the daemon detects a missing
 * tail. The file has 32 bytes. It is overwritten in place after each group, and never synced separately. Integers are
 * big-endian:
 *   CRC-32 of the rest (4) ‖ number of the last group written (6) ‖ number of the last group synced (6) ‖ boot id (16)
 * The file never names a group that the log did not contain. After a kill of the process, the first number is valid,
 * because the operating system keeps the writes to both files. After a power failure, which changes the boot id, only
 * the second number is valid, and it may be out of date. Source: docs/decisions/0013-a-log-in-front-of-lmdb.md.
 */
export class LogEndWriter {
  readonly #descriptor: number;
  readonly #bytes = Buffer.alloc(BYTES);
  readonly #checked = this.#bytes.subarray(WRITTEN_AT);

  /** @param folder  must exist. @param mode  of the file, if it is created */
  constructor(folder: string, mode: number) {
    this.#descriptor = openSync(join(folder, LOG_END_FILE), constants.O_WRONLY | constants.O_CREAT, mode);
    this.#bytes.set(BOOT ?? Buffer.alloc(BOOT_BYTES), BOOT_AT);
  }

  /** Writes the file in one step, which takes a few microseconds. @throws Error  the system's error */
  write(written: number, synced: number): void {
    const bytes = this.#bytes;
    bytes.writeUIntBE(written, WRITTEN_AT, 6);
    bytes.writeUIntBE(synced, SYNCED_AT, 6);
    bytes.writeUInt32BE(crc32(this.#checked), 0);
    writeSync(this.#descriptor, bytes, 0, BYTES, 0);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

export function readLogEnd(folder: string): FoundLogEnd {
  const bytes = read(join(folder, LOG_END_FILE));
  if (bytes?.length !== BYTES || crc32(bytes.subarray(WRITTEN_AT)) !== bytes.readUInt32BE(0))
    return "damaged";
  return {
    written: bytes.readUIntBE(WRITTEN_AT, 6),
    synced: bytes.readUIntBE(SYNCED_AT, 6),
    isSameBoot: BOOT?.equals(bytes.subarray(BOOT_AT)) ?? false,
  };
}

/** The random id that Linux generates at each boot, or null on systems without one. */
const BOOT = bootOf(read("/proc/sys/kernel/random/boot_id"));

function bootOf(text: Buffer | null): Buffer | null {
  const bytes = Buffer.from(text?.toString().replace(/[^\da-f]/g, "") ?? "", "hex");
  return bytes.length === BOOT_BYTES ? bytes : null;
}

function read(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch (problem) {
    if ((problem as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw problem;
  }
}
