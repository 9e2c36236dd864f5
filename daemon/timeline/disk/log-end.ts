import { closeSync, constants, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";

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
