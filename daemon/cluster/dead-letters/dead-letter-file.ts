/**
 * The format of a file of dead letters, with lengths in bytes and big-endian integers: "dbsync-letters-" and the number
 * of the format, one digit (16), then for each dead letter
 *   CRC-32 of the remaining head (4) ‖ reason (1) ‖ length of the value (4) ‖ order key (42) ‖ value as in the timeline
 * A value is verified by its own CRC and by its id. The length in each head determines where the next head begins. If a
 * head is damaged, the remaining bytes are skipped, because a value contains bytes that a client chose and that could
 * look like a dead letter. A file of another format is never changed.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { crc32 } from "node:zlib";
import { hashOf } from "../../engine/trust/identity.js";
import { DEAD_LETTER_REASONS, type DeadLetterReason } from "../../timeline/dead-letters.js";
import { type Entry, ORDER_KEY_BYTES, type OrderKey, readOrderKey } from "../../timeline/entries/entry.js";
import { readEntry } from "../../timeline/entries/stored-value.js";

/** The number of the format that this program reads and writes. */
export const DEAD_LETTERS_FORMAT = 1;
export const DEAD_LETTERS_MAGIC = Buffer.from(`dbsync-letters-${DEAD_LETTERS_FORMAT}`);
const MAGIC = /^dbsync-letters-([1-9])$/;

const CRC_BYTES = 4;
const LENGTH_AT = CRC_BYTES + 1;
const ORDER_KEY_AT = LENGTH_AT + 4;
const HEAD_BYTES = ORDER_KEY_AT + ORDER_KEY_BYTES;
/** The maximum length of a value in bytes, which exceeds the length of the longest possible request. */
const VALUE_BYTES_MAX = 512 * 1024 * 1024;

const REASONS = new Map<number, DeadLetterReason>(
  Object.entries(DEAD_LETTER_REASONS).map(([name, number]) => [number, name as DeadLetterReason]),
);

/** The position of a dead letter in its file. */
export interface DeadLetterHead {
  readonly orderKey: OrderKey;
  readonly reason: DeadLetterReason;
  /** The index of the dead letter's first byte, which belongs to its head, and the index after its last byte. */
  readonly from: number;
  readonly to: number;
}

export interface DeadLetterHeads {
  readonly heads: readonly DeadLetterHead[];
  /** The number of unreadable bytes at the end of the file. */
  readonly unread: number;
  /** The number of the file's format if this program does not read it, or null. */
  readonly otherFormat: number | null;
}

export function deadLetterBytes(
  orderKey: Buffer,
  value: Buffer,
  reason: DeadLetterReason,
): readonly Buffer[] {
  const head = Buffer.alloc(HEAD_BYTES);
  head[CRC_BYTES] = DEAD_LETTER_REASONS[reason];
  head.writeUInt32BE(value.length, LENGTH_AT);
  head.set(orderKey, ORDER_KEY_AT);
  head.writeUInt32BE(crc32(head.subarray(CRC_BYTES)), 0);
  return [head, value];
}

/** A file of dead letters that is open for reading. */
export class DeadLetterFile {
  readonly #descriptor: number;
  readonly #size: number;

  /** @throws Error  the system's error */
  constructor(path: string, size: number) {
    this.#descriptor = openSync(path, "r");
    this.#size = size;
  }

  get #begin(): Buffer {
    return this.read(0, DEAD_LETTERS_MAGIC.length);
  }

  /** The number of the file's format if this program does not read it, or null. */
  get otherFormat(): number | null {
    const [, digit] = MAGIC.exec(this.#begin.toString("latin1")) ?? [];
    return digit === undefined || Number(digit) === DEAD_LETTERS_FORMAT ? null : Number(digit);
  }

  /** Reads only the heads. */
  heads(): DeadLetterHeads {
    const heads: DeadLetterHead[] = [];
    if (!this.#begin.equals(DEAD_LETTERS_MAGIC))
      return { heads, unread: this.#size, otherFormat: this.otherFormat };
    let from = DEAD_LETTERS_MAGIC.length;
    while (from < this.#size) {
      const head = this.read(from, from + HEAD_BYTES);
      const reason = REASONS.get(head[CRC_BYTES] ?? 0);
      const isIntact = head.length === HEAD_BYTES && crc32(head.subarray(CRC_BYTES)) === head.readUInt32BE(0);
      const bytes = isIntact ? head.readUInt32BE(LENGTH_AT) : 0;
      const to = from + HEAD_BYTES + bytes;
      if (!isIntact || reason === undefined || bytes > VALUE_BYTES_MAX || to > this.#size) break;
      heads.push({ orderKey: readOrderKey(head.subarray(ORDER_KEY_AT)), reason, from, to });
      from = to;
    }
    return { heads, unread: this.#size - from, otherFormat: null };
  }

  /** Returns the entry, or null if its bytes are damaged. */
  entry({ orderKey, from, to }: DeadLetterHead): Entry | null {
    return readEntry(orderKey, this.read(from + HEAD_BYTES, to), hashOf);
  }

  /** Returns a range of the file's bytes, which is shorter if the file ends before `to`. */
  read(from: number, to: number): Buffer {
    const bytes = Buffer.alloc(to - from);
    return bytes.subarray(0, readSync(this.#descriptor, bytes, 0, bytes.length, from));
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
