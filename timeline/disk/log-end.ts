/**
 * The position of the log's end, stored next to the log in DIR/timeline/log-end, so that a missing tail is noticed. The
 * file has 32 bytes, written in place after each group and never synced separately; integers are big-endian:
 *   CRC-32 of the rest (4) ‖ number of the last group written (6) ‖ of the last one on the disk (6) ‖ boot (16)
 * The file never claims more groups than exist. After a kill the first number is valid, because the system has both
 * files. After a power failure, recognized by a different `boot`, only the second one is valid, and it may be out of
 * date. Source: docs/decisions/0013-a-log-before-lmdb.md.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";

export const LOG_END_FILE = "log-end";

const BOOT_BYTES = 16;
const WRITTEN_AT = 4;
const SYNCED_AT = WRITTEN_AT + 6;
const BOOT_AT = SYNCED_AT + 6;
const BYTES = BOOT_AT + BOOT_BYTES;

/** The contents of the file. */
export interface LogEnd {
  /** The number of the last group that the system had. */
  readonly written: number;
  /** The number of the last group that was on the disk, or 0 if none was synced. */
  readonly synced: number;
  /** Whether the machine has been running since the write, so that everything that the system had still exists. */
  readonly isSameBoot: boolean;
}

/** The contents of the file; `none` if an older release wrote none, or if the file was removed. */
export type FoundLogEnd = LogEnd | "none" | "damaged";

export class LogEndWriter {
  readonly #descriptor: number;
  readonly #bytes = Buffer.alloc(BYTES);
  readonly #checked = this.#bytes.subarray(WRITTEN_AT);

  /** @param folder  must exist. @param mode  of the file, if it is created */
  constructor(folder: string, mode: number) {
    this.#descriptor = openSync(join(folder, LOG_END_FILE), constants.O_WRONLY | constants.O_CREAT, mode);
    this.#bytes.set(BOOT ?? Buffer.alloc(BOOT_BYTES), BOOT_AT);
  }

  get size(): number {
    return fstatSync(this.#descriptor).size;
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
  if (bytes === null) return "none";
  if (bytes.length !== BYTES || crc32(bytes.subarray(WRITTEN_AT)) !== bytes.readUInt32BE(0)) return "damaged";
  return {
    written: bytes.readUIntBE(WRITTEN_AT, 6),
    synced: bytes.readUIntBE(SYNCED_AT, 6),
    isSameBoot: BOOT?.equals(bytes.subarray(BOOT_AT)) ?? false,
  };
}

/** The system's boot id, drawn when it starts, or null if the system has none. */
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
