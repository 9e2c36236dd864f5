/** A file of dead letters: its format, and reading it. */
import { closeSync, openSync, readSync } from "node:fs";
import { crc32 } from "node:zlib";
import { ENTRY_ORDER_KEY_BYTES } from "../../../protocol/version-2/envelope.js";
import { hashOf } from "../../engine/trust/identity.js";
import { DEAD_LETTER_REASONS, type DeadLetterReason } from "../../timeline/dead-letters.js";
import { type Entry, type OrderKey, readOrderKey } from "../../timeline/entries/entry.js";
import { readEntry } from "../../timeline/entries/stored-value.js";

/** The number of the format that this program reads and writes. */
export const DEAD_LETTERS_FORMAT = 1;
export const DEAD_LETTERS_MAGIC = Buffer.from(`dbsync-letters-${DEAD_LETTERS_FORMAT}`);
const MAGIC = /^dbsync-letters-([1-9])$/;

const CRC_BYTES = 4;
const LENGTH_AT = CRC_BYTES + 1;
const ORDER_KEY_AT = LENGTH_AT + 4;
const HEAD_BYTES = ORDER_KEY_AT + ENTRY_ORDER_KEY_BYTES;
/** The maximum length of a value in bytes, which exceeds the length of the longest possible request. */
const VALUE_BYTES_MAX = 512 * 1024 * 1024;

const REASONS = new Map<number, DeadLetterReason>(
  Object.entries(DEAD_LETTER_REASONS).map(([name, number]) => [number, name as DeadLetterReason]),
);

/** The position of a dead letter in its file. */
export interface DeadLetterHead {
  readonly orderKey: OrderKey;
  readonly reason: DeadLetterReason;
  /** The indexes of the first commands of the entry's units that are dead letters; null: all units are. */
  readonly units: readonly number[] | null;
  /** The index of the first byte of the entry. */
  readonly valueFrom: number;
  /** The index of the dead letter's first byte, which belongs to its head, and the index after its last byte. */
  readonly from: number;
  readonly to: number;
}

interface DeadLetterHeads {
  readonly heads: readonly DeadLetterHead[];
  /** The number of unreadable bytes at the end of the file. */
  readonly unread: number;
  /** The number of the file's format if this program does not read it, or null. */
  readonly otherFormat: number | null;
}

/**
 * Returns a dead letter as its file contains it. The file has lengths in bytes and big-endian integers:
 * "dbsync-letters-" and the number of the format, one digit (16), then for each dead letter
 *   CRC-32 of the remaining head (4) ‖ reason (1) ‖ length of the value (4) ‖ order key (42) ‖ value as stored
 * A value with the reason `void` is CRC-32 of what follows up to the value as stored (4) ‖ number of units (4) ‖ the
 * indexes of their first commands (4 each) ‖ value as stored.
 * A value is verified by its own CRC and by its id. The length in each head determines where the next head begins. If a
 * head is damaged, the remaining bytes are skipped, because a value contains bytes that a client chose and that could
 * look like a dead letter. A file of another format is never changed.
 */
export function deadLetterBytes(
  orderKey: Buffer,
  value: Buffer,
  reason: DeadLetterReason,
  units: readonly number[] = [],
): readonly Buffer[] {
  const named = reason === "void" ? unitBytes(units) : Buffer.alloc(0);
  const head = Buffer.alloc(HEAD_BYTES);
  head[CRC_BYTES] = DEAD_LETTER_REASONS[reason];
  head.writeUInt32BE(named.length + value.length, LENGTH_AT);
  head.set(orderKey, ORDER_KEY_AT);
  head.writeUInt32BE(crc32(head.subarray(CRC_BYTES)), 0);
  return [head, named, value];
}

const INDEX_BYTES = 4;

function unitBytes(units: readonly number[]): Buffer {
  const bytes = Buffer.alloc(CRC_BYTES + INDEX_BYTES * (1 + units.length));
  for (const [i, number] of [units.length, ...units].entries())
    bytes.writeUInt32BE(number, CRC_BYTES + INDEX_BYTES * i);
  bytes.writeUInt32BE(crc32(bytes.subarray(CRC_BYTES)), 0);
  return bytes;
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

      const orderKey = readOrderKey(head.subarray(ORDER_KEY_AT));
      const valueFrom = from + HEAD_BYTES;
      const named = reason === "void" ? this.#unitsAt(valueFrom, to) : { units: null, valueFrom };
      heads.push({ orderKey, reason, ...named, from, to });
      from = to;
    }

    return { heads, unread: this.#size - from, otherFormat: null };
  }

  /** Reads which units of an entry are dead letters. If these bytes are damaged, the entry counts as damaged. */
  #unitsAt(from: number, to: number): Pick<DeadLetterHead, "units" | "valueFrom"> {
    const damaged = { units: [], valueFrom: to };
    const head = this.read(from, Math.min(to, from + CRC_BYTES + INDEX_BYTES));
    if (head.length < CRC_BYTES + INDEX_BYTES) return damaged;
    const valueFrom = from + CRC_BYTES + INDEX_BYTES * (1 + head.readUInt32BE(CRC_BYTES));
    if (valueFrom > to) return damaged;
    const bytes = this.read(from, valueFrom);
    if (crc32(bytes.subarray(CRC_BYTES)) !== bytes.readUInt32BE(0)) return damaged;
    const units: number[] = [];
    for (let at = CRC_BYTES + INDEX_BYTES; at < bytes.length; at += INDEX_BYTES)
      units.push(bytes.readUInt32BE(at));
    return { units, valueFrom };
  }

  /** Returns the entry, or null if its bytes are damaged. */
  entry({ orderKey, valueFrom, to }: DeadLetterHead): Entry | null {
    return readEntry(orderKey, this.read(valueFrom, to), hashOf);
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
